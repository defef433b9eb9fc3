/** The value of a graph node whose leaves are known: what the importer folds. */
import { invariant } from "../../../ir/diagnostic.ts";
import { type Graph, type Node, reachable } from "../../../ir/graph/graph.ts";
import { interpret } from "../../../ir/kernel/interpret.ts";
import type { Stmt } from "../../../ir/kernel/kernel.ts";
import { bodyOf } from "../../../ir/kernel/rewrite.ts";
import { elementsIn } from "../../../ir/layout.ts";
import type { Value } from "../../../ir/lowered.ts";
import type { DType } from "../../../ir/type.ts";
import type { OnnxElementType } from "../../formats/onnx/element-type.ts";
import { lower } from "../../lower/lower.ts";
import { decompose } from "../../passes/decompose.ts";
import { scheduleCpu } from "../../schedule/cpu.ts";
import { farInteger, heldInteger, type Numbers } from "./values.ts";

type Cells = Float64Array | Uint8Array;
function cells(dtype: DType, n: number): Cells {
  switch (dtype) {
    case "f32":
    case "i32":
      return new Float64Array(n);
    case "u8":
    case "bool":
      return new Uint8Array(n);
  }
}

/** Most statements that computing one constant may take: a few seconds. */
const mostWork = 2 ** 26;
const workOf = (body: readonly Stmt[]): number =>
  body.reduce((n, s) => n + (s.kind === "for" ? s.extent * workOf(s.body) : 1 + workOf(bodyOf(s))), 0);

/**
 * Floats in double precision, integers without bounds until they are kept as `element`; `leafData` gives the elements of an
 * input or variable by its name. null: it takes too long.
 */
export function evaluateNode(root: Node, element: OnnxElementType, leafData: (name: string) => Numbers): Numbers | null {
  const leaves = reachable([root]).filter((n) => n.op.schema.kind === "leaf" && n.op.schema.name !== "dense");
  const graph: Graph = {
    name: "constant",
    inputs: leaves.filter((n) => n.op.schema.name === "input"),
    outputs: [{ name: "y", value: root }],
    updates: [],
  };
  const lowered = lower([{ entry: "forward", graph: decompose.run(graph) }], scheduleCpu, null);
  if (lowered.kernels.reduce((n, k) => n + workOf(k.body), 0) > mostWork) return null;
  const memory = new Map<string, Cells>();
  for (const n of leaves) {
    const data = cells(n.type.dtype, elementsIn(n.type.shape, null));
    data.set(n.type.dtype === "i32" ? Array.from(leafData(String(n.attrs.name)), farInteger) : leafData(String(n.attrs.name)));
    memory.set(String(n.attrs.name), data);
  }
  const at = (v: Value): Cells => {
    const key = v.home.kind === "input" || v.home.kind === "variable" ? v.home.name : `${v.home.kind} ${v.name}`;
    const here = memory.get(key) ?? cells(v.type.dtype, elementsIn(v.type.shape, v.type.layout));
    if (v.home.kind === "constant") here.set(lowered.constants.find((t) => t.name === v.name)!.data);
    memory.set(key, here);
    return here;
  };
  const kernels = new Map(lowered.kernels.map((k) => [k.name, k]));
  for (const c of lowered.entries[0]!.calls) {
    const kernel = kernels.get(c.kernel)!;
    const external = kernel.buffers.filter((b) => b.space === "in" || b.space === "out" || b.space === "inout");
    const args = [...c.inputs, ...c.outputs].map(at);
    interpret(kernel, Object.fromEntries(external.map((b, i) => [b.name, args[i]!])), "exact");
  }
  const y = memory.get("output forward.y") ?? invariant(false, "nothing computes the constant");
  if (root.type.dtype === "f32") return Float32Array.from(y!);
  return root.type.dtype === "i32" ? Float64Array.from(y!, (v) => heldInteger(v, element)) : y!;
}
