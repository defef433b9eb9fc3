/** Applications of functions and layers: a new body scope from arguments, then the body's result. */
import type { Span } from "../../../ir/diagnostic.ts";
import { dtypes } from "../../../ir/type.ts";
import type { Expr, Fn, Layer, Model, Param } from "../ast.ts";
import { type Argument, type Called, missing } from "./arguments.ts";
import { evaluate } from "./expression.ts";
import { at, bind, complain, type Frame, mapAll, newScope } from "./frame.ts";
import { helpForOrder, warnOfOrder } from "./input-first.ts";
import type { Instance } from "./instance.ts";
import { bindingOf } from "./names.ts";
import { adapt, origin } from "./operators.ts";
import { charge, costs, exceed, limits } from "./session.ts";
import { isTensorType, matchType } from "./signature.ts";
import type { SourceFile } from "./source.ts";
import { runBody } from "./statement.ts";
import { describe, float, isScalar, isUnknown, list, listHelp, unknown, type Value, withArticle } from "./values.ts";

/** A call on its way into a body. */
export interface Entering extends Called {
  /** Chain of calls for random numbers; an instance has its own. */
  readonly place: string;
  readonly training: boolean;
}

export function applyFunction(f: { declaration: Fn; file: SourceFile }, args: ReadonlyMap<string, Argument>, e: Entering): Value {
  const inner = newFrame(f.declaration, f.file, null, e);
  return within(inner, e, () => {
    bindParameters(f.declaration.params, args, inner, e);
    return recorded(inner, f.declaration, () => runBody(inner, f.declaration));
  });
}

export function applyLayer(instance: Instance, args: ReadonlyMap<string, Argument>, e: Entering): Value {
  const { declaration, file } = instance.layer;
  const before = e.frame.session.world.problems.errors();
  const place = instance.applied ? `${instance.place}@${instance.applied}` : instance.place;
  const inner = newFrame(declaration, file, instance, { ...e, place });
  instance.applied++;
  try {
    const result = within(inner, e, () => {
      bindParameters(declaration.params, args, inner, e);
      warnOfOrder(instance.layer, args, e);
      return recorded(inner, declaration, () => {
        const value = runBody(inner, declaration);
        return declaration.kind === "model" ? modelResult(inner, declaration) : value;
      });
    });
    if (inner.session.world.problems.errors() > before) instance.broken = true;
    return result;
  } catch (error) {
    instance.broken = true;
    throw error;
  }
}

/** The result of `f`, a body whose parameters are bound; whoever listens is told. */
function recorded(inner: Frame, declaration: Fn | Layer | Model, f: () => Value): Value {
  const { onApplication } = inner.session.world;
  if (!onApplication || inner.training) return f();
  const args = new Map(declaration.params.map((p) => [p.name.name, inner.scope.names.get(p.name.name)?.value ?? unknown]));
  const result = f();
  onApplication({ callee: declaration.name.name, standard: inner.file.standard, path: inner.path, args, result });
  return result;
}

function newFrame(declaration: Fn | Layer | Model, file: SourceFile, instance: Instance | null, e: Entering): Frame {
  e.frame.session.world.entered.add(declaration);
  return {
    session: e.frame.session,
    kind: declaration.kind,
    name: declaration.name.name,
    file,
    body: declaration.body,
    scope: newScope(null),
    training: e.training,
    instance,
    path: instance?.path ?? e.frame.path,
    place: e.place,
    counter: e.frame.counter,
    loops: [],
    labels: new Map(),
    caller: { frame: e.frame, span: e.span, subject: e.subject },
  };
}

/** Bounds how deep applications nest. */
function within(frame: Frame, e: Entering, f: () => Value): Value {
  const { budget } = frame.session.world;
  charge(budget, costs.application, e.span);
  if (++budget.depth > limits.depth) {
    exceed(
      budget,
      `${limits.depth} applications are nested here, \`${e.callee}\` is one too many`,
      e.frame.file.standard ? null : e.span,
      "a recursion must end",
    );
  }
  const value = f();
  budget.depth--;
  return value;
}

/**
 * Binds a signature: given constants first, so that dimensions may name them; then tensors in order, whose patterns bind
 * dimensions; then defaults, which may use all of these.
 */
export function bindParameters(params: readonly Param[], args: ReadonlyMap<string, Argument>, inner: Frame, c: Called): void {
  const isTensor = (p: Param) => p.type !== null && isTensorType(p.type);
  const order = inner.instance ? helpForOrder(inner.instance.layer, args.values()) : null;
  const constants = params.filter((p) => !isTensor(p));
  mapAll(c.frame, constants, (p) => {
    const arg = args.get(p.name.name);
    if (arg) bind(inner, p.name.name, convert(p, arg.value, arg.span, c, order), "argument", arg.span);
    else if (p.value) bindDefault(p, p.value, inner, c);
    else missing(c, p.name.name, p.type ? withArticle(p.type.name.name) : null);
  });
  for (const p of params) if (isTensor(p)) bindTensor(p, args.get(p.name.name) ?? null, p === params[0], inner, c, order);
  for (const p of params) {
    const binding = inner.scope.names.get(p.name.name);
    if (binding?.pending && !binding.value) binding.value = binding.pending();
  }
}

