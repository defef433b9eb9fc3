/** What the code generators have to know about where code runs. */
import type { Buffer } from "../ir/kernel/kernel.ts";
import { bindingAlignment } from "../ir/limits.ts";
import { bytesStored } from "../ir/type.ts";

export type CodeTarget = "wasm" | "wgsl";

/** Bytes one element takes in memory: WGSL has no storage type narrower than a word. */
export const storageBytes: Record<CodeTarget, Record<Buffer["type"], number>> = {
  wasm: { f32: 4, i32: 4, u32: 4, u8: 1, bool: 1 },
  wgsl: { f32: 4, i32: 4, u32: 4, u8: 4, bool: 4 },
};
/** Of a buffer of a kernel. */
export const elementBytes = ({ type, stored }: Buffer, target: CodeTarget): number =>
  stored ? bytesStored[stored] : storageBytes[target][type];
/** Tensors start at multiples of this: a cache line, and where bindings may begin. */
export const tensorAlignment: Record<CodeTarget, number> = { wasm: 64, wgsl: bindingAlignment };

export const alignUp = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;
