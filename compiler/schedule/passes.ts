/** From a scheduled kernel to one that a target can spell, in order. */

import type { Kernel } from "../../ir/kernel/kernel.ts";
import { profiles, type Room, roomOf } from "../../ir/limits.ts";
import { collapse } from "./collapse.ts";
import { flatten } from "./flatten.ts";
import { hoist } from "./hoist.ts";
import { legalize } from "./legalize.ts";
import { parts } from "./parts.ts";
import { pointers } from "./pointers.ts";
import { registers } from "./registers.ts";
import { shallow } from "./shallow.ts";
import { share } from "./share.ts";
import { simplify } from "./simplify.ts";
import { unroll } from "./unroll.ts";
import { vectorize } from "./vectorize.ts";

export interface KernelPass {
  readonly name: string;
  readonly run: (k: Kernel) => Kernel;
}
const common: readonly KernelPass[] = [
  { name: "vectorize", run: vectorize },
  { name: "unroll", run: unroll },
  { name: "registers", run: registers },
];

export const wasmKernelPasses: readonly KernelPass[] = [
  ...common,
  { name: "legalize", run: legalize({ target: "wasm" }) },
  { name: "simplify", run: simplify },
  { name: "hoist", run: hoist },
  { name: "flatten", run: flatten },
  { name: "share", run: share },
  { name: "pointers", run: pointers },
];
/** `room`: what a device has for a part of a buffer. */
export const wgslKernelPassesFor = (room: Room): readonly KernelPass[] => [
  ...common,
  { name: "parts", run: parts(room.part) },
  { name: "collapse-grid", run: collapse("grid", 3) },
  { name: "collapse-thread", run: collapse("thread", 3) },
  { name: "legalize", run: legalize({ target: "wgsl" }) },
  { name: "simplify", run: simplify },
  { name: "flatten", run: flatten },
  { name: "shallow", run: shallow },
];
export const wgslKernelPasses: readonly KernelPass[] = wgslKernelPassesFor(roomOf(profiles.default));
