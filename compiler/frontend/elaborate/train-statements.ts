/** The statements of `train` blocks. */
import type { Span } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import type { Statement } from "../ast.ts";
import { namesOf } from "../walk.ts";
import { evaluate } from "./expression.ts";
import { at, bind, complain, type Frame } from "./frame.ts";
import { checkBindable } from "./names.ts";
import type { GlobAt } from "./session.ts";
import { inputType } from "./signature.ts";
import { nearest } from "./suggest.ts";
import { tensorValue } from "./tensors.ts";
import { describe, isScalar, isUnknown, showType, unknown, type Value } from "./values.ts";

type Of<K extends Statement["kind"]> = Extract<Statement, { kind: K }>;

export function trainInput(s: Of<"input">, frame: Frame): void {
  const { name } = s.name;
  checkBindable(frame, name, s.name.span);
  const type = frame.kind === "train" ? inputType(frame, s.type) : null;
  if (!type) {
    bind(frame, name, unknown, "input", s.name.span);
    return;
  }
  const { session } = frame;
  if (session.inputs.some((n) => n.attrs.name === name)) complain(frame, "name", `there is another input \`${name}\``, s.name.span);
  const value = tensorValue(frame, s.span, () => ops.input({}, { name, dtype: type.dtype, shape: type.shape }));
  if (value.kind === "tensor") session.inputs.push(value.node);
  if (s.doc !== null) session.docs.set(name, s.doc);
  bind(frame, name, value, "input", s.span);
}

/** A metric does not bind its name: `metric box_loss = box_loss` reads the name. */
export function trainMetric(s: Of<"metric">, frame: Frame): void {
  const { name, span } = s.name;
  const value = evaluate(s.value, frame);
  if (frame.kind !== "train" || isUnknown(value)) return;
  const { metrics } = frame.session.train;
  if (name === "loss" || metrics.has(name)) complain(frame, "train", `there is another output \`${name}\``, span);
  metrics.set(name, { value: scalarOf(frame, `the metric \`${name}\``, value, s.value.span), span });
  if (s.doc !== null) frame.session.docs.set(name, s.doc);
}
/** A scalar as f32. */
export function scalarOf(frame: Frame, what: string, value: Value, span: Span): Node {
  if (isScalar(value)) return at(frame, span, () => ops.full({}, { value: Number(value.value), dtype: "f32", shape: [] }));
  if (value.kind !== "tensor") return complain(frame, "type", `${what} must be a scalar, got ${describe(value)}`, span);
  const { type } = value.node;
  if (type.shape.length) {
    complain(frame, "shape", `${what} must be a scalar, got ${showType(type)}`, span, { help: "reduce it: mean(x) or sum(x)" });
  }
  return type.dtype === "f32" ? value.node : at(frame, span, () => ops.cast({ x: value.node }, { to: "f32" }));
}

export function settingStatement(s: Of<"freeze" | "setting">, frame: Frame): void {
  const { train } = frame.session;
  const globs: readonly GlobAt[] = s.globs;
  if (s.kind === "freeze") {
    train.freeze.push(...globs);
    return;
  }
  const { name, span } = s.name;
  if (name === "loss" || name === "optimizer") train.groups.push(...globs);
  const value = evaluate(s.value, frame);
  if (name === "loss") train.losses.push({ globs, value, span: s.value.span });
  else if (name === "optimizer") addOptimizer(frame, globs, value, s.value.span);
  else {
    const near = nearest(name, ["optimizer", "loss", "freeze"]);
    complain(frame, "train", `\`${name}\` takes no globs`, span, {
      help: near ? `did you mean \`${near}\`?` : "`optimizer` and `loss` do",
    });
  }
}
function addOptimizer(frame: Frame, globs: readonly GlobAt[] | null, value: Value, span: Span): void {
  if (isUnknown(value)) return;
  if (value.kind !== "optimizer") {
    complain(frame, "type", `\`optimizer\` must be an optimizer, got ${describe(value)}`, span, { help: "write optimizer = sgd(lr=0.1)" });
  }
  frame.session.train.optimizers.push({ globs, optimizer: value.optimizer, span });
}

/** A binding of the block: settings are names with a meaning, all others must be used. */
export function trainBinding(s: Of<"bind">, frame: Frame): void {
  for (const { name, span } of namesOf(s.pattern)) frame.session.bound.set(span, name);
  if (s.pattern.kind !== "name" || s.pattern.name !== "optimizer") return;
  const binding = frame.scope.names.get("optimizer");
  if (binding?.value) addOptimizer(frame, null, binding.value, s.value.span);
}
