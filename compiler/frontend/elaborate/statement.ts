/** Statements: bodies are executed top to bottom; an error ends its statement, not the body. */
import { CompileError } from "../../../ir/diagnostic.ts";
import type { Block, Expr, Fn, Layer, Model, Statement } from "../ast.ts";
import { boundNames, variableOf, walk } from "../walk.ts";
import { evaluateArgs, makeInstance } from "./call.ts";
import { textOf } from "./constants.ts";
import { condition, evaluate, iterable } from "./expression.ts";
import { bind, complain, type Frame, poison, skip } from "./frame.ts";
import { assign, checkBindable, lookup } from "./names.ts";
import { binary } from "./operators.ts";
import { charge, limits } from "./session.ts";
import { declareVariable, updateState } from "./state.ts";
import { settingStatement, trainBinding, trainInput, trainMetric } from "./train-statements.ts";
import { none, unknown, type Value } from "./values.ts";

type If = Extract<Expr, { kind: "if" }>;
/** What a `return` gave; null: the body goes on. */
type Returned = { readonly value: Value } | null;

/** The result of a `fn` or `layer`; `none` for a model, whose outputs are names. */
export function runBody(frame: Frame, declaration: Fn | Layer | Model): Value {
  const before = frame.session.world.problems.errors();
  const returned = executeBlock(declaration.body, frame);
  if (returned) return returned.value;
  if (declaration.kind === "model") return none;
  if (frame.session.world.problems.errors() > before || frame.file.broken) return unknown;
  return complain(frame, "type", `\`${frame.name}\` ends without \`return\``, declaration.name.span);
}

export function executeBlock(block: Block, frame: Frame): Returned {
  for (const s of block.statements) {
    const returned = executeSafely(s, frame);
    if (returned) return returned;
  }
  return null;
}

/**
 * Reports the errors of a statement and goes on with what it would have bound unknown. A failed `assert` ends the body: what
 * follows relies on it; so does any error inside the standard library, whose lines are not the user's.
 */
function executeSafely(s: Statement, frame: Frame): Returned {
  const { budget, problems } = frame.session.world;
  const { nesting, depth } = budget;
  const { scope } = frame;
  const loops = frame.loops.length;
  try {
    charge(budget, 1, s.span);
    return execute(s, frame);
  } catch (e) {
    if (!(e instanceof CompileError) || budget.spent) throw e;
    for (const d of e.diagnostics) problems.report(d);
    [budget.nesting, budget.depth, frame.scope, frame.loops.length] = [nesting, depth, scope, loops];
    const over = s.kind === "assert" || frame.file.standard;
    poison(frame, boundNames(over && frame.body ? frame.body : s));
    return over || hasReturn(s) ? { value: unknown } : null;
  }
}

export function execute(s: Statement, frame: Frame): Returned {
  switch (s.kind) {
    case "bind":
      executeBind(s, frame);
      return null;
    case "param":
    case "state":
      declareVariable(s, frame);
      return null;
    case "update":
      updateState(s, frame);
      return null;
    case "use":
      executeUse(s, frame);
      return null;
    case "input":
      trainInput(s, frame);
      return null;
    case "metric":
      trainMetric(s, frame);
      return null;
    case "freeze":
    case "setting":
      settingStatement(s, frame);
      return null;
    case "for":
      return executeFor(s, frame);
    case "return":
      return executeReturn(s, frame);
    case "assert":
      executeAssert(s, frame);
      return null;
    case "expression":
      return executeExpression(s.value, frame);
    case "error":
      poisonText(s, frame);
      return null;
  }
}

function executeBind(s: Extract<Statement, { kind: "bind" }>, frame: Frame): void {
  if (s.op === "=") {
    const value = evaluate(s.value, frame);
    assign(frame, s.pattern, value, "binding");
  } else if (s.pattern.kind !== "name") {
    complain(frame, "syntax", `\`${s.op}\` needs one name on its left`, s.span);
  } else {
    const left = { value: lookup(frame, s.pattern), expr: s.pattern };
    const right = { value: evaluate(s.value, frame), expr: s.value };
    assign(frame, s.pattern, binary(frame, s.op.slice(0, 1) as "+" | "-" | "*" | "/", left, right, s.span), "binding");
  }
  if (frame.kind === "train") trainBinding(s, frame);
}

function executeUse(s: Extract<Statement, { kind: "use" }>, frame: Frame): void {
  const name = variableOf(s.label, s.as);
  if (name === null)
    complain(frame, "label", "this label is not a plain name: say what the instance is called", s.label.span, {
      help: "use h.{i} as block = ...",
    });
  checkBindable(frame, name, s.as?.span ?? s.label.span);
  const callee = lookup(frame, s.callee);
  const args = evaluateArgs(s.args, frame);
  bind(frame, name, makeInstance(frame, callee, s.callee.name, s.label, s, args, s.span), "instance", s.as?.span ?? s.label.span);
}

