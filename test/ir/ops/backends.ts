/** Who else runs every sample of `checkOp`: the whole compiler behind the front end, on every target. */
import { type CompiledGraphs, compileGraphs } from "../../../compiler/compile-graphs.ts";
import type { Graph } from "../../../ir/graph/graph.ts";
import { interpret } from "../../../ir/kernel/interpret.ts";
import type { Kernel } from "../../../ir/kernel/kernel.ts";
import { elementsIn } from "../../../ir/layout.ts";
import { offsetInWhole, type Value, wholeOf } from "../../../ir/lowered.ts";
import type { Program } from "../../../ir/program.ts";
import type { DType } from "../../../ir/type.ts";
import { load } from "../../../runtime/index.ts";
import { adapter } from "../../gpu.ts";
import { programOf } from "../../graph-program.ts";
import type { Given } from "./evaluate.ts";

export interface OpBackend {
  readonly name: string;
  /** Outputs by name, row-major, bools as 0 and 1. */
  readonly run: (graph: Graph, inputs: Given) => Promise<Given>;
  readonly tolerance: number;
}
const arrays = { f32: Float32Array, i32: Int32Array, u8: Uint8Array, bool: Uint8Array };

async function runOn(target: Program["target"], graph: Graph, inputs: Given): Promise<{ outputs: Given; compiled: CompiledGraphs }> {
  const compiled = await compileGraphs(graph.name, { forward: graph }, [], { target, reproducible: true });
  const gpu = target === "wgsl" ? await adapter() : undefined;
  const net = await load(programOf(graph, target, compiled), gpu ? { gpu } : {});
  const typed = Object.fromEntries(
    graph.inputs.map((n) => [String(n.attrs.name), arrays[n.type.dtype].from(inputs[String(n.attrs.name)]!)]),
  );
  const outputs = await net.run(typed);
  await net.dispose();
  return { outputs, compiled };
}

/** The plan's kernels in the interpreter's single-precision model: what WebAssembly has to give, bit for bit. */
function interpretSingle({ plan, lowered }: CompiledGraphs, inputs: Given): Given {
  const kernels = new Map(plan.kernels.map((k) => [k.name, k]));
  const memory = new Map<Value, Float32Array | Int32Array | Uint8Array>();
  const out: Record<string, Float32Array | Int32Array | Uint8Array> = {};
  const cells = (dtype: DType, n: number) => new arrays[dtype](n);
  const at = (v: Value): Float32Array | Int32Array | Uint8Array => {
    if (v.home.kind === "inside") return at(wholeOf(v)).subarray(offsetInWhole(v));
    const known = memory.get(v) ?? cells(v.type.dtype, elementsIn(v.type.shape, v.type.layout));
    if (!memory.has(v) && v.home.kind === "constant") known.set(lowered.constants.find((t) => t.name === v.name)!.data);
    if (!memory.has(v) && v.home.kind === "input") known.set(arrays[v.type.dtype].from(inputs[v.home.name]!));
    if (v.home.kind === "output") out[v.home.name.slice("forward.".length)] = known;
    memory.set(v, known);
    return known;
  };
  for (const c of lowered.entries.find((e) => e.name === "forward")!.calls)
    interpret(
      kernels.get(c.kernel)!,
      Object.fromEntries(boundNames(kernels.get(c.kernel)!).map((name, i) => [name, at([...c.inputs, ...c.outputs][i]!)])),
      "single",
    );
  return out;
}
const boundNames = (k: Kernel) => k.buffers.filter((b) => b.space === "in" || b.space === "out" || b.space === "inout").map((b) => b.name);
const bits = (a: ArrayLike<number>): Uint8Array =>
  new Uint8Array(a instanceof Float32Array ? canonical(a).buffer : Uint32Array.from(a).buffer);
/** One bit pattern for every NaN. */
const canonical = (a: Float32Array) => a.map((x) => (Number.isNaN(x) ? Number.NaN : x));

const wasm: OpBackend = {
  name: "wasm, the same bits as the interpreter in single precision",
  tolerance: 2e-5,
  run: async (graph, inputs) => {
    const { outputs, compiled } = await runOn("wasm", graph, inputs);
    const single = interpretSingle(compiled, inputs);
    for (const [name, expected] of Object.entries(single))
      if (Buffer.compare(bits(outputs[name]!), bits(expected)) !== 0)
        throw new Error(`${name}: wasm and the interpreter differ: ${outputs[name]} instead of ${expected}`);
    return outputs;
  },
};
const on = (target: Program["target"], tolerance: number): OpBackend => ({
  name: target,
  tolerance,
  run: async (graph, inputs) => (await runOn(target, graph, inputs)).outputs,
});

export const backends: readonly OpBackend[] = [on("reference", 1e-6), wasm, ...((await adapter()) ? [on("wgsl", 2e-5)] : [])];
