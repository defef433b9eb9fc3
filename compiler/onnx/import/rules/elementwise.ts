/** Operators on single elements. */
import { type DType, sizeOf } from "../../../../ir/type.ts";
import { type BinaryOperator, binary, call, float, int, type Term, unary } from "../../../decompile/sketch.ts";
import {
  axisIn,
  type Context,
  emit,
  floatOperand,
  isKnown,
  type Operator,
  type Operators,
  operand,
  operator,
  optional,
  type Rule,
} from "../context.ts";
import { asFloats, cast, number, numberTerm, operandTerms, plus, reshaped, shortest, tensorTerm, times, widened } from "../terms.ts";
import { everyElement, known, misfit, type Operand, unsupported } from "../values.ts";

/* ---- one operand ------------------------------------------------------------------------------------------------- */

const of1 = (f: (x: Term, c: Context) => Term): Rule => {
  return (c) => emit(c, f(tensorTerm(c, operand(c, 0)), c));
};
const named = (callee: string): Rule => of1((x) => call(callee, [x]));
/** Of bytes as integers. */
const wide =
  (callee: string): Rule =>
  (c) =>
    emit(c, call(callee, [tensorTerm(c, widened(c, operand(c, 0)))]));
const one = float(1);
const half = float(0.5);
/** A literal that an attribute gives, left out where it is what the function takes anyway. */
const unless = (usual: number, v: number): Term | undefined => (shortest(v) === shortest(usual) ? undefined : number(v));
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

/** A polynomial of odd powers near 0, where the formula for the rest would cancel. */
const oddNear0 = (x: Term, coefficients: readonly number[], elsewhere: Term): Term => {
  const series = coefficients
    .toReversed()
    .reduce<Term | null>((sum, k) => (sum ? plus(number(k), times(square(x), sum)) : number(k)), null);
  return call("where", [binary("<", call("abs", [x]), float(0.1)), times(x, series ?? one), elsewhere]);
};
const asinh = (x: Term): Term => {
  // by |x|, so that nothing cancels for large negative x
  const far = times(call("sign", [x]), log(plus(call("abs", [x]), call("sqrt", [plus(square(x), one)]))));
  return oddNear0(x, [1, -1 / 6, 3 / 40, -15 / 336], far);
};
const atanh = (x: Term): Term => oddNear0(x, [1, 1 / 3, 1 / 5, 1 / 7], times(half, log(binary("/", plus(one, x), binary("-", one, x)))));