function executeFor(s: Extract<Statement, { kind: "for" }>, frame: Frame): Returned {
  const items = iterable(s.list, frame);
  if (!items) {
    poison(frame, boundNames(s));
    return hasReturn(s) ? { value: unknown } : null;
  }
  if (items.length === 0) skip(frame, boundNames(s), "in a loop over an empty list");
  for (const [round, item] of items.entries()) {
    charge(frame.session.world.budget, 1, s.span);
    frame.loops.push(round);
    assign(frame, s.pattern, item, "loop");
    const returned = executeBlock(s.body, frame);
    frame.loops.pop();
    if (returned) return returned;
  }
  return null;
}

function executeReturn(s: Extract<Statement, { kind: "return" }>, frame: Frame): Returned {
  if (frame.kind === "model" || frame.kind === "train") {
    const help = frame.kind === "model" ? "bind the names after `->` in the header" : "bind `loss`";
    return complain(frame, "syntax", `a ${frame.kind === "model" ? "model" : "train block"} has no \`return\``, s.span, { help });
  }
  return { value: evaluate(s.value, frame) };
}

function executeAssert(s: Extract<Statement, { kind: "assert" }>, frame: Frame): void {
  const holds = condition(s.condition, frame, "`assert`");
  if (holds !== false) return;
  const message = s.message ? textOf(frame, evaluate(s.message, frame), s.message.span) : "this does not hold";
  complain(frame, "assert", message, s.condition.span);
}

/** An `if` that stands as a statement; any other expression is a value that goes nowhere. */
function executeExpression(e: Expr, frame: Frame): Returned {
  if (e.kind === "error") return null;
  if (e.kind !== "if") {
    evaluate(e, frame);
    return complain(frame, "syntax", "this value goes nowhere", e.span, { help: "bind it to a name: y = ..." });
  }
  const taken = takenArm(e, frame);
  if (taken === null) return hasReturn(e) ? { value: unknown } : null;
  const block = taken < 0 ? e.otherwise : e.arms[taken]!.body;
  const returned = block ? executeBlock(block, frame) : null;
  skipOthers(e, taken, frame);
  return returned;
}

/** The value of an `if`: that of the branch taken. */
export function conditional(e: If, frame: Frame): Value {
  const taken = takenArm(e, frame);
  if (taken === null) return unknown;
  const block = taken < 0 ? e.otherwise : e.arms[taken]!.body;
  if (!block) return complain(frame, "type", "this `if` has no value: no condition holds and there is no `else`", e.span);
  const value = blockValue(block, frame);
  skipOthers(e, taken, frame);
  return value;
}
/** The arm whose condition holds, -1 for none; null when that is unknown, and then every name bound inside is, too. */
function takenArm(e: If, frame: Frame): number | null {
  for (const [i, arm] of e.arms.entries()) {
    const holds = condition(arm.condition, frame, "`if`");
    if (holds) return i;
    if (holds !== null) continue;
    poison(frame, boundNames(e));
    return null;
  }
  return -1;
}
function hasReturn(tree: Expr | Statement): boolean {
  let found = false;
  walk(tree, (s) => {
    found ||= s.kind === "return";
  });
  return found;
}
/** Names of the branches that were not taken; `taken` -1: all arms. */
function skipOthers(e: If, taken: number, frame: Frame): void {
  const why = "in a branch that is not taken";
  e.arms.forEach((arm, i) => {
    if (i !== taken) skip(frame, boundNames(arm.body), why);
  });
  if (e.otherwise && taken >= 0) skip(frame, boundNames(e.otherwise), why);
}

/** The value of a block is its last line. */
function blockValue(block: Block, frame: Frame): Value {
  const last = block.statements.at(-1);
  for (const s of block.statements) {
    if (s === last && s.kind === "expression") return evaluate(s.value, frame);
    if (s.kind === "error") return unknown;
    const returned = executeSafely(s, frame);
    if (returned?.value.kind === "unknown") return unknown;
    if (returned) complain(frame, "syntax", "`return` cannot stand inside a value", s.span);
  }
  return complain(frame, "type", "this block has no value", block.span, { help: "the value of a block is its last line" });
}

/** After a syntax error: every name in the skipped text may have been bound by it. */
function poisonText(s: Extract<Statement, { kind: "error" }>, frame: Frame): void {
  const { start, end } = s.span;
  const lines = frame.file.text.split("\n").slice(start.line - 1, end.line);
  if (!lines.length) return;
  lines[lines.length - 1] = lines.at(-1)!.slice(0, end.column - 1);
  lines[0] = lines[0]!.slice(start.column - 1);
  const names =
    lines
      .join("\n")
      .slice(0, limits.text)
      .match(/[A-Za-z_]\w*/g) ?? [];
  poison(
    frame,
    names.map((name) => ({ name, span: s.span })),
  );
}
