/** Recurrent layers in ONNX: one operator for each layer, time first, gates in ONNX's order. */
import type { Node } from "../../../ir/graph/graph.ts";
import type { Value } from "../../frontend/elaborate/values.ts";
import type { Attributes, Emitter } from "./emitter.ts";
import { type LayerCall, type LayerRule, tensorsOf } from "./layers.ts";

interface Cell {
  readonly opType: "RNN" | "LSTM" | "GRU";
  /** Place in our weights of each gate of ONNX's. */
  readonly gates: readonly number[];
  readonly attributes: Attributes;
}
const cells = {
  /** Ours: input, forget, cell, output. ONNX's: input, output, forget, cell. */
  lstm: { opType: "LSTM", gates: [0, 3, 1, 2], attributes: {} },
  /** Ours: reset, update, new. ONNX's: update, reset, new. */
  gru: { opType: "GRU", gates: [1, 0, 2], attributes: {} },
} as const satisfies Record<string, Cell>;

export const lstm: LayerRule = (call, e) => layers(call, cells.lstm, e);
export const gru: LayerRule = (call, e) =>
  layers(call, { ...cells.gru, attributes: { linear_before_reset: call.flag("reset_after") ? 1 : 0 } }, e);
export const rnn: LayerRule = (call, e) => {
  const act = call.value("act");
  const name = act.kind === "builtin" ? act.builtin.name : "";
  const activation = { tanh: "Tanh", relu: "Relu", sigmoid: "Sigmoid" }[name];
  return activation === undefined ? null : layers(call, { opType: "RNN", gates: [0], attributes: { activations: [activation] } }, e);
};

function layers(call: LayerCall, cell: Cell, e: Emitter): readonly string[] {
  const hidden = call.number("hidden");
  const count = call.number("layers");
  const initial = initialStates(call.value("initial"), count);
  let x = e.add("Transpose", [e.read(call.tensor("x"))], { perm: [1, 0, 2] });
  const last: (readonly string[])[] = [];
  for (let l = 0; l < count; l++) {
    const start = initial?.map((s) => state(s, l, count, e)) ?? [];
    const inputs = [x, ...weights(call, cell, l, e), ...(start.length > 0 ? ["", ...start] : [])];
    const [y, ...ends] = e.addMany(cell.opType, inputs, cell.opType === "LSTM" ? 3 : 2, { hidden_size: hidden, ...cell.attributes });
    x = e.add("Squeeze", [y!, e.ints([1])]);
    last.push(ends);
  }
  const sequence = e.add("Transpose", [x], { perm: [1, 0, 2] });
  if (call.results.length === 1) return [sequence];
  const ends = last[0]!.map((_, i) =>
    count === 1
      ? last[0]![i]!
      : e.add(
          "Concat",
          last.map((s) => s[i]!),
          { axis: 0 },
        ),
  );
  return [sequence, ...ends];
}

/** A list: h, or h and c, each of all layers; null: zeros. */
function initialStates(initial: Value, count: number): readonly (readonly Node[])[] | null {
  if (initial.kind === "none") return null;
  if (initial.kind === "tensor") return [[initial.node]];
  const nested = initial.kind === "list" && initial.items.every((v) => v.kind === "list");
  if (initial.kind === "list" && nested) return initial.items.map(tensorsOf);
  const all = tensorsOf(initial);
  const stacked = all[0]!.type.shape.length === 3;
  return stacked ? all.map((n) => [n]) : all.length === count ? [all] : [];
}
/** [1, N, hidden] of one layer: given for all layers in one tensor, or one tensor [N, hidden] for each. */
function state(given: readonly Node[], layer: number, count: number, e: Emitter): string {
  const [first] = given;
  if (first!.type.shape.length === 2) return e.add("Unsqueeze", [e.read(given[layer]!), e.ints([0])]);
  const all = e.read(first!);
  return count === 1 ? all : e.add("Slice", [all, e.ints([layer]), e.ints([layer + 1]), e.ints([0])]);
}

/** W [1, gates * hidden, I], R [1, gates * hidden, hidden], B [1, 2 * gates * hidden]. */
function weights(call: LayerCall, cell: Cell, layer: number, e: Emitter): readonly string[] {
  const own = (name: string) => reorder(e.variable(`${call.path === "" ? "" : `${call.path}.`}${name}_l${layer}`), cell, e);
  const first = (name: string) => e.add("Unsqueeze", [name, e.ints([0])]);
  const bias = e.add("Concat", [own("bias_ih"), own("bias_hh")], { axis: 0 });
  return [first(own("weight_ih")), first(own("weight_hh")), first(bias)];
}
function reorder(name: string, { gates }: Cell, e: Emitter): string {
  if (gates.length === 1) return name;
  const parts = e.addMany("Split", [name], gates.length, { axis: 0 });
  return e.add(
    "Concat",
    gates.map((g) => parts[g]!),
    { axis: 0 },
  );
}