const unaryOperators: Operators = {
  Relu: operator(relu),
  Floor: operator(rounding("floor")),
  Ceil: operator(rounding("ceil")),
  Round: operator(rounding("round")),
  Abs: operator(wide("abs"), [], { wraps: true }),
  Sign: operator(wide("sign")),
  Exp: operator(named("exp")),
  Log: operator(named("log")),
  Sqrt: operator(named("sqrt")),
  Sin: operator(named("sin")),
  Cos: operator(named("cos")),
  Tanh: operator(named("tanh")),
  Erf: operator(named("erf")),
  Sigmoid: operator(named("sigmoid")),
  Softplus: operator(named("softplus")),
  Softsign: operator(named("softsign")),
  HardSwish: operator(named("hard_swish")),
  Neg: operator(
    of1((x) => unary("-", x)),
    [],
    { wraps: true },
  ),
  Not: operator(of1((x) => unary("!", x))),
  Reciprocal: operator(of1((x) => binary("/", one, x))),
  Tan: operator(of1((x) => binary("/", call("sin", [x]), call("cos", [x])))),
  // tanh is exact near 0, where a difference of powers cancels
  Sinh: operator(of1((x) => times(call("tanh", [x]), times(half, plus(exp(x), exp(unary("-", x))))))),
  Cosh: operator(of1((x) => times(half, plus(exp(x), exp(unary("-", x)))))),
  Asinh: operator(of1(asinh)),
  Acosh: operator(of1((x) => log(plus(x, call("sqrt", [binary("-", square(x), one)]))))),
  Atanh: operator(of1(atanh)),
  Mish: operator(of1((x) => times(x, call("tanh", [call("softplus", [x])])))),
  LeakyRelu: operator(
    of1((x, c) => call("leaky_relu", [x], { slope: unless(0.01, c.attributes.float("alpha", 0.01)) })),
    ["alpha"],
  ),
  Elu: operator(
    of1((x, c) => call("elu", [x], { alpha: unless(1, c.attributes.float("alpha", 1)) })),
    ["alpha"],
  ),
  ThresholdedRelu: operator(
    of1((x, c) => call("where", [binary(">", x, number(c.attributes.float("alpha", 1))), x, float(0)])),
    ["alpha"],
  ),
  Selu: operator(selu, ["alpha", "gamma"]),
  Celu: operator(celu, ["alpha"]),
  HardSigmoid: operator(hardSigmoid, ["alpha", "beta"]),
  Shrink: operator(shrink, ["lambd", "bias"]),
  Swish: operator(swish, ["alpha"]),
  Gelu: operator(gelu, ["approximate"]),
  IsNaN: operator(of1((x) => binary("!=", x, x))),
  IsInf: operator(isInf, ["detect_negative", "detect_positive"]),
  Identity: operator((c) => operand(c, 0)),
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
/** `f` of operands that broadcast, bytes as integers. */
const broadcasting = (c: Context, operands: readonly Operand[], f: (terms: readonly Term[]) => Term): Operand =>
  emit(
    c,
    f(
      operandTerms(
        c,
        operands.map((o) => widened(c, o)),
      ),
    ),
  );
const paired =
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
  const [a, b] = [operand(c, 0), operand(c, 1)];
  const ofDividend = c.attributes.int("fmod", 0) === 1;
  const finite = a.dtype !== "f32" || (isKnown(b) && everyElement(b, Number.isFinite));
  return broadcasting(c, [a, b], ([x, y]) => {
    if (!ofDividend) return binary("%", x!, y!);
    const rest = times(call("sign", [x!]), binary("%", call("abs", [x!]), call("abs", [y!])));
    if (finite) return rest;
    const whole = binary("&&", binary("==", call("abs", [y!]), infinite), binary("<", call("abs", [x!]), infinite));
    return call("where", [whole, x!, rest]);
  });
};
const infinite = float(Number.POSITIVE_INFINITY);

/** The base decides about the type. Whole exponents are written as such: they are products. */
const pow: Rule = (c) => {
  const [a, b] = aligned(c);
  const exponent = isKnown(b) && b.data.length === 1 && b.shape.length <= a.shape.length ? b.data[0]! : null;
  const whole = exponent !== null && Number.isInteger(exponent) ? exponent : null;
  if (a.dtype === "f32") {
    if (whole !== null && Math.abs(whole) <= mostFactors) return broadcasting(c, [a], ([x]) => binary("**", x!, int(whole)));
    return broadcasting(c, [a, asFloats(c, b)], ([x, e]) => binary("**", x!, e!));
  }
  if (whole !== null && whole > 0 && whole < mostFactors ** 2) return broadcasting(c, [a], ([x]) => wholePower(x!, whole));
  if (!c.folding) return unsupported("it raises integers to a power that is not one known whole number above 0");
  return cast(
    c,
    broadcasting(c, [cast(c, a, "f32"), cast(c, b, "f32")], ([x, e]) => binary("**", x!, e!)),
    "i32",
  );
};
/** Largest exponent that the language takes of integers. */
const mostFactors = 16;
function wholePower(x: Term, exponent: number): Term {
  if (exponent <= mostFactors) return binary("**", x, int(exponent));
  const high = binary("**", binary("**", x, int(mostFactors)), int(Math.floor(exponent / mostFactors)));
  const rest = exponent % mostFactors;
  return rest === 0 ? high : times(high, binary("**", x, int(rest)));
}

/** Any number of operands, two at a time. */
const folded =
  (f: (a: Term, b: Term) => Term): Rule =>
  (c) => {
    const operands = c.inputs.flatMap((o) => o ?? []);
    return operands
      .slice(1)
      .reduce<Operand>((a, b) => broadcasting(c, [a, b], ([x, y]) => f(x!, y!)), operands[0] ?? misfit("it has no operands"));
  };
