/** Calls: of functions, layers, instances and builtin functions. */
import { diagnostic, type Span } from "../../../ir/diagnostic.ts";
import type { Arg, Expr, Label } from "../ast.ts";
import { applyFunction, applyLayer } from "./apply.ts";
import { type Argument, type Called, fillArguments, matchArguments, takeTraining } from "./arguments.ts";
import { callBuiltin } from "./builtin.ts";
import { evaluate } from "./expression.ts";
import { both, complain, type Frame, mapAll } from "./frame.ts";
import { helpForOrder } from "./input-first.ts";
import { type CallSite, type Instance, implicitLabel, instanceAt, placeElement } from "./instance.ts";
import { labelText } from "./labels.ts";
import { lookup } from "./names.ts";
import { isUpperCase } from "./paths.ts";
import { isTensorType } from "./signature.ts";
import { describe, isUnknown, type LayerValue, unknown, type Value } from "./values.ts";

type CallExpr = Extract<Expr, { kind: "call" }>;
type PipeExpr = Extract<Expr, { kind: "pipe" }>;

/** `callee` is null where the call names it. */
export function callExpression(e: CallExpr, callee: Value | null, frame: Frame): Value {
  const name = e.callee.kind === "name" ? e.callee : null;
  if (callee && e.callee.kind === "field") checkMethod(frame, e, e.callee, callee);
  const find = () => callee ?? (name ? lookup(frame, name) : evaluate(e.callee, frame));
  const [value, args] = both(frame, find, () => evaluateArgs(e.args, frame));
  const site: CallSite = { node: e, callee: name?.name ?? "", label: e.label, span: e.span };
  return call(frame, value, site, args);
}

/** `x.size(0)` and `x.shape(0)`, as in PyTorch: members are no functions. */
function checkMethod(frame: Frame, e: CallExpr, field: Extract<Expr, { kind: "field" }>, value: Value): void {
  const { name } = field.name;
  const plain = value.kind === "int" || value.kind === "list" || value.kind === "type";
  if (!plain || !["shape", "size", "rank", "dtype"].includes(name)) return;
  const x = field.value.kind === "name" ? field.value.name : "x";
  const [axis] = e.args;
  const at = axis?.value.kind === "int" ? axis.value.value : axis?.value.kind === "unary" ? "-1" : "i";
  const member = name === "size" && !axis ? `${x}.shape, or ${x}.size for the number of elements` : `${x}.${name}`;
  const help = axis && (name === "size" || name === "shape") ? `write ${x}.shape[${at}]` : `write ${member}`;
  complain(frame, "type", `\`.${name}\` is not a function`, e.span, { help });
}

export function callPipe(e: PipeExpr, piped: Value, frame: Frame): Value {
  const [value, args] = both(
    frame,
    () => lookup(frame, e.callee),
    () => evaluateArgs(e.args ?? [], frame),
  );
  const start = (e.label?.span ?? e.callee.span).start;
  const site: CallSite = { node: e, callee: e.callee.name, label: e.label, span: { ...e.span, start } };
  const first: Argument = { name: null, value: piped, span: e.value.span, expr: e.value };
  return call(frame, value, site, [first, ...args]);
}

export function evaluateArgs(args: readonly Arg[], frame: Frame): Argument[] {
  let named: string | null = null;
  return mapAll(frame, args, (a) => {
    if (a.name) named = a.name.name;
    else if (named !== null) {
      complain(frame, "argument", `a positional argument stands after \`${named}=\``, a.span, { help: "named arguments come last" });
    }
    return { name: a.name?.name ?? null, value: evaluate(a.value, frame), span: a.span, expr: a.value };
  });
}

