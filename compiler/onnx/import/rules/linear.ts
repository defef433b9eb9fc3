/** Products of matrices: `Linear` where the file has the weights. */
import { sameShape } from "../../../../ir/type.ts";
import { binary, bool, call, float, int, type Term, text, value } from "../../../decompile/sketch.ts";
import { type Context, emit, emitLayer, isKnown, type Operators, operand, operator, optional, type Rule } from "../context.ts";
import { cast, live, number, operandTerms, ownedWeight, permuted, plus, reshaped, shortest, tensorTerm, times } from "../terms.ts";
import { broadcastKnown, type Known, mappedKnown, type Operand, permutedKnown, reshapedKnown, unsupported } from "../values.ts";

/** x @ transpose(weight) + bias, `weight` as the layer keeps it: [out, in]. */
function linear(c: Context, x: Operand, weight: Known, bias: Known | null): Operand {
  const named = { bias: bias ? undefined : bool(false) };
  const layer = call("Linear", [tensorTerm(c, x), int(weight.shape[0]!)], named);
  return emitLayer(c, { call: layer, weights: { weight, bias }, named: [weight, bias] });
}
/** A bias that is added along the last axis of a product of this rank, as a vector; null: it is none. */
function vectorBias(b: Operand | null, out: number, rank: number): Known | null {
  if (!isKnown(b) || b.dtype !== "f32" || b.shape.length > rank) return null;
  if (b.data.length === out && (b.shape.at(-1) ?? 1) === out) return reshapedKnown(b, [out]);
  return b.data.length === 1 ? broadcastKnown(reshapedKnown(b, [1]), [out]) : null;
}
const scaledKnown = (x: Known, factor: number): Known => (factor === 1 ? x : mappedKnown(x, (v) => v * factor));

/** alpha * A @ B + beta * C, A and B transposed where it says so. */
const gemm: Rule = (c) => {
  const [a, b, bias] = [operand(c, 0), operand(c, 1), optional(c, 2)];
  const [alpha, beta] = [c.attributes.float("alpha", 1), c.attributes.float("beta", 1)];
  const [transA, transB] = [c.attributes.int("transA", 0) === 1, c.attributes.int("transB", 0) === 1];
  const left = transA ? permuted(c, a, [1, 0]) : a;
  const out = b.shape[transB ? 0 : 1]!;
  const vector = vectorBias(bias, out, 2);
  if (ownedWeight(c, b) && (bias === null || vector)) {
    const weight = transB ? b : permutedKnown(b, [1, 0]);
    return linear(c, left, scaledKnown(weight, alpha), vector && scaledKnown(vector, beta));
  }
  const right = transB ? permuted(c, b, [1, 0]) : b;
  const product = matmul(c, left, right);
  const scaled = alpha === 1 ? product : times(number(alpha), product);
  if (!bias) return emit(c, scaled);
  const added = beta === 1 ? tensorTerm(c, bias) : times(number(beta), tensorTerm(c, bias));
  return emit(c, plus(value(emit(c, scaled).name), added));
};
const matmul = (c: Context, a: Operand, b: Operand): Term => binary("@", tensorTerm(c, a), tensorTerm(c, b));