/** NaN wins, which our functions take from their first operand alone. */
const extreme =
  (callee: "maximum" | "minimum"): Rule =>
  (c) => {
    const operands = c.inputs.flatMap((o) => o ?? []);
    return operands.slice(1).reduce<Operand>((a, b) => extremeOfTwo(c, callee, a, b), operands[0] ?? misfit("it has no operands"));
  };
function extremeOfTwo(c: Context, callee: string, a: Operand, b: Operand): Operand {
  const isNumber = (o: Operand) => o.dtype !== "f32" || (isKnown(o) && everyElement(o, (v) => !Number.isNaN(v)));
  if (isNumber(b)) return broadcasting(c, [a, b], ([x, y]) => call(callee, [x!, y!]));
  if (isNumber(a)) return broadcasting(c, [b, a], ([x, y]) => call(callee, [x!, y!]));
  return broadcasting(c, [a, b], ([x, y]) => call("where", [binary("!=", y!, y!), y!, call(callee, [x!, y!])]));
}
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
    return v === null || Math.abs(v) >= 3.4e38 ? null : known("float", [], [v]);
  };
  const [low, high] = [bound(1, "min"), bound(2, "max")];
  if (!low && !high) return operand(c, 0);
  if (isConstant(low, 0) && isConstant(high, 6) && x.dtype === "f32") return emit(c, call("relu6", [tensorTerm(c, x)]));
  const term = (o: Operand | null): Term | undefined => (o ? boundTerm(c, widened(c, o), x.dtype) : undefined);
  const [from, to] = [term(low), term(high)];
  return emit(c, from ? call("clamp", [tensorTerm(c, x), from, ...(to ? [to] : [])]) : call("clamp", [tensorTerm(c, x)], { high: to }));
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
  const x = operand(c, 0);
  const ratio = trains(c) ? ratioOf(c) : 0;
  if (ratio !== 0) {
    if (c.wanted(1)) return unsupported("its mask is used while it drops elements");
    c.warn("the model was exported for training: it drops elements in `dlm train`, and none in prediction");
    return emit(c, call("dropout", [tensorTerm(c, x), number(ratio)]));
  }
  const mask = (): Operand => known("bool", x.shape, new Uint8Array(sizeOf(x.shape)).fill(1));
  return [x, c.wanted(1) ? mask() : null];
};
const ratioOf = (c: Context): number => (c.opset < 12 ? c.attributes.float("ratio", 0.5) : (floatOperand(c, 1, "its ratio") ?? 0.5));
function trains(c: Context): boolean {
  if (c.opset < 7) return c.attributes.int("is_test", 0) === 0;
  return c.opset >= 12 && (floatOperand(c, 2, "whether it trains") ?? 0) !== 0;
}

const old = ["axis", "broadcast"];
/** Arithmetic, whose integers wrap. */
const arithmetic = (rule: Rule, attributes: readonly string[] = old): Operator => operator(rule, attributes, { wraps: true });

export const elementwiseOperators: Operators = {
  ...unaryOperators,
  Add: arithmetic(paired("+")),
  Sub: arithmetic(paired("-")),
  Mul: arithmetic(paired("*")),
  Div: arithmetic(div),
  Mod: operator(mod, ["fmod"]),
  Pow: arithmetic(pow),
  Sum: arithmetic(sum, []),
  Mean: operator(mean),
  Max: operator(extreme("maximum")),
  Min: operator(extreme("minimum")),
  Equal: operator(compared("=="), old),
  Greater: operator(compared(">"), old),
  GreaterOrEqual: operator(compared(">=")),
  Less: operator(compared("<"), old),
  LessOrEqual: operator(compared("<=")),
  And: operator(compared("&&"), old),
  Or: operator(compared("||"), old),
  Xor: operator(compared("!="), old),
  Where: operator(where, [], { results: [1] }),
  Clip: operator(clip, ["min", "max"]),
  Dropout: operator(dropout, ["ratio", "seed", "is_test"], { results: [0, "bool"], folds: false }),
};
