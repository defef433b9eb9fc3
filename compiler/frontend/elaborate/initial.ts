/** Initial values: a number, or a function of the shape; they depend on the seed and the parameter's path alone. */
import type { Span } from "../../../ir/diagnostic.ts";
import { type Node, reachable } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import { sameShape, sizeOf, type TensorType } from "../../../ir/type.ts";
import { applyFunction } from "./apply.ts";
import { type Argument, matchArguments } from "./arguments.ts";
import { callBuiltin } from "./builtin.ts";
import { at, complain, type Frame } from "./frame.ts";
import { adapt } from "./operators.ts";
import { hashText } from "./paths.ts";
import { limits } from "./session.ts";
import { describe, int, isScalar, list, showType, type Value } from "./values.ts";

export function initialNode(frame: Frame, value: Value, type: TensorType, path: string, span: Span): Node {
  if (sizeOf(type.shape) > limits.elements) complain(frame, "limit", `${showType(type)} has more than ${limits.elements} elements`, span);
  const { seed, zero } = frame.session.world;
  const key = hashText(`initial ${path}`);
  const random = (kind: "uniform" | "normal"): Node =>
    (kind === "uniform" ? ops.randomUniform : ops.randomNormal)({ seed, counter: zero }, { key, shape: type.shape });
  const made =
    value.kind === "initializer" ? at(frame, span, () => value.make(type.shape, random)) : fromValue(frame, value, type, path, span);
  return typed(frame, made, type, path, span);
}

function fromValue(frame: Frame, value: Value, type: TensorType, path: string, span: Span): Node {
  if (isScalar(value)) return at(frame, span, () => adapt(frame, `the initial value of \`${path}\``, value, type.dtype, span));
  if (value.kind === "tensor") return independent(frame, value.node, path, span);
  if (value.kind === "function" || value.kind === "builtin") return fromFunction(frame, value, type, path, span);
  return complain(frame, "type", `an initial value is a number or a function of the shape, got ${describe(value)}`, span, {
    help: "write zeros, ones, normal(std=0.02), he_normal() or a fn of your own",
  });
}

function fromFunction(frame: Frame, f: Extract<Value, { kind: "function" | "builtin" }>, type: TensorType, path: string, span: Span): Node {
  const { zero } = frame.session.world;
  const inner: Frame = { ...frame, kind: "initial", counter: zero, place: `initial ${path}`, instance: null };
  const name = f.kind === "builtin" ? f.builtin.name : f.declaration.name.name;
  const shape: Argument = { name: null, value: list(type.shape.map(int)), span, expr: null };
  const c = { frame: inner, span, subject: name, callee: name, place: inner.place, training: false };
  const given = f.kind === "builtin" && f.builtin.initializer ? [] : [shape];
  const result = f.kind === "builtin" ? callBuiltin(f.builtin, given, c) : callFunction(f, shape, c);
  if (result.kind === "initializer" || isScalar(result)) return initialNode(frame, result, type, path, span);
  if (result.kind === "tensor") return independent(frame, result.node, path, span);
  if (result.kind === "unknown") return ops.full({}, { value: 0, dtype: type.dtype, shape: type.shape });
  return complain(frame, "type", `the initial value of \`${path}\` must be a tensor, got ${describe(result)}`, span);
}
function callFunction(f: Extract<Value, { kind: "function" }>, shape: Argument, c: Parameters<typeof applyFunction>[2]): Value {
  const names = f.declaration.params.map((p) => p.name.name);
  return applyFunction(f, matchArguments(names, names, [shape], c), c);
}

/** It may not depend on inputs, nor on other parameters. */
function independent(frame: Frame, node: Node, path: string, span: Span): Node {
  const leaf = reachable([node]).find((n) => ["input", "param", "state"].includes(n.op.schema.name));
  if (!leaf) return node;
  return complain(
    frame,
    "constant",
    `the initial value of \`${path}\` depends on the ${leaf.op.schema.name} \`${leaf.attrs.name}\``,
    span,
    {
      help: "it is computed once, before there are inputs",
    },
  );
}

/** Numbers are repeated, and the zeros and ones of functions take the declared element type. */
function typed(frame: Frame, node: Node, type: TensorType, path: string, span: Span): Node {
  const full = node.op === ops.full && node.type.dtype !== type.dtype;
  const x = full ? at(frame, span, () => ops.full({}, { ...node.attrs, dtype: type.dtype })) : node;
  if (x.type.dtype !== type.dtype || (x.type.shape.length > 0 && !sameShape(x.type.shape, type.shape))) {
    complain(frame, "shape", `the initial value of \`${path}\` is ${showType(x.type)}, declared is ${showType(type)}`, span);
  }
  return sameShape(x.type.shape, type.shape) ? x : at(frame, span, () => ops.broadcast({ x }, { shape: type.shape }));
}
