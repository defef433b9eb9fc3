/** Recurrent layers. Those of the language are batch first; a direction backwards reads the flipped sequence. */
import { bool, type Call, call, int, list, value, word } from "../../../decompile/sketch.ts";
import { type Context, emit, emitResults, isKnown, type Operators, operand, operator, optional, type Rule } from "../context.ts";
import { live, permuted, range, reshaped, sliced, tensorTerm, wholeOf } from "../terms.ts";
import { everyElement, type Known, known, type Live, type Operand, pickedAlong, reshapedKnown, unsupported } from "../values.ts";

interface Kind {
  readonly callee: "LSTM" | "GRU" | "RNN";
  /** Which gate of the file is gate i of the layer. */
  readonly gates: readonly number[];
  readonly activations: readonly string[];
}
const lstm: Kind = { callee: "LSTM", gates: [0, 2, 3, 1], activations: ["Sigmoid", "Tanh", "Tanh"] };
const gru: Kind = { callee: "GRU", gates: [1, 0, 2], activations: ["Sigmoid", "Tanh"] };
const rnn: Kind = { callee: "RNN", gates: [0], activations: ["Tanh"] };

/** One direction of a layer: what it is called with beside the sequence. */
interface Direction {
  readonly index: number;
  readonly backward: boolean;
  readonly act: string;
}

const recurrent =
  (kind: Kind): Rule =>
  (c) => {
    refuse(c, kind);
    const batchFirst = c.attributes.int("layout", 0) === 1;
    const given = operand(c, 0);
    const x = live(c, batchFirst ? given : permuted(c, given, [1, 0, 2]));
    const directions = directionsOf(c, kind);
    const results = directions.map((d) => runDirection(c, kind, x, d, batchFirst));
    const [batch, steps, hidden] = results[0]!.sequence.shape as [number, number, number];
    const all = results.map((r) => r.sequence);
    return [
      c.wanted(0) ? sequences(c, all, { steps, batch, hidden, batchFirst }) : null,
      c.wanted(1)
        ? states(
            c,
            results.flatMap((r) => r.h ?? []),
            batchFirst,
          )
        : null,
      c.wanted(2)
        ? states(
            c,
            results.flatMap((r) => r.c ?? []),
            batchFirst,
          )
        : null,
    ];
  };

function refuse(c: Context, { callee }: Kind): void {
  if (c.attributes.has("clip")) unsupported("it clips its gates");
  if (c.attributes.int("input_forget", 0) === 1) unsupported("its input and forget gates are coupled");
  const lengths = optional(c, 4);
  const steps = operand(c, 0).shape[c.attributes.int("layout", 0) === 1 ? 1 : 0]!;
  if (lengths && !(isKnown(lengths) && everyElement(lengths, (v) => v === steps))) unsupported("its sequences differ in length");
  const peepholes = callee === "LSTM" ? optional(c, 7) : null;
  if (peepholes && !(isKnown(peepholes) && everyElement(peepholes, (v) => v === 0))) unsupported("it has peepholes");
}

function directionsOf(c: Context, { callee, activations }: Kind): readonly Direction[] {
  const name = c.attributes.string("direction", "forward");
  const backward = name === "bidirectional" ? [false, true] : name === "reverse" ? [true] : [false];
  const given = c.attributes.strings("activations") ?? backward.flatMap(() => activations);
  return backward.map((back, index) => {
    const own = given.slice(index * activations.length, (index + 1) * activations.length);
    const usual = own.every((a, i) => a.toLowerCase() === activations[i]!.toLowerCase());
    const act =
      callee === "RNN" ? { tanh: "tanh", relu: "relu", sigmoid: "sigmoid" }[own[0]?.toLowerCase() ?? ""] : usual ? "tanh" : undefined;
    return { index, backward: back, act: act ?? unsupported(`its activations are ${own.join(", ")}`) };
  });
}

interface Result {
  /** [batch, steps, hidden], in the order of the sequence. */
  readonly sequence: Live;
  /** [1, batch, hidden] */
  readonly h: Live | null;
  readonly c: Live | null;
}
function runDirection(c: Context, kind: Kind, x: Live, direction: Direction, batchFirst: boolean): Result {
  const { index, backward } = direction;
  const flipped = (v: Live) => (backward ? emit(c, call("flip", [value(v.name), int(1)])) : v);
  const stateful = c.wanted(1) || c.wanted(2);
  const named = [operand(c, 1), operand(c, 2)].map((w) => (isKnown(w) ? w : null));
  const layerCount = /_(\d+)$/.exec(c.node.name)?.[1];
  const suffix = `${layerCount ? `_l${layerCount}` : ""}${index > 0 ? "_reverse" : ""}`;
  const request = {
    call: layerCall(c, kind, flipped(x), direction, batchFirst, stateful),
    weights: weightsOf(c, kind, index),
    named,
    suffix,
  };
  const [sequence, state] = emitResults(c, request, stateful ? 2 : 1);
  const y = flipped(c.recorder.live(sequence!)!);
  if (state === undefined) return { sequence: y, h: null, c: null };
  const part = (i: number) => emit(c, { kind: "index", value: value(state), items: [int(i)] });
  if (kind.callee === "LSTM") return { sequence: y, h: c.wanted(1) ? part(0) : null, c: c.wanted(2) ? part(1) : null };
  return { sequence: y, h: c.recorder.live(state), c: null };
}

