/** Operators on single elements. */
import { type DType, sizeOf } from "../../../../ir/type.ts";
import { type BinaryOperator, binary, call, float, int, type Term, unary } from "../../../decompile/sketch.ts";
import { axisIn, type Context, emit, isKnown, operand, optional, type Rule } from "../context.ts";
import { cast, numberTerm, operandTerms, reshaped, shortest, tensorTerm, widened } from "../terms.ts";
import { everyElement, known, type Operand, unsupported } from "../values.ts";

/* ---- one operand ------------------------------------------------------------------------------------------------- */

const of1 = (f: (x: Term, c: Context) => Term): Rule => {
  return (c) => emit(c, f(tensorTerm(c, operand(c, 0)), c));
};
const named = (callee: string): Rule => of1((x) => call(callee, [x]));
const one = float(1);
const half = float(0.5);
export const number = (v: number): Term => float(shortest(v));
/** A literal that an attribute gives, left out where it is what the function takes anyway. */
const unless = (usual: number, v: number): Term | undefined => (shortest(v) === shortest(usual) ? undefined : number(v));
export const times = (a: Term, b: Term) => binary("*", a, b);
export const plus = (a: Term, b: Term) => binary("+", a, b);
const exp = (x: Term) => call("exp", [x]);
const log = (x: Term) => call("log", [x]);

/** Integers stay as they are. */
const rounding =
  (callee: string): Rule =>
  (c) => {
    const x = operand(c, 0);
    return x.dtype === "f32" ? emit(c, call(callee, [tensorTerm(c, x)])) : x;
  };
const relu: Rule = (c) => {
  const x = operand(c, 0);
  return emit(c, x.dtype === "f32" ? call("relu", [tensorTerm(c, x)]) : call("maximum", [tensorTerm(c, x), int(0)]));
};
const selu = of1((x, { attributes }) => {
  const [alpha, gamma] = [attributes.float("alpha", 1.6732632423543772), attributes.float("gamma", 1.0507009873554805)];
  if (unless(1.6732632423543772, alpha) === undefined && unless(1.0507009873554805, gamma) === undefined) return call("selu", [x]);
  return times(number(gamma), call("elu", [x], { alpha: number(alpha) }));
});
const celu = of1((x, { attributes }) => {
  const alpha = attributes.float("alpha", 1);
  return alpha === 1 ? call("elu", [x]) : times(number(alpha), call("elu", [binary("/", x, number(alpha))]));
});
const hardSigmoid = of1((x, { attributes }) => {
  const [alpha, beta] = [attributes.float("alpha", 0.2), attributes.float("beta", 0.5)];
  if (Math.abs(alpha - 1 / 6) < 1e-6 && beta === 0.5) return call("hard_sigmoid", [x]);
  return call("clamp", [plus(times(x, number(alpha)), number(beta)), float(0), one]);
});
const shrink = of1((x, { attributes }) => {
  const [lambda, bias] = [number(attributes.float("lambd", 0.5)), attributes.float("bias", 0)];
  const outside = (t: Term) => (bias === 0 ? x : t);
  const above = call("where", [binary(">", x, lambda), outside(binary("-", x, number(bias))), float(0)]);
  return call("where", [binary("<", x, unary("-", lambda)), outside(plus(x, number(bias))), above]);
});
const swish = of1((x, { attributes }) => {
  const alpha = attributes.float("alpha", 1);
  return alpha === 1 ? call("silu", [x]) : times(x, call("sigmoid", [times(x, number(alpha))]));
});
const isInf = of1((x, { attributes }) => {
  const [negative, positive] = [attributes.int("detect_negative", 1), attributes.int("detect_positive", 1)];
  const inf = float(Number.POSITIVE_INFINITY);
  if (negative && positive) return binary("==", call("abs", [x]), inf);
  if (negative) return binary("==", x, unary("-", inf));
  return positive ? binary("==", x, inf) : binary("<", x, x);
});
const gelu = of1((x, { attributes }) => {
  const approximate = attributes.string("approximate", "none");
  if (approximate !== "none" && approximate !== "tanh") return unsupported(`the approximation "${approximate}" is not known`);
  return call("gelu", [x], { approximate: approximate === "tanh" ? { kind: "string", value: "tanh" } : undefined });
});
const square = (x: Term) => times(x, x);

