/** Operators on constants and on tensors. */
import type { Note, Span } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import type { DType } from "../../../ir/type.ts";
import type { BinaryOperator, Expr } from "../ast.ts";
import { constantBinary } from "./constants.ts";
import { complain, type Frame } from "./frame.ts";
import { matmul, power } from "./linear.ts";
import { bindingOf } from "./names.ts";
import { tensorValue } from "./tensors.ts";
import { describe, isNumber, isScalar, isUnknown, listHelp, showType, unknown, type Value } from "./values.ts";

export interface Operand {
  readonly value: Value;
  readonly expr: Expr | null;
}

export function binary(frame: Frame, op: BinaryOperator, a: Operand, b: Operand, span: Span): Value {
  if (isUnknown(a.value) || isUnknown(b.value)) return unknown;
  if (a.value.kind === "bool" && (op === "&&" || op === "||")) return logical(frame, op, b, span);
  if (a.value.kind !== "tensor" && b.value.kind !== "tensor") return constantBinary(frame, op, a.value, b.value, span);
  if (op === "==" || op === "!=") {
    if (a.value.kind === "none" || b.value.kind === "none") return { kind: "bool", value: op === "!=" };
  }
  const compute = (): Node => {
    const [x, y] = promote(frame, `\`${op}\``, [a.value, b.value], span);
    return onTensors(frame, op, x!, y!, b.value, span);
  };
  return tensorValue(frame, span, compute, () => operandNotes(frame, [a, b]));
}

/** The right side of `true && b` or `false || b`. */
function logical(frame: Frame, op: string, b: Operand, span: Span): Value {
  const ok = b.value.kind === "bool" || (b.value.kind === "tensor" && b.value.node.type.dtype === "bool");
  return ok ? b.value : complain(frame, "type", `\`${op}\` needs bools, got ${describe(b.value)}`, span);
}

function onTensors(frame: Frame, op: BinaryOperator, a: Node, b: Node, right: Value, span: Span): Node {
  switch (op) {
    case "+":
      return ops.add({ a, b });
    case "-":
      return ops.sub({ a, b });
    case "*":
      return ops.mul({ a, b });
    case "/":
      return ops.div({ a: toFloat(a), b: toFloat(b) });
    case "//":
      return a.type.dtype === "f32" ? ops.floor({ x: ops.div({ a, b }) }) : ops.div({ a, b });
    case "%":
      return ops.mod({ a, b });
    case "@":
      return matmul(a, b);
    case "**":
      return power(frame, a, b, isNumber(right) ? right.value : null, span);
    case "<":
      return ops.less({ a, b });
    case "<=":
      return ops.lessEqual({ a, b });
    case ">":
      return ops.less({ a: b, b: a });
    case ">=":
      return ops.lessEqual({ a: b, b: a });
    case "==":
      return ops.equal({ a, b });
    case "!=":
      return ops.notEqual({ a, b });
    case "&&":
      return ops.logicalAnd({ a, b });
    case "||":
      return ops.logicalOr({ a, b });
  }
}
/** `/` gives floats, of integers too. */
const toFloat = (x: Node): Node => (x.type.dtype === "i32" || x.type.dtype === "u8" ? ops.cast({ x }, { to: "f32" }) : x);

export function unary(frame: Frame, op: "-" | "!", value: Value, span: Span): Value {
  if (isUnknown(value)) return unknown;
  if (value.kind === "tensor") {
    const x = value.node;
    return tensorValue(frame, span, () => (op === "-" ? ops.neg({ x }) : ops.logicalNot({ x })));
  }
  if (op === "!" && value.kind === "bool") return { kind: "bool", value: !value.value };
  if (op === "-" && isNumber(value)) return { kind: value.kind, value: value.kind === "int" ? 0 - value.value : -value.value };
  return complain(frame, "type", `\`${op}\` needs ${op === "-" ? "a number" : "a bool"}, got ${describe(value)}`, span);
}

/** Operands as tensors of one element type; constants adapt to the tensors they meet. */
export function promote(frame: Frame, what: string, values: readonly Value[], span: Span): Node[] {
  const tensors = values.flatMap((v) => (v.kind === "tensor" ? [v.node] : []));
  const dtype =
    tensors[0]?.type.dtype ?? (values.some((v) => v.kind === "float") ? "f32" : values.some((v) => v.kind === "bool") ? "bool" : "i32");
  const other = tensors.find((t) => t.type.dtype !== dtype);
  if (other) {
    complain(frame, "type", `${what} needs tensors of one type, got ${showType(tensors[0]!.type)} and ${showType(other.type)}`, span, {
      help: `convert one of them: cast(x, ${dtype === "f32" ? "f32" : other.type.dtype})`,
    });
  }
  return values.map((v) => (v.kind === "tensor" ? v.node : adapt(frame, what, v, dtype, span)));
}

/** A constant as a scalar tensor of type `dtype`. */
export function adapt(frame: Frame, what: string, v: Value, dtype: DType, span: Span): Node {
  const wrong = (help: string | null): never =>
    complain(frame, "type", `${what}: ${describe(v)} does not adapt to a tensor of type ${dtype}`, span, { help });
  if (v.kind === "list") return wrong(`a list is not a tensor; ${listHelp(v.items)}`);
  if (!isScalar(v)) return wrong(null);
  if (v.kind === "bool" ? dtype !== "bool" : dtype === "bool")
    return wrong(v.kind === "bool" ? `convert the tensor: cast(x, bool)` : "convert the tensor: cast(x, f32)");
  if (v.kind === "float" && dtype !== "f32") return wrong("convert the tensor: cast(x, f32)");
  if (dtype === "i32" && !inRange(Number(v.value), -(2 ** 31), 2 ** 31 - 1)) return wrong("it is outside the range of i32");
  if (dtype === "u8" && !inRange(Number(v.value), 0, 255)) return wrong("it is outside the range of u8");
  return ops.full({}, { value: Number(v.value), dtype, shape: [] });
}
const inRange = (x: number, least: number, most: number): boolean => x >= least && x <= most;

/** Where the operands that are names came from. */
function operandNotes(frame: Frame, operands: readonly Operand[]): readonly Note[] {
  const notes = operands.flatMap(({ value, expr }) => {
    if (expr?.kind !== "name" || value.kind !== "tensor") return [];
    const binding = bindingOf(frame, expr.name);
    return binding?.span ? [{ message: origin(expr.name, value.node, binding.form), span: binding.span }] : [];
  });
  return notes.filter((n, i) => notes.findIndex((m) => m.message === n.message) === i);
}
/** "`image` is declared f32[1, 784]". */
export const origin = (name: string, node: Node, form: string): string =>
  `\`${name}\` is ${form === "input" || form === "param" || form === "state" ? "declared " : ""}${showType(node.type)}`;