function layerCall(c: Context, kind: Kind, x: Live, { index, act }: Direction, batchFirst: boolean, stateful: boolean): Call {
  const initial = [5, 6].slice(0, kind.callee === "LSTM" ? 2 : 1).map((i) => initialState(c, i, index, batchFirst));
  const given = initial.some((v) => v !== null);
  const terms = initial.map((v, i) => tensorTerm(c, v ?? zeroState(c, initial[1 - i]!)));
  const afterwards = kind.callee === "GRU" && c.attributes.int("linear_before_reset", 0) === 0;
  const hidden = operand(c, 2).shape[2]!;
  return call(kind.callee, [value(x.name), int(hidden)], {
    act: act === "tanh" ? undefined : word(act),
    reset_after: afterwards ? bool(false) : undefined,
    initial: given ? (terms.length === 1 ? terms[0]! : list(terms)) : undefined,
    return_state: stateful ? bool(true) : undefined,
  });
}
/** The state of one direction, [1, batch, hidden]; null: zeros. */
function initialState(c: Context, i: number, index: number, batchFirst: boolean): Operand | null {
  const all = optional(c, i);
  if (all === null || (isKnown(all) && everyElement(all, (v) => v === 0))) return null;
  const byDirection = batchFirst ? permuted(c, all, [1, 0, 2]) : all;
  if (byDirection.shape[0] === 1) return byDirection;
  if (isKnown(byDirection)) return pickedAlong(byDirection, 0, [index]);
  return sliced(c, byDirection, [...wholeOf(byDirection.shape)].with(0, { from: index, to: index + 1, step: 1 }));
}
const zeroState = (c: Context, like: Operand | null): Operand =>
  like ? emit(c, call("zeros_like", [tensorTerm(c, like)])) : known("float", [1], [0]);

/** Gates in the order of the layer; a file without biases has zeros. */
function weightsOf(c: Context, kind: Kind, index: number): Readonly<Record<string, Known>> {
  const table = (i: number): Known => {
    const o = operand(c, i);
    return isKnown(o) ? o : unsupported("its weights must not depend on the model's inputs");
  };
  const [w, r] = [table(1), table(2)];
  const hidden = r.shape[2]!;
  const count = kind.gates.length;
  const ordered = (x: Known): Known =>
    pickedAlong(
      x,
      0,
      kind.gates.flatMap((g) => range(hidden).map((i) => g * hidden + i)),
    );
  const own = (x: Known): Known => reshapedKnown(pickedAlong(x, 0, [index]), x.shape.slice(1));
  const given = optional(c, 3);
  const biases = given ? own(table(3)) : known("float", [2 * count * hidden], new Float32Array(2 * count * hidden));
  const half = (i: number): Known =>
    ordered(
      pickedAlong(
        biases,
        0,
        range(count * hidden).map((k) => i * count * hidden + k),
      ),
    );
  return { weight_ih_l0: ordered(own(w)), weight_hh_l0: ordered(own(r)), bias_ih_l0: half(0), bias_hh_l0: half(1) };
}

/* ---- results, as the file has them ------------------------------------------------------------------------------- */

interface Extents {
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  readonly batchFirst: boolean;
}
/** [steps, directions, batch, hidden]; batch first: [batch, steps, directions, hidden]. */
function sequences(c: Context, each: readonly Live[], { steps, batch, hidden, batchFirst }: Extents): Operand {
  const [only] = each;
  const one = each.length === 1 ? only! : emit(c, call("stack", [list(each.map((y) => value(y.name)))], { axis: int(2) }));
  if (batchFirst) return reshaped(c, one, [batch, steps, each.length, hidden]);
  if (each.length === 1) return reshaped(c, permuted(c, one, [1, 0, 2]), [steps, 1, batch, hidden]);
  return permuted(c, one, [1, 2, 0, 3]);
}
/** [directions, batch, hidden]; batch first: [batch, directions, hidden]. */
function states(c: Context, each: readonly Live[], batchFirst: boolean): Operand {
  const all = each.length === 1 ? each[0]! : emit(c, call("concat", [list(each.map((h) => value(h.name)))]));
  return batchFirst ? permuted(c, all, [1, 0, 2]) : all;
}

const attributes = ["hidden_size", "direction", "layout", "clip", "activations", "activation_alpha", "activation_beta"];
export const recurrentOperators: Operators = {
  LSTM: operator(recurrent(lstm), [...attributes, "input_forget"]),
  GRU: operator(recurrent(gru), [...attributes, "linear_before_reset"]),
  RNN: operator(recurrent(rnn), attributes),
};