const matMul: Rule = (c) => {
  const [a, b] = [operand(c, 0), operand(c, 1)];
  if (a.dtype !== "f32") return wholeProduct(c, a, b);
  return isDense(c, a, b) ? linear(c, a, permutedKnown(b, [1, 0]), null) : emit(c, matmul(c, a, b));
};
/** What a layer may take as its weight. */
const isDense = (c: Context, a: Operand, b: Operand): b is Known => ownedWeight(c, b) && b.shape.length === 2 && !isKnown(a);
/** A product and the addition of a table that follows it. */
const matMulAdd: Rule = (c) => {
  const [a, b, bias] = [operand(c, 0), operand(c, 1), operand(c, 2)];
  const vector = isDense(c, a, b) && a.shape.length > 1 ? vectorBias(bias, b.shape[1]!, a.shape.length) : null;
  if (vector) return linear(c, a, permutedKnown(b as Known, [1, 0]), vector);
  const [x, y] = operandTerms(c, [matMul(c) as Operand, bias]);
  return emit(c, plus(x!, y!));
};
/** The product of integers: a sum of products, exact. */
function wholeProduct(c: Context, a: Operand, b: Operand): Operand {
  if (a.shape.length < 2 || b.shape.length < 2) return unsupported("it multiplies vectors of integers");
  const [x, y] = [live(c, cast(c, a, "i32")), live(c, cast(c, b, "i32"))];
  const rows = reshaped(c, x, [...x.shape, 1]);
  const columns = reshaped(c, y, [...y.shape.slice(0, -2), 1, ...y.shape.slice(-2)]);
  return emit(c, call("sum", [times(tensorTerm(c, rows), tensorTerm(c, columns))], { axis: int(-2) }));
}

/** Letters for `...`, and the result where it is not said: letters that stand once, in alphabetical order. */
function explicitEquation(equation: string, operands: readonly Operand[]): string {
  const [left, right] = equation.replace(/\s/g, "").split("->");
  const inputs = left!.split(",");
  const free = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].filter((l) => !equation.includes(l));
  const dots = inputs.map((t, i) => (t.includes("...") ? (operands[i]?.shape.length ?? 0) - (t.length - 3) : 0));
  const most = free.slice(0, Math.max(0, ...dots));
  const spelled = inputs.map((t, i) => t.replace("...", most.slice(most.length - dots[i]!).join("")));
  const letters = [...spelled.join("")];
  const once = letters.filter((l) => !most.includes(l) && letters.indexOf(l) === letters.lastIndexOf(l)).sort();
  const result = right === undefined ? [...most, ...once].join("") : right.replace("...", most.join(""));
  return `${spelled.join(",")}->${result}`;
}
const einsum: Rule = (c) => {
  const operands = c.inputs.flatMap((o) => o ?? []);
  const equation = explicitEquation(c.attributes.string("equation", ""), operands);
  const [inputs] = equation.split("->");
  if (inputs!.split(",").some((t) => new Set(t).size !== t.length)) return unsupported(`the equation "${equation}" takes a diagonal`);
  return emit(c, call("einsum", [text(equation), ...operands.map((o) => tensorTerm(c, o))]));
};

/** One slope, or one for each channel. */
const prelu: Rule = (c) => {
  const [x, slope] = [live(c, operand(c, 0)), operand(c, 1)];
  const channels = x.shape[1] ?? 1;
  const perChannel =
    sameShape(slope.shape, [channels, ...x.shape.slice(2).map(() => 1)]) || (c.opset < 7 && sameShape(slope.shape, [channels]));
  if (ownedWeight(c, slope) && x.shape.length > 1 && (perChannel || slope.data.length === 1)) {
    const weight = reshapedKnown(slope, [slope.data.length]);
    const layer = call("PReLU", [value(x.name), ...(slope.data.length === 1 ? [] : [int(channels)])]);
    return emitLayer(c, { call: layer, weights: { weight }, named: [slope] });
  }
  const factor = isKnown(slope) && slope.data.length === 1 ? float(shortest(slope.data[0]!)) : tensorTerm(c, slope);
  const zero = x.dtype === "f32" ? float(0) : int(0);
  return emit(c, call("where", [binary(">", value(x.name), zero), value(x.name), times(value(x.name), factor)]));
};

export const linearOperators: Operators = {
  Gemm: operator(gemm, ["alpha", "beta", "transA", "transB", "broadcast"], { wraps: true }),
  MatMul: operator(matMul, [], { wraps: true }),
  Einsum: operator(einsum, ["equation"], { wraps: true }),
  PRelu: operator(prelu),
};
export const recoveredProducts: Operators = { Linear: operator(matMulAdd, [], { wraps: true }) };