/** A default is evaluated at its first use, in the scope of the signature. */
export function bindDefault(p: Param, e: Expr, inner: Frame, c: Called): void {
  let busy = false;
  const pending = (): Value => {
    if (busy) return complain(inner, "name", `the default of \`${p.name.name}\` depends on itself`, e.span);
    busy = true;
    const value = convert(p, evaluate(e, inner), e.span, { ...c, frame: inner });
    busy = false;
    return value;
  };
  inner.scope.names.set(p.name.name, { value: null, form: "argument", span: p.name.span, pending });
}

function bindTensor(p: Param, arg: Argument | null, first: boolean, inner: Frame, c: Called, order: string | null): void {
  const value = arg?.value ?? (p.value ? evaluate(p.value, inner) : missing(c, p.name.name, p.type!.name.name));
  const optional = p.value?.kind === "none";
  if (value.kind === "none" && optional) {
    bind(inner, p.name.name, value, "argument", p.name.span);
    return;
  }
  if (isUnknown(value)) {
    bind(inner, p.name.name, unknown, "argument", p.name.span);
    return;
  }
  const span = arg?.span ?? c.span;
  const node = asTensor(p, value, span, c, order);
  const name = arg?.expr?.kind === "name" ? arg.expr.name : null;
  const binding = name === null ? null : bindingOf(c.frame, name);
  matchType(inner, p.type!, {
    node,
    subject: first ? c.subject : `${c.subject}: \`${p.name.name}\``,
    frame: c.frame,
    span: c.span,
    notes: binding && value.kind === "tensor" ? [{ message: origin(name!, node, binding.form), span: binding.span }] : [],
    text: name ?? "x",
  });
  bind(inner, p.name.name, { kind: "tensor", node }, "argument", p.name.span);
}
/** A number becomes a scalar of the parameter's type. */
function asTensor(p: Param, value: Value, span: Span, c: Called, order: string | null) {
  if (value.kind === "tensor") return value.node;
  const dtype = dtypes.find((d) => d === p.type!.name.name);
  const scalar = isScalar(value) && !p.type!.dims?.some((d) => d.kind === "dim");
  if (scalar && dtype) return at(c.frame, span, () => adapt(c.frame, `\`${p.name.name}\``, value, dtype, span));
  return complain(c.frame, "type", `${c.subject} expects a tensor for \`${p.name.name}\`, got ${describe(value)}`, span, {
    help: order ?? (value.kind === "list" ? listHelp(value.items) : null),
  });
}

/** A constant of the declared kind; an int is taken for a float. `order`: what may have been meant, if it is of another kind. */
export function convert(p: Param, value: Value, span: Span, c: Called, order: string | null = null): Value {
  const want = p.type?.name.name;
  if (want === undefined || isUnknown(value) || value.kind === want) return value;
  if (want === "float" && value.kind === "int") return float(value.value);
  if (value.kind === "none" && p.value?.kind === "none") return value;
  if (value.kind === "tensor") {
    return complain(c.frame, "constant", `${c.subject} needs a constant for \`${p.name.name}\` (${want}), got ${describe(value)}`, span, {
      help: "what depends on a tensor is computed when the model runs; where(...) chooses by a tensor",
    });
  }
  return complain(c.frame, "type", `${c.subject} expects ${withArticle(want)} for \`${p.name.name}\`, got ${describe(value)}`, span, {
    help: order ?? helpForKind(want, value),
  });
}
function helpForKind(want: string, value: Value): string | null {
  if (want === "int" && value.kind === "float") return "convert it: int(x), or divide with `//`";
  return want === "bool" && value.kind === "int" ? `write ${value.value !== 0}` : null;
}

/** The outputs of a model: one value, or a list in the order of the header. */
export function modelResult(frame: Frame, model: Model): Value {
  const values = model.outputs.map((o) => outputValue(frame, model, o));
  return values.length === 1 ? values[0]! : list(values);
}
export function outputValue(frame: Frame, model: Model, output: Model["outputs"][number]): Value {
  const { name } = output;
  const binding = frame.scope.names.get(name.name);
  if (!binding?.value) {
    const skipped = frame.scope.skipped.get(name.name);
    return complain(frame, "name", `the output \`${name.name}\` of \`${model.name.name}\` is never bound`, name.span, {
      notes: skipped ? [{ message: `it is bound ${skipped.why}`, span: skipped.span }] : [],
    });
  }
  const { value } = binding;
  if (isUnknown(value)) return unknown;
  if (value.kind !== "tensor") {
    return complain(frame, "type", `the output \`${name.name}\` must be a tensor, got ${describe(value)}`, name.span, {
      notes: binding.span ? [{ message: "it is bound here:", span: binding.span }] : [],
    });
  }
  if (output.type) {
    const notes = binding.span ? [{ message: `\`${name.name}\` is bound`, span: binding.span }] : [];
    matchType(frame, output.type, {
      node: value.node,
      subject: `the output \`${name.name}\``,
      frame,
      span: output.type.span,
      notes,
      text: name.name,
    });
  }
  return value;
}
