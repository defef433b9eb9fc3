/** Parameters and states: declared in layers, kept by path, moved by `update`. */
import type { Node } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import { sameType, type TensorType } from "../../../ir/type.ts";
import type { Statement } from "../ast.ts";
import { variableOf } from "../walk.ts";
import { evaluate } from "./expression.ts";
import { at, bind, complain, type Frame, userSpan } from "./frame.ts";
import { initialNode } from "./initial.ts";
import { labelText } from "./labels.ts";
import { bindingOf, checkBindable, lookup } from "./names.ts";
import { adapt, binary } from "./operators.ts";
import { joinPath } from "./paths.ts";
import { knownType } from "./signature.ts";
import { tensorValue } from "./tensors.ts";
import { describe, isScalar, isUnknown, showType, unknown, type Value } from "./values.ts";

type Declaration = Extract<Statement, { kind: "param" | "state" }>;

export function declareVariable(s: Declaration, frame: Frame): void {
  const name = variableOf(s.label, s.as);
  if (name === null)
    complain(frame, "label", "this label is not a plain name: say what it is called here", s.label.span, {
      help: `${s.kind} weight_{i} as w: ...`,
    });
  checkBindable(frame, name, s.as?.span ?? s.label.span);
  if (!frame.instance) complain(frame, "name", `the fn \`${frame.name}\` owns no ${s.kind}`, s.span, { help: "declare it as a `layer`" });
  const label = labelText(frame, s.label);
  const type = knownType(frame, s.type);
  const initial = evaluate(s.value, frame);
  if (label === null || type === null || isUnknown(initial)) {
    bind(frame, name, unknown, s.kind, s.span);
    return;
  }
  if (s.kind === "param" && type.dtype !== "f32")
    complain(frame, "type", `a param is trained, so it is f32, not ${type.dtype}`, s.type.span, {
      help: "what is not trained is a `state`",
    });
  const path = joinPath(frame.instance.path, label);
  claim(frame, s, label, path);
  const leaf = variable(frame, s, path, type, initial);
  const value = frame.session.states.get(path) ?? leaf;
  if (s.kind === "state") frame.session.statePaths.set(value, path);
  bind(frame, name, { kind: "tensor", node: value }, s.kind, s.span);
}

/** A path is made at one place: by one statement of one instance. */
function claim(frame: Frame, s: Declaration, label: string, path: string): void {
  const before = frame.labels.get(label);
  if (before)
    complain(frame, "label", `the label \`${label}\` is used twice`, s.label.span, {
      notes: [{ message: "it is used before", span: before }],
    });
  frame.labels.set(label, s.label.span);
  const { made } = frame.session;
  const had = made.get(path);
  if (had && (had.statement !== s || had.instance !== frame.instance)) {
    complain(frame, "label", `two places make the parameter \`${path}\``, s.label.span, {
      notes: [{ message: "it is made before", span: had.span }],
      help: "give one of the layers another label",
    });
  }
  if (!had) made.set(path, { statement: s, instance: frame.instance!, span: userSpan(frame, s.span) });
}

/** The leaf of a path: the same in all applications and in all walks. */
function variable(frame: Frame, s: Declaration, path: string, type: TensorType, initial: Value): Node {
  const { variables } = frame.session.world;
  const had = variables.get(path);
  if (had) {
    if (had.declaration.kind === s.kind && sameType(had.leaf.type, type)) return had.leaf;
    const before = `${had.declaration.kind} ${showType(had.leaf.type)}`;
    return complain(frame, "shape", `\`${path}\` is a ${s.kind} ${showType(type)} here and was a ${before} before`, s.span, {
      notes: had.declaration.span ? [{ message: "it was declared", span: had.declaration.span }] : [],
    });
  }
  const start = initialNode(frame, initial, type, path, s.value.span);
  const leaf = tensorValue(frame, s.span, () =>
    (s.kind === "param" ? ops.param : ops.state)({}, { name: path, dtype: type.dtype, shape: type.shape }),
  );
  if (leaf.kind !== "tensor") return complain(frame, "type", "not a tensor", s.span);
  const span = userSpan(frame, s.span);
  variables.set(path, { declaration: { kind: s.kind, name: path, type, initial: start, saved: false, doc: s.doc, span }, leaf: leaf.node });
  return leaf.node;
}

/** `update`: the last value in program order is kept for the next step; what reads the state after it sees the new value. */
export function updateState(s: Extract<Statement, { kind: "update" }>, frame: Frame): void {
  if (!frame.training) {
    complain(frame, "train", "`update` outside of training: prediction is a function of inputs and weights alone", s.span, {
      help: "put it under `if training { ... }`",
    });
  }
  const path = stateOf(frame, s.name.name);
  if (path === null) {
    const binding = bindingOf(frame, s.name.name);
    if (binding?.value && isUnknown(binding.value)) return;
    lookup(frame, s.name);
    complain(frame, "name", `\`${s.name.name}\` is not a state of this body`, s.name.span, {
      help: `declare it: state ${s.name.name}: f32[...] = ...`,
    });
  }
  const { leaf } = frame.session.world.variables.get(path)!;
  const value = newValue(s, frame);
  if (isUnknown(value)) return;
  const node = stateValue(frame, s, value, leaf);
  frame.session.updates.set(path, node);
  const read = at(frame, s.span, () => (node.type.dtype === "f32" ? ops.stopGradient({ x: node }) : node));
  frame.session.states.set(path, read);
  frame.session.statePaths.set(read, path);
  bind(frame, s.name.name, { kind: "tensor", node: read }, "state", bindingOf(frame, s.name.name)?.span ?? s.span);
}
function newValue(s: Extract<Statement, { kind: "update" }>, frame: Frame): Value {
  const value = evaluate(s.value, frame);
  if (s.op === "=") return value;
  const left = { value: lookup(frame, s.name), expr: s.name };
  return binary(frame, s.op.slice(0, 1) as "+" | "-" | "*" | "/", left, { value, expr: s.value }, s.span);
}
function stateValue(frame: Frame, s: Extract<Statement, { kind: "update" }>, value: Value, leaf: Node): Node {
  const { type } = leaf;
  if (isScalar(value)) {
    const x = at(frame, s.value.span, () => adapt(frame, "`update`", value, type.dtype, s.value.span));
    return type.shape.length ? at(frame, s.value.span, () => ops.broadcast({ x }, { shape: type.shape })) : x;
  }
  if (value.kind === "tensor" && sameType(value.node.type, type)) return value.node;
  return complain(frame, "shape", `the state \`${s.name.name}\` is ${showType(type)}, got ${describe(value)}`, s.value.span);
}

/** The path of the state that a name was declared as, in this body. */
function stateOf(frame: Frame, name: string): string | null {
  const binding = bindingOf(frame, name);
  if (binding?.form !== "state" || binding.value?.kind !== "tensor") return null;
  return frame.session.statePaths.get(binding.value.node) ?? null;
}