/** Applies a value to arguments. */
export function call(frame: Frame, callee: Value, site: CallSite, args: readonly Argument[]): Value {
  if (callee.kind === "unknown") return unknown;
  const name = site.callee || describe(callee);
  if (callee.kind === "layer") return callLayer(frame, callee, site, args);
  if (site.label) {
    complain(frame, "label", `only layers take labels; \`${name}\` is ${describe(callee)}`, site.span, {
      help: callee.kind === "instance" ? "its label is that of its `use`" : null,
    });
  }
  const c: Called = { frame, span: site.span, subject: name, callee: name };
  if (callee.kind === "instance") return callInstance(callee, args, c);
  if (callee.kind !== "function" && callee.kind !== "builtin") return notCallable(frame, callee, site);
  checkCase(frame, site, false);
  if (args.some((a) => isUnknown(a.value))) return unknown;
  const { args: own, training } = takeTraining(args, c);
  const place = `${frame.place}/${placeElement(frame, site)}`;
  if (callee.kind === "builtin") return callBuiltin(callee.builtin, own, { ...c, place, training });
  const names = callee.declaration.params.map((p) => p.name.name);
  return applyFunction(callee, matchArguments(names, names, own, c), { ...c, place, training });
}

function notCallable(frame: Frame, callee: Value, site: CallSite): never {
  const help =
    callee.kind === "type"
      ? `convert a tensor with cast(x, ${callee.dtype})`
      : callee.kind === "initializer"
        ? "an initial value stands after `param ... =`"
        : null;
  return complain(frame, "type", `${describe(callee)} cannot be called`, site.span, { help });
}

/** Upper case owns parameters, lower case does not. */
function checkCase(frame: Frame, site: CallSite, upper: boolean): void {
  if (site.callee === "" || isUpperCase(site.callee) === upper) return;
  complain(
    frame,
    "name",
    upper
      ? `\`${site.callee}\` is a layer: a name that is called as a layer is upper case`
      : `\`${site.callee}\` is a function: functions are called by lower-case names`,
    site.span,
    { help: upper ? "bind the layer to an upper-case name" : "bind the function to a lower-case name" },
  );
}

function callLayer(frame: Frame, layer: LayerValue, site: CallSite, args: readonly Argument[]): Value {
  if (site.callee === "") {
    return complain(frame, "name", `${describe(layer)} is called without a name`, site.span, {
      help: "bind it to an upper-case name first",
    });
  }
  checkCase(frame, site, true);
  if (!site.label) suggestLabel(frame, site);
  const label = site.label ? labelText(frame, site.label) : implicitLabel(frame, site);
  if (label === null) return unknown;
  const subject = site.label ? `${label}: ${site.callee}` : site.callee;
  const c: Called = { frame, span: site.span, subject, callee: site.callee, order: (given) => helpForOrder(layer, given) };
  const instance = instanceAt(frame, site, label, layer);
  checkSameLayer(frame, instance, layer, site.span);
  if (args.some((a) => isUnknown(a.value))) return broken(instance);
  const { args: own, training } = takeTraining(args, c);
  const names = layer.declaration.params.map((p) => p.name.name);
  const given = matchArguments(names, names, own, c);
  checkApplied(layer, given, site, c);
  return applyLayer(instance, given, { ...c, place: "", training });
}
/** `Linear(3)` makes no layer that could be applied later. */
function checkApplied(layer: LayerValue, given: ReadonlyMap<string, Argument>, site: CallSite, c: Called): void {
  const [first, ...others] = layer.declaration.params;
  if (!first?.type || first.value || !isTensorType(first.type)) return;
  const arg = given.get(first.name.name);
  const lacks = others.some((p) => !p.value && !given.has(p.name.name));
  const scalar = first.type.dims?.length === 0 || first.type.dims === null;
  if (arg?.value.kind === "tensor" || (arg && (arg.value.kind === "list" || scalar) && !lacks)) return;
  const got = arg ? `got ${describe(arg.value)}` : "got none";
  const written = textAt(c.frame, { ...site.span, start: site.label?.span.start ?? site.span.start });
  const call = site.label && written !== null ? written : `name: ${written ?? `${c.callee}(...)`}`;
  const kept = call.slice(call.indexOf(":") + 1).trim();
  const help = site.label ? `write \`x |> ${call}\`` : `write \`x |> ${call}\`, or \`use name = ${kept}\` and then \`name(x)\``;
  complain(c.frame, "argument", `${c.subject} is applied to a tensor, ${got}`, c.span, { help });
}
/** The source on one line; null where it is longer. */
function textAt(frame: Frame, { start, end }: Span): string | null {
  const line = frame.file.text.split("\n")[start.line - 1] ?? "";
  return start.line === end.line ? line.slice(start.column - 1, end.column - 1) : null;
}
/** Parameters should not be named by counting. */
function suggestLabel(frame: Frame, site: CallSite): void {
  const { world } = frame.session;
  if (!world.suggests || frame.file.standard) return;
  const name = implicitLabel({ ...frame, loops: [] }, site);
  const help = `name it: name: ${site.callee}(...)`;
  world.problems.report(
    diagnostic("label", `this \`${site.callee}\` has no label; its parameters are called \`${name}\``, site.span, {
      severity: "note",
      help,
    }),
  );
}
function checkSameLayer(frame: Frame, instance: Instance, layer: LayerValue, span: Span): void {
  if (instance.layer.declaration === layer.declaration) return;
  complain(frame, "label", `\`${instance.path}\` is ${describe(layer)} here and was ${describe(instance.layer)} before`, span);
}
function broken(instance: Instance): Value {
  instance.broken = true;
  return unknown;
}