const unaryRules: Readonly<Record<string, Rule>> = {
  Relu: relu,
  Floor: rounding("floor"),
  Ceil: rounding("ceil"),
  Round: rounding("round"),
  Abs: named("abs"),
  Sign: named("sign"),
  Exp: named("exp"),
  Log: named("log"),
  Sqrt: named("sqrt"),
  Sin: named("sin"),
  Cos: named("cos"),
  Tanh: named("tanh"),
  Erf: named("erf"),
  Sigmoid: named("sigmoid"),
  Softplus: named("softplus"),
  Softsign: named("softsign"),
  HardSwish: named("hard_swish"),
  Neg: of1((x) => unary("-", x)),
  Not: of1((x) => unary("!", x)),
  Reciprocal: of1((x) => binary("/", one, x)),
  Tan: of1((x) => binary("/", call("sin", [x]), call("cos", [x]))),
  Sinh: of1((x) => times(half, binary("-", exp(x), exp(unary("-", x))))),
  Cosh: of1((x) => times(half, plus(exp(x), exp(unary("-", x))))),
  // by |x|, so that nothing cancels for large negative x
  Asinh: of1((x) => times(call("sign", [x]), log(plus(call("abs", [x]), call("sqrt", [plus(square(x), one)]))))),
  Acosh: of1((x) => log(plus(x, call("sqrt", [binary("-", square(x), one)])))),
  Atanh: of1((x) => times(half, log(binary("/", plus(one, x), binary("-", one, x))))),
  Mish: of1((x) => times(x, call("tanh", [call("softplus", [x])]))),
  LeakyRelu: of1((x, c) => call("leaky_relu", [x], { slope: unless(0.01, c.attributes.float("alpha", 0.01)) })),
  Elu: of1((x, c) => call("elu", [x], { alpha: unless(1, c.attributes.float("alpha", 1)) })),
  ThresholdedRelu: of1((x, c) => call("where", [binary(">", x, number(c.attributes.float("alpha", 1))), x, float(0)])),
  Selu: selu,
  Celu: celu,
  HardSigmoid: hardSigmoid,
  Shrink: shrink,
  Swish: swish,
  Gelu: gelu,
  IsNaN: of1((x) => binary("!=", x, x)),
  IsInf: isInf,
  Identity: (c) => operand(c, 0),
};

/* ---- two and more operands --------------------------------------------------------------------------------------- */

/** Before version 7 the second operand had to ask for broadcasting, and said at which axis it begins. */
function aligned(c: Context): readonly [Operand, Operand] {
  const [a, b] = [operand(c, 0), operand(c, 1)];
  if (c.opset >= 7) return [a, b];
  const axis = c.attributes.int("axis", -1);
  if (!c.attributes.int("broadcast", 0) || axis < 0) return [a, b];
  const behind = a.shape.length - axisIn(axis, a.shape.length) - b.shape.length;
  return [a, behind > 0 ? reshaped(c, b, [...b.shape, ...Array.from({ length: behind }, () => 1)]) : b];
}
/** `f` of operands that broadcast; bytes as integers, whose result is a byte again. */
export function broadcasting(c: Context, operands: readonly Operand[], f: (terms: readonly Term[]) => Term): Operand {
  const wide = operands.map((o) => widened(c, o));
  const result = emit(c, f(operandTerms(c, wide)));
  return operands[0]!.dtype === "u8" && result.dtype === "i32" ? cast(c, result, "u8") : result;
}
const operator =
  (op: BinaryOperator): Rule =>
  (c) =>
    broadcasting(c, aligned(c), ([a, b]) => binary(op, a!, b!));

/** Of integers, towards zero. */
const div: Rule = (c) => {
  const [a, b] = aligned(c);
  if (a.dtype === "f32") return broadcasting(c, [a, b], ([x, y]) => binary("/", x!, y!));
  if (a.dtype === "u8") return broadcasting(c, [a, b], ([x, y]) => binary("//", x!, y!));
  const positive = isKnown(b) && everyElement(b, (v) => v > 0);
  return broadcasting(c, [a, b], ([x, y]) => {
    const size = binary("//", call("abs", [x!]), positive ? y! : call("abs", [y!]));
    return times(positive ? call("sign", [x!]) : times(call("sign", [x!]), call("sign", [y!])), size);
  });
};
const mod: Rule = (c) => {
  const operands = [operand(c, 0), operand(c, 1)];
  const ofDividend = c.attributes.int("fmod", 0) === 1;
  return broadcasting(c, operands, ([x, y]) =>
    ofDividend ? times(call("sign", [x!]), binary("%", call("abs", [x!]), call("abs", [y!]))) : binary("%", x!, y!),
  );
};

/** The base decides about the type. Whole exponents are written as such: they are products. */
const pow: Rule = (c) => {
  const [a, b] = aligned(c);
  const exponent = isKnown(b) && b.data.length === 1 && b.shape.length <= a.shape.length ? b.data[0]! : null;
  const whole = exponent !== null && Number.isInteger(exponent) && Math.abs(exponent) <= 16 ? exponent : null;
  if (whole !== null && (a.dtype === "f32" || whole > 0)) return broadcasting(c, [a], ([x]) => binary("**", x!, int(whole)));
  const floats = [cast(c, a, "f32"), cast(c, b, "f32")];
  const y = broadcasting(c, floats, ([x, e]) => binary("**", x!, e!));
  return a.dtype === "f32" ? y : cast(c, emit(c, call("round", [tensorTerm(c, y)])), a.dtype);
};

/** Any number of operands, two at a time. */
const folded =
  (f: (a: Term, b: Term) => Term): Rule =>
  (c) => {
    const operands = c.inputs.flatMap((o) => o ?? []);
    return operands
      .slice(1)
      .reduce<Operand>((a, b) => broadcasting(c, [a, b], ([x, y]) => f(x!, y!)), operands[0] ?? unsupported("it has no operands"));
  };
