/** Arithmetic on constants, as in Python; ints are exact up to 2^53. */
import type { Span } from "../../../ir/diagnostic.ts";
import type { BinaryOperator } from "../ast.ts";
import { complain, type Frame, warn } from "./frame.ts";
import { charge, limits } from "./session.ts";
import { bool, describe, int, isNumber, list, show, text, type Value } from "./values.ts";

export function constantBinary(frame: Frame, op: BinaryOperator, a: Value, b: Value, span: Span): Value {
  if (op === "==" || op === "!=") return bool(same(frame, a, b, span) === (op === "=="));
  if (isNumber(a) && isNumber(b)) return arithmetic(frame, op, a, b, span);
  if (a.kind === "string" && b.kind === "string" && op === "+") return joined(frame, a.value + b.value, span);
  if (a.kind === "list" || b.kind === "list") return onLists(frame, op, a, b, span);
  return mismatch(frame, op, a, b, span);
}

function mismatch(frame: Frame, op: string, a: Value, b: Value, span: Span): never {
  const help =
    op === "+" && (a.kind === "string" || b.kind === "string")
      ? "make a string of it: str(x)"
      : a.kind === "bool" || b.kind === "bool"
        ? "a bool is not a number: int(b)"
        : null;
  return complain(frame, "type", `\`${op}\` does not work on ${describe(a)} and ${describe(b)}`, span, { help });
}

function arithmetic(frame: Frame, op: BinaryOperator, a: Value & { value: number }, b: Value & { value: number }, span: Span): Value {
  const x = a.value;
  const y = b.value;
  const ints = a.kind === "int" && b.kind === "int";
  switch (op) {
    case "+":
      return number(frame, x + y, ints, span);
    case "-":
      return number(frame, x - y, ints, span);
    case "*":
      return number(frame, x * y, ints, span);
    case "/":
      return number(frame, x / nonzero(frame, y, span), false, span);
    case "//":
      return number(frame, Math.floor(x / nonzero(frame, y, span)), ints, span);
    case "%":
      return number(frame, floorMod(x, nonzero(frame, y, span)), ints, span);
    case "**":
      return power(frame, x, y, ints, span);
    case "<":
      return bool(x < y);
    case "<=":
      return bool(x <= y);
    case ">":
      return bool(x > y);
    case ">=":
      return bool(x >= y);
    default:
      return mismatch(frame, op, a, b, span);
  }
}
function nonzero(frame: Frame, y: number, span: Span): number {
  return y === 0 ? complain(frame, "constant", "division by zero", span) : y;
}
/** The sign of the divisor, as in Python. */
function floorMod(x: number, y: number): number {
  const r = x % y;
  return r !== 0 && r < 0 !== y < 0 ? r + y : r;
}
function power(frame: Frame, x: number, y: number, ints: boolean, span: Span): Value {
  if (x === 0 && y < 0) return complain(frame, "constant", "zero to a negative power", span);
  if (x < 0 && !Number.isInteger(y)) return complain(frame, "constant", "a negative number to a fractional power", span);
  return number(frame, x ** y, ints && y >= 0, span);
}
function number(frame: Frame, value: number, isInt: boolean, span: Span): Value {
  if (Number.isNaN(value)) return complain(frame, "constant", "this is not a number", span, { help: "as inf - inf or 0 * inf" });
  if (!isInt) return { kind: "float", value };
  if (!Number.isSafeInteger(value))
    return complain(frame, "limit", "this int is too large", span, { help: "ints reach up to 2 ** 53 - 1" });
  return int(value + 0);
}

/** What `str` gives: strings bare, in lists quoted. */
export function textOf(frame: Frame, v: Value, span: Span): string {
  if (v.kind !== "list") return show(v);
  let out = "[";
  const part = (x: Value): string => (x.kind === "string" ? JSON.stringify(x.value) : textOf(frame, x, span));
  for (const [i, x] of v.items.entries()) {
    charge(frame.session.world.budget, 1, span);
    out += (i ? ", " : "") + part(x);
    if (out.length > limits.text) complain(frame, "limit", `this string has more than ${limits.text} characters`, span);
  }
  return `${out}]`;
}

function joined(frame: Frame, s: string, span: Span): Value {
  return s.length > limits.text ? complain(frame, "limit", `this string has more than ${limits.text} characters`, span) : text(s);
}

function onLists(frame: Frame, op: BinaryOperator, a: Value, b: Value, span: Span): Value {
  if (op === "+" && a.kind === "list" && b.kind === "list") return bounded(frame, [...a.items, ...b.items], span);
  const [xs, n] = a.kind === "list" ? [a, b] : [b, a];
  if (op === "*" && xs.kind === "list" && n.kind === "int") {
    if (xs.items.length * n.value > limits.list) tooLong(frame, span);
    return list(Array.from({ length: Math.max(0, n.value) }, () => xs.items).flat());
  }
  return mismatch(frame, op, a, b, span);
}
const tooLong = (frame: Frame, span: Span): never => complain(frame, "limit", `this list has more than ${limits.list} items`, span);
export function bounded(frame: Frame, items: readonly Value[], span: Span): Value {
  charge(frame.session.world.budget, items.length >> 2, span);
  return items.length > limits.list ? tooLong(frame, span) : list(items);
}

/** Equality of constants; those of different kinds differ. */
export function same(frame: Frame, a: Value, b: Value, span: Span): boolean {
  const { budget } = frame.session.world;
  charge(budget, 1, span);
  if (isNumber(a) && isNumber(b) && a.kind !== b.kind) {
    warn(
      frame,
      "type",
      "an int and a float are of different kinds, so they are never equal",
      span,
      "write both as floats, or use <= and >=",
    );
    return false;
  }
  if (a.kind !== b.kind) return false;
  if (a.kind === "list" && b.kind === "list") {
    return a.items.length === b.items.length && a.items.every((x, i) => same(frame, x, b.items[i]!, span));
  }
  return identity(a) === identity(b);
}
/** What two values of one kind have in common when they are equal. */
function identity(v: Value): unknown {
  switch (v.kind) {
    case "int":
    case "float":
    case "bool":
    case "string":
      return v.value;
    case "none":
    case "unknown":
      return null;
    case "type":
      return v.dtype;
    case "tensor":
      return v.node;
    case "function":
    case "layer":
      return v.declaration;
    case "builtin":
      return v.builtin;
    case "instance":
      return v.instance;
    case "schedule":
      return v.schedule;
    case "optimizer":
      return v.optimizer;
    case "list":
    case "initializer":
      return v;
  }
}