function callInstance(callee: Extract<Value, { kind: "instance" }>, args: readonly Argument[], c: Called): Value {
  const { instance, given } = callee;
  if (args.some((a) => isUnknown(a.value)) || given.some((g) => isUnknown(g.value))) return broken(instance);
  const { params } = instance.layer.declaration;
  const names = params.map((p) => p.name.name);
  const fixed = params.filter((p) => !p.type || !isTensorType(p.type)).map((p) => p.name.name);
  const layer = { ...c, callee: instance.layer.declaration.name.name };
  const filled = matchArguments(
    fixed,
    names,
    given.map((g) => ({ ...g, expr: null })),
    layer,
  );
  const { args: own, training } = takeTraining(args, c);
  const open = [...names.filter((n) => !fixed.includes(n)), ...fixed].filter((n) => !filled.has(n));
  fillArguments(filled, open, names, own, layer);
  return applyLayer(instance, filled, { ...layer, place: "", training });
}

/** `use`: an instance and the arguments it keeps. */
export function makeInstance(
  frame: Frame,
  callee: Value,
  name: string,
  label: Label,
  node: object,
  args: readonly Argument[],
  span: Span,
): Value {
  if (callee.kind === "unknown") return unknown;
  if (callee.kind !== "layer") {
    return complain(frame, "type", `\`use\` needs a layer, got ${describe(callee)}`, span, {
      help: callee.kind === "function" || callee.kind === "builtin" ? "a function has no parameters: call it directly" : null,
    });
  }
  const site: CallSite = { node, callee: name, label, span };
  checkCase(frame, site, true);
  const text = labelText(frame, label);
  if (text === null) return unknown;
  const instance = instanceAt(frame, site, text, callee);
  checkSameLayer(frame, instance, callee, span);
  const training = args.find((a) => a.name === "training");
  if (training) complain(frame, "argument", "`training` is given where the instance is applied", training.span);
  const { params } = callee.declaration;
  const fixed = params.filter((p) => !p.type || !isTensorType(p.type)).map((p) => p.name.name);
  matchArguments(
    fixed,
    params.map((p) => p.name.name),
    args,
    { frame, span, subject: `${text}: ${name}`, callee: name },
  );
  return { kind: "instance", instance, given: args.map(({ name: n, value, span: s }) => ({ name: n, value, span: s })) };
}
