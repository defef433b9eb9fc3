/**
 * A plan as one WebAssembly module. It imports the memory `env.memory` and what the barrier calls, and exports a function (thread, threads)
 * for each entry: all threads call it, and it returns when the entry is complete. Kernels are functions of their own.
 */
import { fail, invariant } from "../../ir/diagnostic.ts";
import { bufferElements } from "../../ir/kernel/address.ts";
import type { Kernel } from "../../ir/kernel/kernel.ts";
import type { Call, Entry, Place, Plan } from "../../ir/plan.ts";
import { type Code, type EntryId, type Region, regions } from "../../ir/program.ts";
import { isBound } from "../effects.ts";
import { alignUp, storageBytes, tensorAlignment } from "../target.ts";
import { addBarrier, barrierBytes } from "./functions.ts";
import { addKernel, scratchBytes } from "./kernel.ts";
import { findMemoryLimits } from "./limits.ts";
import { type Ref, type Unit, withModule } from "./module.ts";
import { sharedPhases } from "./share.ts";

export interface WasmOptions {
  /** Multiply-add may be rounded once: faster, but not the same bits on every machine. */
  readonly relaxed: boolean;
  /** Where an entry notes the time: f32[calls + 1], milliseconds from its start to the end of each call, the first being 0.
   *  The module then imports `env.now`, a function () -> f64. */
  readonly clocks?: ReadonlyMap<EntryId, Place>;
}
export type WasmModule = Omit<Extract<Code, { kind: "wasm" }>, "kind" | "relaxed">;

/** The address 0 is never used. */
const firstAddress = 64;
/** Least size of the region `control`: the words of the barrier. */
export const controlBytes = barrierBytes;
const pageBytes = 65536;
/** Of a memory: 4 GiB. How many threads have room for their scratch is found when the program is loaded. */
const mostPages = 65536;

export interface WasmLayout {
  /** Byte address of each region. */
  readonly bases: Readonly<Record<Region, number>>;
  /** Behind the last region, with the scratch of one thread. */
  readonly bytes: number;
  readonly pages: number;
}
/** Regions one behind the other; scratch is the last. */
export function layoutOf(plan: Plan): WasmLayout {
  const bases: Partial<Record<Region, number>> = {};
  let at = firstAddress;
  for (const region of regions) {
    bases[region] = at;
    const bytes = region === "control" ? Math.max(plan.sizes.control, controlBytes) : plan.sizes[region];
    at += alignUp(bytes, tensorAlignment.wasm);
  }
  const pages = Math.ceil(at / pageBytes);
  if (pages > mostPages) refuse(plan, at);
  return { bases: bases as Record<Region, number>, bytes: at, pages };
}

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
function refuse({ name, sizes }: Plan, most: number): never {
  const largest = regions.filter((r) => sizes[r] > 0).sort((a, b) => sizes[b] - sizes[a]);
  const parts = largest.slice(0, 3).map((r) => `${r} ${mebibytes(sizes[r])}`);
  const smaller = "a smaller batch (`--batch`, `--dim`) shrinks the arena; `accumulate` in the train block makes up for it";
  return fail("limit", `${name} needs ${mebibytes(most)} of memory; WebAssembly has 4096 MiB`, null, {
    help: `its largest parts are ${parts.join(", ")}; ${largest[0] === "arena" ? smaller : "make the model smaller"}`,
  });
}

export async function emitWasm(plan: Plan, options: WasmOptions): Promise<WasmModule> {
  const { bases, bytes } = layoutOf(plan);
  const module = await withModule(
    options,
    (u) => build(u, plan, options),
    ({ m }) => Uint8Array.from(m.emitBinary()),
  );
  return { module, bases, bytes, limitsOffset: findMemoryLimits(module) };
}
/** The module as WebAssembly text. */
export const printWat = (plan: Plan, options: WasmOptions = { relaxed: false }): Promise<string> =>
  withModule(
    options,
    (u) => build(u, plan, options),
    ({ m }) => m.emitText(),
  );

function build(u: Unit, plan: Plan, { clocks }: WasmOptions): void {
  checkPlan(plan);
  const { bases, pages } = layoutOf(plan);
  // Without `setMemory` the import would have no maximum.
  u.m.setMemory(pages, mostPages, null, [], false, false, "memory");
  u.m.addMemoryImport("memory", "env", "memory", false);
  const barrier = addBarrier(u, bases.control);
  for (const k of plan.kernels) addKernel(u, k, barrier);
  if (clocks?.size) u.m.addFunctionImport(nowFunction, "env", "now", u.b.none, u.b.f64);
  for (const e of plan.entries) addEntry(u, plan, e, bases, barrier, clocks?.get(e.name) ?? null);
}
function checkPlan(plan: Plan): void {
  invariant(new Set(plan.kernels.map((k) => k.name)).size === plan.kernels.length, `${plan.name}: two kernels have one name`);
  const { scratch } = plan.sizes;
  invariant(scratch % tensorAlignment.wasm === 0, `scratch of ${scratch} bytes is no multiple of ${tensorAlignment.wasm}`);
  for (const k of plan.kernels)
    invariant(scratchBytes(k) <= scratch, `${k.name} has ${scratchBytes(k)} bytes of scratch, the plan ${scratch}`);
}

