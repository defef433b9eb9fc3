/** Operations of the graph IR in operators of ONNX, one rule each: what is exported of everything that has no rule as a layer. */
import { fail } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import { type Shape, sizeOf } from "../../../ir/type.ts";
import { convolution, inputGradient, weightGradient } from "./convolution.ts";
import { type Emitter, onnxTypeOf } from "./emitter.ts";
import { averagePool, averagePoolGradient, maxPool, maxPoolGradient, maxPoolIndex } from "./pooling.ts";

/** Emits a node whose operands are `inputs`; gives the name of its value. */
export type Primitive = (node: Node, inputs: readonly string[], e: Emitter) => string;

const same =
  (opType: string): Primitive =>
  (_, inputs, e) =>
    e.add(opType, inputs);
/** In float arithmetic `opType`, in integers something else. */
const byType =
  (float: Primitive, integer: Primitive): Primitive =>
  (node, inputs, e) =>
    (node.inputs[0]!.type.dtype === "f32" ? float : integer)(node, inputs, e);
const scalar = (node: Node, value: number, e: Emitter): string => e.constant(onnxTypeOf[node.inputs[0]!.type.dtype], [], [value]);

const isNonZero = (n: Node): boolean => n.op === ops.full && n.attrs.value !== 0;

/** ONNX truncates and traps: floor((a - a mod b) / b), 0 where b is 0. */
const floorDivide: Primitive = (node, [a, b], e) => {
  if (isNonZero(node.inputs[1]!)) return e.add("Div", [e.add("Sub", [a!, e.add("Mod", [a!, b!])]), b!]);
  const zero = scalar(node, 0, e);
  const isZero = e.add("Equal", [b!, zero]);
  const divisor = e.add("Where", [isZero, scalar(node, 1, e), b!]);
  const exact = e.add("Sub", [a!, e.add("Mod", [a!, divisor])]);
  return e.add("Where", [isZero, zero, e.add("Div", [exact, divisor])]);
};
const floorModulo: Primitive = (node, [a, b], e) => {
  if (isNonZero(node.inputs[1]!)) return e.add("Mod", [a!, b!]);
  const zero = scalar(node, 0, e);
  const isZero = e.add("Equal", [b!, zero]);
  return e.add("Where", [isZero, zero, e.add("Mod", [a!, e.add("Where", [isZero, scalar(node, 1, e), b!])])]);
};
/** ONNX has it for integers only: a - floor(a / b) * b. */
const floatModulo: Primitive = (_, [a, b], e) => e.add("Sub", [a!, e.add("Mul", [e.add("Floor", [e.add("Div", [a!, b!])]), b!])]);

/** A float that becomes an integer saturates, and NaN becomes 0: ONNX leaves both open. */
const cast: Primitive = (node, [x], e) => {
  const [from, to] = [node.inputs[0]!.type.dtype, node.type.dtype];
  if (from === to) return x!;
  if (from !== "f32" || to === "bool") return e.add("Cast", [x!], { to: typeCodes[to] });
  const float = (v: number): string => e.constant("float", [], [v]);
  const number = e.add("Where", [e.add("IsNaN", [x!]), float(0), x!]);
  const [low, high] = to === "u8" ? [0, 255] : [-(2 ** 31), largestBelow];
  const whole = e.add("Cast", [e.add("Clip", [number, float(low), float(high)])], { to: typeCodes[to] });
  return to === "u8" ? whole : e.add("Where", [e.add("Greater", [x!, float(high)]), e.constant("int32", [], [2 ** 31 - 1]), whole]);
};
/** The largest single that is an i32. */
const largestBelow = 2147483520;
/** TensorProto.DataType. */
const typeCodes = { f32: 1, u8: 2, i32: 6, bool: 9 } as const;

/** Of a NaN as the second operand ours gives the first, ONNX's NaN. */
const extreme =
  (ofBools: "And" | "Or", opType: "Min" | "Max", wins: "Less" | "Greater"): Primitive =>
  (node, [a, b], e) => {
    const { dtype } = node.type;
    if (dtype === "bool") return e.add(ofBools, [a!, b!]);
    const [, second] = node.inputs as readonly [Node, Node];
    if (dtype !== "f32" || isConstant(second)) return e.add(opType, [a!, b!]);
    return e.add("Where", [e.add(wins, [a!, b!]), b!, a!]);
  };
const isConstant = ({ op, inputs }: Node): boolean =>
  op === ops.full || op === ops.dense || (op === ops.broadcast && isConstant(inputs[0]!));
/** Runtimes choose between numbers only. */
const where: Primitive = (node, [cond, a, b], e) =>
  node.type.dtype === "bool"
    ? e.add("Or", [e.add("And", [cond!, a!]), e.add("And", [e.add("Not", [cond!]), b!])])
    : e.add("Where", [cond!, a!, b!]);
