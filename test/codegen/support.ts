/** Plans of single kernels, and running them. */
import { Worker } from "node:worker_threads";
import { alignUp, type CodeTarget, storageBytes, tensorAlignment } from "../../codegen/target.ts";
import { emitWasm, type WasmModule } from "../../codegen/wasm/emit.ts";
import { scratchBytes } from "../../codegen/wasm/kernel.ts";
import { globalOffsets } from "../../codegen/wgsl/emit.ts";
import { bufferElements } from "../../ir/kernel/address.ts";
import { interpret } from "../../ir/kernel/interpret.ts";
import type { Buffer, Kernel } from "../../ir/kernel/kernel.ts";
import type { Call, Place, Plan } from "../../ir/plan.ts";
import type { Region } from "../../ir/program.ts";

export type Memory = Readonly<Record<string, ArrayLike<number>>>;

const isBound = (b: Buffer) => b.space === "in" || b.space === "out" || b.space === "inout";
const noBytes: Record<Region, number> = { control: 0, parameters: 0, optimizer: 0, state: 0, prepared: 0, io: 0, arena: 0, scratch: 0 };

/** Kernels one after the other; buffers of one name are one place in the arena. */
export interface Placed {
  readonly plan: Plan;
  readonly places: ReadonlyMap<string, Place & { readonly buffer: Buffer }>;
}
const scratchOf: Record<CodeTarget, (k: Kernel) => number> = { wasm: scratchBytes, wgsl: (k) => globalOffsets(k).bytes };
export function planOf(
  target: CodeTarget,
  kernels: readonly Kernel[],
  scratch = Math.max(65536, ...kernels.map(scratchOf[target])),
): Placed {
  const places = new Map<string, Place & { buffer: Buffer }>();
  let arena = 0;
  const bytes = (b: Buffer) => alignUp(bufferElements(b) * storageBytes[target][b.type], tensorAlignment[target]);
  for (const b of kernels.flatMap((k) => k.buffers).filter(isBound)) {
    if (places.has(b.name)) continue;
    places.set(b.name, { region: "arena", offset: arena, buffer: b });
    arena += bytes(b);
  }
  const calls = kernels.map((k): Call => {
    const args = k.buffers.filter(isBound).map(({ name }) => ({ region: places.get(name)!.region, offset: places.get(name)!.offset }));
    return { kernel: k.name, args, origin: null, flops: 0 };
  });
  const distinct = [...new Map(kernels.map((k) => [k.name, k])).values()];
  const entry = { name: "forward" as const, calls, intervals: [], arenaBytes: arena, lowerBound: arena };
  return { plan: { name: "test", kernels: distinct, entries: [entry], sizes: { ...noBytes, arena, scratch } }, places };
}

const arrays = { f32: Float32Array, i32: Int32Array, u32: Uint32Array, u8: Uint8Array, bool: Uint8Array };
export type Numbers = Float32Array | Int32Array | Uint32Array | Uint8Array;

/** A loaded module: buffers by name, as views of its memory. */
export interface Loaded {
  readonly view: (name: string) => Numbers;
  readonly memory: WebAssembly.Memory;
  readonly code: WasmModule;
  readonly forward: (thread: number, threads: number) => void;
}
export async function loadWasm({ plan, places }: Placed, options = { relaxed: false }): Promise<Loaded> {
  const code = await emitWasm(plan, options);
  const pages = Math.ceil(code.bytes / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  // Whoever reads what nobody wrote shall notice.
  new Float32Array(memory.buffer, code.bases.arena).fill(Number.NaN);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code.module), { env: { memory, overdue: () => {} } });
  return { view: viewer({ plan, places }, code, memory), memory, code, forward: exports.forward as Loaded["forward"] };
}
const viewer =
  ({ places }: Placed, code: WasmModule, memory: WebAssembly.Memory) =>
  (name: string): Numbers => {
    const { region, offset, buffer } = places.get(name)!;
    return new arrays[buffer.type](memory.buffer, code.bases[region] + offset, bufferElements(buffer));
  };

/** What the outputs of kernels hold after one run on one thread. */
export async function runWasm(
  kernels: Kernel | readonly Kernel[],
  inputs: Memory,
  options = { relaxed: false },
): Promise<Record<string, Numbers>> {
  const placed = planOf("wasm", Array.isArray(kernels) ? kernels : [kernels as Kernel]);
  const loaded = await loadWasm(placed, options);
  for (const [name, values] of Object.entries(inputs)) loaded.view(name).set(values);
  loaded.forward(0, 1);
  return results(placed, loaded.view);
}
const results = ({ places }: Placed, view: (name: string) => Numbers): Record<string, Numbers> =>
  Object.fromEntries([...places].filter(([, p]) => p.buffer.space !== "in").map(([name]) => [name, view(name).slice()]));

const worker = `
const { parentPort, workerData: w } = require("node:worker_threads");
const instance = new WebAssembly.Instance(new WebAssembly.Module(w.module), { env: { memory: w.memory, overdue: () => {} } });
parentPort.on("message", (runs) => {
  for (let i = 0; i < runs; i++) instance.exports.forward(w.thread, w.threads);
  parentPort.postMessage("done");
});`;

/** The same on several threads over shared memory, `runs` times in a row. */
export async function runThreads(kernels: readonly Kernel[], inputs: Memory, threads: number, runs = 1): Promise<Record<string, Numbers>> {
  const placed = planOf("wasm", kernels);
  const code = await emitWasm(placed.plan, { relaxed: false });
  const module = code.module.slice();
  module[code.limitsOffset] = 3;
  const pages = Math.ceil((code.bytes + (threads - 1) * placed.plan.sizes.scratch) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const view = viewer(placed, code, memory);
  for (const [name, values] of Object.entries(inputs)) view(name).set(values);
  const workers = Array.from(
    { length: threads },
    (_, thread) => new Worker(worker, { eval: true, workerData: { module, memory, thread, threads } }),
  );
  await Promise.all(
    workers.map(
      (w) =>
        new Promise((done, failed) => {
          w.once("message", done);
          w.once("error", failed);
          w.postMessage(runs);
        }),
    ),
  );
  await Promise.all(workers.map((w) => w.terminate()));
  return results(placed, view);
}

/** Buffers of different kernels have different names. */
export function renamed(k: Kernel): Kernel {
  const by = new Map(k.buffers.map((b) => [b.name, { ...b, name: `${k.name}.${b.name}` }]));
  const replace = <T>(x: T): T => {
    if (Array.isArray(x)) return x.map(replace) as T;
    if (typeof x !== "object" || x === null) return x;
    return Object.fromEntries(Object.entries(x).map(([key, v]) => [key, key === "buffer" ? by.get((v as Buffer).name) : replace(v)])) as T;
  };
  return { ...k, buffers: k.buffers.map((b) => by.get(b.name)!), body: replace(k.body) };
}
/** What the outputs of a kernel hold according to the interpreter. */
export function interpretSingle(kernel: Kernel, inputs: Memory): Record<string, Numbers> {
  const memory: Record<string, Numbers> = {};
  for (const b of kernel.buffers.filter(isBound)) {
    const values = new arrays[b.type](bufferElements(b));
    if (b.type === "f32") values.fill(Number.NaN);
    values.set(inputs[b.name] ?? []);
    memory[b.name] = values;
  }
  interpret(kernel, memory, "single");
  const outputs = kernel.buffers.filter((b) => b.space === "out" || b.space === "inout");
  return Object.fromEntries(outputs.map((b) => [b.name, memory[b.name]!]));
}
