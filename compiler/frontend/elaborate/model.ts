/** The model that a program is: its inputs are the signature's tensors, its hyper-parameters have defaults. */
import { CompileError } from "../../../ir/diagnostic.ts";
import type { Output } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import type { Model, Param } from "../ast.ts";
import { bindDefault, convert, outputValue } from "./apply.ts";
import type { Argument, Called } from "./arguments.ts";
import { evaluate } from "./expression.ts";
import { bind, type Frame, newScope } from "./frame.ts";
import { newInstance } from "./instance.ts";
import type { Session } from "./session.ts";
import { inputType, isTensorType } from "./signature.ts";
import type { SourceFile } from "./source.ts";
import { executeBlock } from "./statement.ts";
import { tensorValue } from "./tensors.ts";
import { unknown } from "./values.ts";

export function modelFrame(session: Session, declaration: Model, file: SourceFile): Frame {
  session.world.entered.add(declaration);
  return {
    session,
    kind: "model",
    name: declaration.name.name,
    file,
    body: declaration.body,
    scope: newScope(null),
    training: session.training,
    instance: newInstance({ kind: "layer", declaration, file }, "", ""),
    path: "",
    place: "",
    counter: session.training ? session.world.microStep : session.world.zero,
    loops: [],
    labels: new Map(),
    caller: null,
  };
}

/** Runs `f`; an error is reported, and `otherwise` taken. */
export function safely<T>(frame: Frame, otherwise: T, f: () => T): T {
  const { budget, problems } = frame.session.world;
  const { nesting, depth } = budget;
  try {
    return f();
  } catch (e) {
    if (!(e instanceof CompileError) || budget.spent) throw e;
    for (const d of e.diagnostics) problems.report(d);
    [budget.nesting, budget.depth] = [nesting, depth];
    return otherwise;
  }
}

/** Binds the signature and runs the body; gives the outputs that have a value. */
export function runModel(frame: Frame, model: Model, given: ReadonlyMap<string, Argument>): Output[] {
  bindSignature(frame, model, given);
  executeBlock(model.body, frame);
  return model.outputs.flatMap((o): Output[] => {
    const value = safely(frame, unknown, () => outputValue(frame, model, o));
    return value.kind === "tensor" ? [{ name: o.name.name, value: value.node }] : [];
  });
}

function bindSignature(frame: Frame, model: Model, given: ReadonlyMap<string, Argument>): void {
  const isTensor = (p: Param) => p.type !== null && isTensorType(p.type);
  const c: Called = { frame, span: model.name.span, subject: model.name.name, callee: model.name.name };
  for (const p of model.params.filter((q) => !isTensor(q))) {
    const arg = given.get(p.name.name);
    if (arg)
      bind(
        frame,
        p.name.name,
        safely(frame, unknown, () => convert(p, arg.value, arg.span, c)),
        "argument",
        arg.span,
      );
    else if (p.value) bindDefault(p, p.value, frame, c);
    else bind(frame, p.name.name, unknown, "argument", p.name.span);
  }
  for (const p of model.params.filter(isTensor)) bindInput(frame, p);
  for (const p of model.params) {
    const binding = frame.scope.names.get(p.name.name);
    if (binding?.pending && !binding.value) binding.value = safely(frame, unknown, binding.pending);
  }
}
/** A tensor with a default (`none`) is not an input of the program. */
function bindInput(frame: Frame, p: Param): void {
  const { name } = p.name;
  const value = safely(frame, unknown, () => {
    if (p.value) return evaluate(p.value, frame);
    const type = inputType(frame, p.type!);
    if (!type) return unknown;
    return tensorValue(frame, p.span, () => ops.input({}, { name, dtype: type.dtype, shape: type.shape }));
  });
  if (value.kind === "tensor" && !p.value) frame.session.inputs.push(value.node);
  bind(frame, name, value, "input", p.name.span);
}
