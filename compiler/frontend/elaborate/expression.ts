/** Expressions: a value from a syntax tree. Chains that lean left are walked in a loop, so that long ones need no stack. */
import type { Expr } from "../ast.ts";
import { callExpression, callPipe } from "./call.ts";
import { complain, type Frame, mapAll, newScope } from "./frame.ts";
import { indexValue } from "./indexing.ts";
import { memberOf } from "./instance.ts";
import { assign, knownNames, lookup } from "./names.ts";
import { binary, unary } from "./operators.ts";
import { charge, exceed, limits } from "./session.ts";
import { conditional } from "./statement.ts";
import { helpForMember } from "./suggest.ts";
import { bool, describe, float, int, isUnknown, list, none, text, unknown, type Value } from "./values.ts";

export function evaluate(expr: Expr, frame: Frame): Value {
  const { budget } = frame.session.world;
  if (++budget.nesting > limits.nesting) {
    exceed(budget, "this expression is nested too deeply", expr.span, "bind parts of it to names, or bound the recursion");
  }
  const spine: Expr[] = [];
  let leaf = expr;
  for (let next = leftmost(leaf); next; next = leftmost(leaf)) {
    spine.push(leaf);
    leaf = next;
  }
  charge(budget, spine.length + 1, expr.span);
  let value = atom(leaf, frame);
  for (let e = spine.pop(); e; e = spine.pop()) value = step(e, value, frame);
  budget.nesting--;
  return value;
}

/** The operand that is evaluated first and is all that stands to the left. */
function leftmost(e: Expr): Expr | null {
  switch (e.kind) {
    case "binary":
      return e.left;
    case "unary":
    case "pipe":
    case "field":
    case "index":
    case "paren":
      return e.value;
    case "call":
      return e.callee.kind === "name" ? null : e.callee;
    default:
      return null;
  }
}

function atom(e: Expr, frame: Frame): Value {
  switch (e.kind) {
    case "int":
      // The parser has reported a larger one.
      return Number.isSafeInteger(e.value) ? int(e.value) : unknown;
    case "float":
      return float(e.value);
    case "string":
      return text(e.value);
    case "bool":
      return bool(e.value);
    case "none":
      return none;
    case "error":
      return unknown;
    case "name":
      return lookup(frame, e);
    case "list":
      return list(mapAll(frame, e.items, (i) => evaluate(i, frame)));
    case "comprehension":
      return comprehension(e, frame);
    case "if":
      return conditional(e, frame);
    case "call":
      return callExpression(e, null, frame);
    default:
      return complain(frame, "syntax", "this is not an expression", e.span);
  }
}

/** The value of `e`, given that of its leftmost operand. */
function step(e: Expr, value: Value, frame: Frame): Value {
  switch (e.kind) {
    case "paren":
      return value;
    case "binary":
      return infix(e, value, frame);
    case "unary":
      return unary(frame, e.op, value, e.span);
    case "pipe":
      return callPipe(e, value, frame);
    case "field":
      return field(e, value, frame);
    case "index":
      return indexValue(frame, e, value);
    case "call":
      return callExpression(e, value, frame);
    default:
      return complain(frame, "syntax", "this is not an expression", e.span);
  }
}

function infix(e: Extract<Expr, { kind: "binary" }>, left: Value, frame: Frame): Value {
  if (left.kind === "bool" && e.op === (left.value ? "||" : "&&")) return left;
  return binary(frame, e.op, { value: left, expr: e.left }, { value: evaluate(e.right, frame), expr: e.right }, e.span);
}

function field(e: Extract<Expr, { kind: "field" }>, value: Value, frame: Frame): Value {
  const { name } = e.name;
  if (isUnknown(value)) return unknown;
  if (value.kind === "instance") return memberOf(frame, value.instance, name, e.name.span);
  if (value.kind === "tensor") {
    const { shape, dtype } = value.node.type;
    if (name === "shape") return list(shape.map(int));
    if (name === "rank") return int(shape.length);
    if (name === "size") return int(shape.reduce((n, d) => n * d, 1));
    if (name === "dtype") return { kind: "type", dtype };
  }
  const subject = e.value.kind === "name" ? e.value.name : value.kind === "list" ? "xs" : "x";
  return complain(frame, "name", `${describe(value)} has no \`${name}\``, e.name.span, {
    help: helpForMember(name, subject, knownNames(frame)),
  });
}

/** A constant condition; null when it is unknown. */
export function condition(e: Expr, frame: Frame, what: string): boolean | null {
  const value = evaluate(e, frame);
  if (isUnknown(value)) return null;
  if (value.kind === "bool") return value.value;
  if (value.kind === "tensor") {
    return complain(frame, "constant", `${what} needs a constant, got ${describe(value)}`, e.span, {
      help: "what depends on a tensor is chosen element by element: where(condition, a, b)",
    });
  }
  return complain(frame, "type", `${what} needs a bool, got ${describe(value)}`, e.span, {
    help: value.kind === "int" ? "compare it: ... != 0" : value.kind === "none" ? "compare it: ... != none" : null,
  });
}

/** The items of a list to loop over; null when it is unknown. */
export function iterable(e: Expr, frame: Frame): readonly Value[] | null {
  const value = evaluate(e, frame);
  if (value.kind === "list") return value.items;
  if (value.kind === "unknown") return null;
  const help = value.kind === "int" ? "write range(n)" : value.kind === "tensor" ? "write unstack(x) for its slices along axis 0" : null;
  return complain(frame, value.kind === "tensor" ? "constant" : "type", `\`for\` needs a list, got ${describe(value)}`, e.span, { help });
}

function comprehension(e: Extract<Expr, { kind: "comprehension" }>, frame: Frame): Value {
  const outer = frame.scope;
  const items: Value[] = [];
  let broken = false;
  const loop = (depth: number): void => {
    const { pattern, list: over } = e.loops[depth]!;
    const rounds = iterable(over, frame);
    if (!rounds) broken = true;
    rounds?.forEach((item, round) => {
      charge(frame.session.world.budget, 1, e.span);
      frame.loops.push(round);
      assign(frame, pattern, item, "loop");
      if (depth + 1 < e.loops.length) loop(depth + 1);
      else items.push(evaluate(e.value, frame));
      frame.loops.pop();
      if (items.length > limits.list) complain(frame, "limit", `this list has more than ${limits.list} items`, e.span);
    });
  };
  frame.scope = newScope(outer);
  try {
    loop(0);
  } finally {
    frame.scope = outer;
  }
  return broken ? unknown : list(items);
}