/** ONNX compares bools only for equality. */
const compared =
  (opType: string): Primitive =>
  (node, inputs, e) =>
    e.add(
      opType,
      node.inputs[0]!.type.dtype === "bool" && opType !== "Equal" ? inputs.map((x) => e.add("Cast", [x], { to: typeCodes.i32 })) : inputs,
    );

interface ReduceAttrs {
  readonly axes: readonly number[];
  readonly keepdims: boolean;
}
const reduceAttrs = (node: Node) => node.attrs as unknown as ReduceAttrs;
/** Bools as integers: `any` is the largest, `all` the smallest. */
const reduce =
  (opType: string): Primitive =>
  (node, [x], e) => {
    const { axes, keepdims } = reduceAttrs(node);
    const { dtype } = node.inputs[0]!.type;
    const numbers = dtype === "bool" ? e.add("Cast", [x!], { to: typeCodes.i32 }) : x!;
    const y = e.add(opType, [numbers], { axes, keepdims: keepdims ? 1 : 0 });
    return dtype === "bool" ? e.add("Cast", [y], { to: typeCodes.bool }) : y;
  };
const reduceSum: Primitive = (node, [x], e) => {
  const { axes, keepdims } = reduceAttrs(node);
  return e.add("ReduceSum", [x!, e.ints(axes)], { keepdims: keepdims ? 1 : 0 });
};
const argReduce =
  (opType: string): Primitive =>
  (node, [x], e) => {
    const found = e.add(opType, [x!], { axis: Number(node.attrs.axis), keepdims: node.attrs.keepdims ? 1 : 0 });
    return e.add("Cast", [found], { to: typeCodes.i32 });
  };

const reshape: Primitive = (node, [x], e) => e.add("Reshape", [x!, e.ints(node.type.shape)]);
const expand = (x: string, shape: Shape, e: Emitter): string => e.add("Expand", [x, e.ints(shape)]);
const pad: Primitive = (node, [x], e) => {
  const { before, after, value } = node.attrs as unknown as { before: readonly number[]; after: readonly number[]; value: number };
  return e.add("Pad", [x!, e.ints([...before, ...after]), e.constant(onnxTypeOf[node.type.dtype], [], [value])]);
};
const slice: Primitive = (node, [x], e) => {
  const { starts, limits, steps } = node.attrs as unknown as Record<"starts" | "limits" | "steps", readonly number[]>;
  const cut = node.type.shape.flatMap((_, a) =>
    starts[a] === 0 && steps[a] === 1 && limits[a] === node.inputs[0]!.type.shape[a] ? [] : [a],
  );
  if (cut.length === 0) return x!;
  return e.add("Slice", [
    x!,
    ...[starts, limits].map((at) => e.ints(cut.map((a) => at[a]!))),
    e.ints(cut),
    e.ints(cut.map((a) => steps[a]!)),
  ]);
};

/** The runtime refuses inputs outside; what is computed is clamped in our kernels, and must be here. */
function indices(ids: Node, name: string, extent: number, e: Emitter): string {
  const { kind } = ids.op.schema;
  if (kind === "view" && ids.inputs.length === 1 && indices(ids.inputs[0]!, name, extent, e) === name) return name;
  const data = ids.op.schema.name === "dense" ? (ids.attrs.data as readonly number[]) : null;
  if (ids.op.schema.name === "input" || data?.every((i) => i >= 0 && i < extent)) return name;
  const low = e.add("Max", [name, e.constant("int32", [], [0])]);
  return e.add("Min", [low, e.constant("int32", [], [extent - 1])]);
}
const asInt32 = (node: Node, name: string, e: Emitter): string =>
  node.type.dtype === "i32" ? name : e.add("Cast", [name], { to: typeCodes.i32 });

const take: Primitive = (node, [x, ids], e) => {
  const [rows, at] = node.inputs as readonly [Node, Node];
  return e.add("Gather", [x!, indices(at, asInt32(at, ids!, e), rows.type.shape[0]!, e)], { axis: 0 });
};
/** Rows are added at their indices, in any order: sums agree to rounding. */
const scatterRows: Primitive = (node, [dy, ids], e) => {
  const [, at] = node.inputs as readonly [Node, Node];
  const zeros = expand(e.constant("float", [], [0]), node.type.shape, e);
  const inside = indices(at, asInt32(at, ids!, e), node.type.shape[0]!, e);
  const long = e.add("Cast", [inside], { to: 7 });
  return e.add("ScatterND", [zeros, e.add("Unsqueeze", [long, e.ints([-1])]), dy!], { reduction: "add" });
};
const gather: Primitive = (node, [x, ids], e) => {
  const [from, at] = node.inputs as readonly [Node, Node];
  const axis = Number(node.attrs.axis);
  return e.add("GatherElements", [x!, indices(at, ids!, from.type.shape[axis]!, e)], { axis });
};
const oneHot: Primitive = (node, [ids], e) => {
  const depth = Number(node.attrs.depth);
  const classes = e.constant(
    "int32",
    [depth],
    Array.from({ length: depth }, (_, i) => i),
  );
  const at = e.add("Unsqueeze", [asInt32(node.inputs[0]!, ids!, e), e.ints([-1])]);
  return e.add("Cast", [e.add("Equal", [at, classes])], { to: typeCodes[node.type.dtype] });
};