/* ---- entries --------------------------------------------------------------------------------------------------- */

/** Parameters thread and threads, locals: address of this thread's scratch, and when a run with a clock began. */
const [threadLocal, threadsLocal, scratchLocal, startLocal] = [0, 1, 2, 3] as const;

function addEntry(u: Unit, plan: Plan, entry: Entry, bases: WasmLayout["bases"], barrier: string, clock: Place | null): void {
  const { b, m } = u;
  const get = (local: number) => m.local.get(local, b.i32);
  const wait = () => m.if(m.i32.gt_u(get(threadsLocal), m.i32.const(1)), m.call(barrier, [get(threadsLocal)], b.none));
  const address = ({ region, offset }: Place) => m.i32.const((bases[region] + offset) | 0);
  const scratch = m.i32.add(m.i32.const(bases.scratch | 0), m.i32.mul(get(threadLocal), m.i32.const(plan.sizes.scratch)));
  const name = `entry.${entry.name}`;
  const kernels = new Map(plan.kernels.map((k) => [k.name, k]));
  const body: Ref[] = [m.local.set(scratchLocal, scratch), ...(clock ? startClock(u, address(clock)) : [])];
  const conflicts = dependences();
  entry.calls.forEach((call, i) => {
    const kernel = kernels.get(call.kernel);
    invariant(kernel, `${entry.name} calls ${call.kernel}, which the plan does not have`);
    if (!clock && conflicts(accessOf(kernel, call))) body.push(wait());
    body.push(m.call(kernel.name, [...call.args.map(address), get(scratchLocal), get(threadLocal), get(threadsLocal)], b.none));
    // What a call took is known when all threads have finished it.
    if (clock) body.push(wait(), noteTime(u, address(clock), i + 1));
  });
  if (entry.calls.length > 0 && !clock) body.push(wait());
  m.addFunction(name, b.createType([b.i32, b.i32]), b.none, clock ? [b.i32, b.f64] : [b.i32], m.block(null, body));
  m.addFunctionExport(name, entry.name);
}

/** Kernels have no dots in their names. */
const nowFunction = "clock.now";
/** Every thread reads the clock; the first one keeps it. */
function startClock({ b, m }: Unit, clock: Ref): Ref[] {
  return [m.local.set(startLocal, m.call(nowFunction, [], b.f64)), m.f32.store(0, 4, clock, m.f32.const(0))];
}
function noteTime({ b, m }: Unit, clock: Ref, position: number): Ref {
  const passed = m.f64.sub(m.call(nowFunction, [], b.f64), m.local.get(startLocal, b.f64));
  const store = m.f32.store(4 * position, 4, clock, m.f32.demote(passed));
  return m.if(m.i32.eqz(m.local.get(threadLocal, b.i32)), store);
}

interface Range {
  readonly region: Region;
  readonly from: number;
  readonly to: number;
  readonly isWritten: boolean;
}
/** Memory of one call. */
interface Access {
  readonly ranges: readonly Range[];
  /** Thread 0 does all of it. */
  readonly isSerial: boolean;
}
function accessOf(kernel: Kernel, call: Call): Access {
  const buffers = kernel.buffers.filter(isBound);
  invariant(buffers.length === call.args.length, `${kernel.name} has ${buffers.length} buffers and is called with ${call.args.length}`);
  const ranges = buffers.map((b, i): Range => {
    const { region, offset } = call.args[i]!;
    return { region, from: offset, to: offset + bufferElements(b) * storageBytes.wasm[b.type], isWritten: b.space !== "in" };
  });
  return { ranges, isSerial: sharedPhases(kernel).every((p) => p.kind === "once") };
}
const overlap = (a: Range, b: Range) => (a.isWritten || b.isWritten) && a.region === b.region && a.from < b.to && b.from < a.to;

/** Says of each call, one after the other, whether it has to wait for those since the last barrier. */
function dependences(): (next: Access) => boolean {
  let open: Access[] = [];
  return (next) => {
    const mustWait = open.some((a) => !(a.isSerial && next.isSerial) && a.ranges.some((p) => next.ranges.some((q) => overlap(p, q))));
    open = mustWait ? [next] : [...open, next];
    return mustWait;
  };
}