const sum = folded(plus);
const mean: Rule = (c) => {
  const total = sum(c) as Operand;
  const count = c.inputs.length;
  return count === 1 ? total : emit(c, binary("/", tensorTerm(c, total), float(count)));
};

const where: Rule = (c) => {
  const [cond, a, b] = [operand(c, 0), operand(c, 1), operand(c, 2)];
  if (isKnown(cond) && !c.folding) return chosen(c, cond, a, b);
  return emit(c, whereTerm(c, cond, a, b));
};
/** A condition that is the same everywhere chooses while importing. */
function chosen(c: Context, cond: Operand & { kind: "known" }, a: Operand, b: Operand): Operand {
  const y = everyElement(cond, (v) => v !== 0) ? a : everyElement(cond, (v) => v === 0) ? b : null;
  const shape = [cond, a, b].reduce((n, o) => Math.max(n, o.shape.length), 0);
  const covers =
    y &&
    y.shape.length === shape &&
    [cond, a, b].every((o) => o.shape.every((d, i) => d === 1 || d === y.shape[i + shape - o.shape.length]));
  return covers ? y : emit(c, whereTerm(c, cond, a, b));
}
function whereTerm(c: Context, cond: Operand, a: Operand, b: Operand): Term {
  if (!isKnown(a) || !isKnown(b) || c.folding) {
    const [k, x, y] = operandTerms(c, [cond, a, b]);
    return call("where", [isKnown(cond) ? tensorTerm(c, cond) : k!, x!, y!]);
  }
  const [, x] = operandTerms(c, [cond, a]);
  const [, y] = operandTerms(c, [cond, b]);
  return call("where", [tensorTerm(c, cond), x!, y!]);
}

/** Bounds were attributes until version 11. */
const clip: Rule = (c) => {
  const x = widened(c, operand(c, 0));
  const bound = (i: number, name: string): Operand | null => {
    if (c.opset >= 11) return optional(c, i);
    const v = c.attributes.has(name) ? c.attributes.float(name, 0) : null;
    return v === null || Math.abs(v) >= 3.4e38 ? null : known("f32", [], [v]);
  };
  const [low, high] = [bound(1, "min"), bound(2, "max")];
  if (!low && !high) return operand(c, 0);
  if (isConstant(low, 0) && isConstant(high, 6) && x.dtype === "f32") return emit(c, call("relu6", [tensorTerm(c, x)]));
  const term = (o: Operand | null): Term | undefined => (o ? boundTerm(c, widened(c, o), x.dtype) : undefined);
  const [from, to] = [term(low), term(high)];
  const y = emit(c, from ? call("clamp", [tensorTerm(c, x), from, ...(to ? [to] : [])]) : call("clamp", [tensorTerm(c, x)], { high: to }));
  return operand(c, 0).dtype === "u8" ? cast(c, y, "u8") : y;
};
const isConstant = (o: Operand | null, v: number): boolean => isKnown(o) && o.data.length === 1 && o.data[0] === v;
const boundTerm = (c: Context, o: Operand, dtype: DType): Term =>
  (isKnown(o) && o.data.length === 1 ? numberTerm(o.data[0]!, dtype) : null) ?? tensorTerm(c, o);

/** Bools compare as numbers do. */
const compared =
  (op: BinaryOperator): Rule =>
  (c) => {
    const [a, b] = aligned(c);
    const [x, y] = operandTerms(c, [a, b]);
    return emit(c, binary(op, x!, y!));
  };

/** In prediction a dropout does nothing; its mask is true everywhere. */
const dropout: Rule = (c) => {
  const [ratio, training] = [optional(c, 1), optional(c, 2)];
  const off = training === null || (isKnown(training) && training.data[0] === 0) || (isKnown(ratio) && ratio.data[0] === 0);
  c.attributes.float("ratio", 0.5);
  c.attributes.int("seed", 0);
  if (!off) return unsupported("it drops elements although the model does not train");
  const x = operand(c, 0);
  const mask = (): Operand => known("bool", x.shape, new Uint8Array(sizeOf(x.shape)).fill(1));
  return [x, c.wanted(1) ? mask() : null];
};

export const elementwiseRules: Readonly<Record<string, Rule>> = {
  ...unaryRules,
  Add: operator("+"),
  Sub: operator("-"),
  Mul: operator("*"),
  Div: div,
  Mod: mod,
  Pow: pow,
  Sum: sum,
  Mean: mean,
  Max: folded((a, b) => call("maximum", [a, b])),
  Min: folded((a, b) => call("minimum", [a, b])),
  Equal: compared("=="),
  Greater: compared(">"),
  GreaterOrEqual: compared(">="),
  Less: compared("<"),
  LessOrEqual: compared("<="),
  And: compared("&&"),
  Or: compared("||"),
  Xor: compared("!="),
  Where: where,
  Clip: clip,
  Dropout: dropout,
};