const full: Primitive = (node, _, e) => {
  const one = e.constant(onnxTypeOf[node.type.dtype], [], [Number(node.attrs.value)]);
  return node.type.shape.length === 0 ? one : expand(one, node.type.shape, e);
};
const iota: Primitive = (node, _, e) => {
  const { shape, dtype } = node.type;
  const axis = Number(node.attrs.axis);
  const own = shape.map((d, a) => (a === axis ? d : 1));
  const row = e.constant(
    onnxTypeOf[dtype],
    own,
    Array.from({ length: shape[axis]! }, (_, i) => i),
  );
  return sizeOf(own) === sizeOf(shape) ? row : expand(row, shape, e);
};
const dense: Primitive = (node, _, e) => e.constant(onnxTypeOf[node.type.dtype], node.type.shape, node.attrs.data as readonly number[]);
const identity: Primitive = (_, [x]) => x!;

/** Composite operations that are not here are exported in the operations that they consist of. */
export const primitives: Readonly<Partial<Record<keyof typeof ops, Primitive>>> = {
  abs: same("Abs"),
  add: same("Add"),
  ceil: same("Ceil"),
  cos: same("Cos"),
  div: byType(same("Div"), floorDivide),
  equal: compared("Equal"),
  erf: same("Erf"),
  exp: same("Exp"),
  floor: same("Floor"),
  less: compared("Less"),
  lessEqual: compared("LessOrEqual"),
  log: same("Log"),
  logicalAnd: same("And"),
  logicalNot: same("Not"),
  logicalOr: same("Or"),
  maximum: extreme("Or", "Max", "Less"),
  minimum: extreme("And", "Min", "Greater"),
  mod: byType(floatModulo, floorModulo),
  mul: same("Mul"),
  neg: same("Neg"),
  notEqual: (_, inputs, e) => e.add("Not", [e.add("Equal", inputs)]),
  pow: same("Pow"),
  relu: same("Relu"),
  round: same("Round"),
  sigmoid: same("Sigmoid"),
  sign: same("Sign"),
  sin: same("Sin"),
  sqrt: same("Sqrt"),
  sub: same("Sub"),
  tanh: same("Tanh"),
  where,
  cast,
  stopGradient: identity,
  relayout: identity,
  softmax: (node, inputs, e) => e.add("Softmax", inputs, { axis: Number(node.attrs.axis) }),
  logSoftmax: (node, inputs, e) => e.add("LogSoftmax", inputs, { axis: Number(node.attrs.axis) }),
  mean: (node, inputs, e) => {
    const { axes, keepdims } = reduceAttrs(node);
    return e.add("ReduceMean", inputs, { axes, keepdims: keepdims ? 1 : 0 });
  },
  reduceSum,
  reduceMax: reduce("ReduceMax"),
  reduceMin: reduce("ReduceMin"),
  reduceProd: reduce("ReduceProd"),
  argmax: argReduce("ArgMax"),
  argmin: argReduce("ArgMin"),
  matmul: same("MatMul"),
  conv2d: convolution,
  conv3d: convolution,
  conv2dInputGrad: inputGradient,
  conv3dInputGrad: inputGradient,
  conv2dWeightGrad: weightGradient,
  conv3dWeightGrad: weightGradient,
  maxPool2d: maxPool,
  maxPool3d: maxPool,
  maxPool2dIndex: maxPoolIndex,
  maxPool3dIndex: maxPoolIndex,
  maxPool2dGrad: maxPoolGradient,
  maxPool3dGrad: maxPoolGradient,
  avgPool2d: averagePool,
  avgPool3d: averagePool,
  avgPool2dGrad: averagePoolGradient,
  avgPool3dGrad: averagePoolGradient,
  broadcast: (node, [x], e) => expand(x!, node.type.shape, e),
  concat: (node, inputs, e) => e.add("Concat", inputs, { axis: Number(node.attrs.axis) }),
  pad,
  permute: (node, inputs, e) => e.add("Transpose", inputs, { perm: node.attrs.axes as readonly number[] }),
  reshape,
  slice,
  take,
  takeGrad: scatterRows,
  collect: scatterRows,
  gather,
  oneHot,
  full,
  iota,
  dense,
};

/** What ONNX cannot say; the operands of these are not looked at. */
export const unsayable: ReadonlySet<Node["op"]> = new Set<Node["op"]>([ops.randomUniform, ops.randomNormal, ops.randomNumber]);
export const refuse = (node: Node): never =>
  fail("export", "random numbers cannot be exported: ONNX has none that depend on a seed alone", node.origin?.span ?? null, {
    help: "give the random values to the model as an input",
  });
