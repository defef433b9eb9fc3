/** Types in signatures: patterns that bind the names of dimensions or compare with what is known. */
import type { Note, Span } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { type DType, dtypes, type TensorType } from "../../../ir/type.ts";
import type { Dim, Expr, Type } from "../ast.ts";
import { evaluate } from "./expression.ts";
import { bind, complain, type Frame } from "./frame.ts";
import { bindingOf, declaredName } from "./names.ts";
import { limits } from "./session.ts";
import { nearest } from "./suggest.ts";
import { describe, int, isUnknown, list, showType, type Value } from "./values.ts";

export const constantTypes: readonly string[] = ["int", "float", "bool", "string", "list"];
/** `bool` without brackets is a constant, `bool[]` a tensor. */
export const isTensorType = (type: Type): boolean => type.dims !== null || !constantTypes.includes(type.name.name);

export function dtypeOf(frame: Frame, type: Type): DType {
  const found = dtypes.find((d) => d === type.name.name);
  if (found) return found;
  const near = nearest(type.name.name, [...dtypes, ...(type.dims ? [] : constantTypes)]);
  return complain(frame, "type", `there is no element type \`${type.name.name}\``, type.name.span, {
    help: near ? `did you mean \`${near}\`?` : `there are ${dtypes.join(", ")}`,
  });
}

/** What a mismatch says about the tensor: who wanted it and what the user sees there. */
export interface Matched {
  readonly node: Node;
  /** "conv1: Conv2d"; the parameter is named unless it is the first. */
  readonly subject: string;
  /** Where the caller is, and the place to point at. */
  readonly frame: Frame;
  readonly span: Span;
  readonly notes: readonly Note[];
  /** The argument as source text, for help; "x" if it has no short name. */
  readonly text: string;
}

/** Compares a tensor with a pattern of `frame`'s signature and binds the free names of dimensions. */
export function matchType(frame: Frame, type: Type, m: Matched): void {
  const { node } = m;
  const dtype = dtypeOf(frame, type);
  const dims = type.dims ?? [];
  checkRank(dims, m);
  if (node.type.dtype !== dtype) {
    complain(m.frame, "type", `${m.subject} expects ${dtype}, got ${showType(node.type)}`, m.span, {
      notes: m.notes,
      help: `convert it: cast(${m.text}, ${dtype})`,
    });
  }
  const spread = dims.findIndex((d) => d.kind === "rest");
  const extra = node.type.shape.length - (dims.length - 1);
  let axis = 0;
  dims.forEach((dim, i) => {
    if (i === spread) {
      matchRest(frame, dim, node.type.shape.slice(axis, axis + extra), m);
      axis += extra;
    } else matchDim(frame, dim, axis++, m);
  });
}

function checkRank(dims: readonly Dim[], m: Matched): void {
  const rank = m.node.type.shape.length;
  const least = dims.filter((d) => d.kind !== "rest").length;
  if (rank === least || (rank > least && least < dims.length)) return;
  const count = `${least < dims.length ? "at least " : ""}${least} dimension${least === 1 ? "" : "s"}`;
  const names = dims.length ? ` (${dims.map(showDim).join(", ")})` : "";
  const help =
    least === dims.length && rank > least && least >= 1
      ? `flatten it first: ${m.text} |> flatten, or reshape(${m.text}, [...])`
      : `reshape it first: reshape(${m.text}, [${dims.map(showDim).join(", ")}])`;
  complain(m.frame, "shape", `${m.subject} expects ${count}${names}, got ${showType(m.node.type)}`, m.span, { notes: m.notes, help });
}

export function showDim(dim: Dim): string {
  return dim.kind === "rest" ? `...${dim.value ? showExpr(dim.value) : ""}` : showExpr(dim.value);
}
function showExpr(e: Expr): string {
  switch (e.kind) {
    case "name":
      return e.name;
    case "int":
    case "float":
      return String(e.value);
    case "paren":
      return `(${showExpr(e.value)})`;
    case "unary":
      return `${e.op}${showExpr(e.value)}`;
    case "binary":
      return `${showExpr(e.left)} ${e.op} ${showExpr(e.right)}`;
    default:
      return "?";
  }
}

/** A name that the signature binds: nothing in the body, and no constant of the file, has it already. */
export function freeName(frame: Frame, e: Expr): string | null {
  if (e.kind !== "name" || bindingOf(frame, e.name)) return null;
  const declared = declaredName(frame, e.name);
  return declared?.kind === "declared" && declared.declaration.kind === "const" ? null : e.name;
}

function matchDim(frame: Frame, dim: Dim, axis: number, m: Matched): void {
  const extent = m.node.type.shape[axis]!;
  const free = freeName(frame, dim.value!);
  if (free !== null) {
    bind(frame, free, int(extent), "dimension", m.span);
    return;
  }
  const want = dimension(frame, dim.value!);
  if (want === null || want === extent) return;
  const binding = dim.value!.kind === "name" ? bindingOf(frame, dim.value!.name) : null;
  const notes: Note[] = binding?.span ? [{ message: `\`${showDim(dim)}\` is ${want}`, span: binding.span }] : [];
  const shown = dim.value!.kind === "int" ? String(want) : `${showDim(dim)} = ${want}`;
  complain(m.frame, "shape", `${m.subject} expects ${shown} in dimension ${axis}, got ${extent} in ${showType(m.node.type)}`, m.span, {
    notes: [...m.notes, ...notes],
  });
}

function matchRest(frame: Frame, dim: Dim, extents: readonly number[], m: Matched): void {
  if (!dim.value) return;
  const free = freeName(frame, dim.value);
  if (free !== null) {
    bind(frame, free, list(extents.map(int)), "dimension", m.span);
    return;
  }
  const want = spreadDims(frame, dim.value);
  if (want === null || (want.length === extents.length && want.every((d, i) => d === extents[i]))) return;
  complain(
    m.frame,
    "shape",
    `${m.subject} expects ${showDim(dim)} = [${want.join(", ")}], got [${extents.join(", ")}] in ${showType(m.node.type)}`,
    m.span,
    {
      notes: m.notes,
    },
  );
}

/** The extent that an expression of a type gives; null when it is unknown. */
export function dimension(frame: Frame, e: Expr): number | null {
  const value = evaluate(e, frame);
  return isUnknown(value) ? null : extentOf(frame, value, e.span);
}
function extentOf(frame: Frame, value: Value, span: Span): number {
  if (value.kind !== "int") {
    const code = value.kind === "tensor" ? "constant" : "type";
    return complain(frame, code, `a dimension is an int, got ${describe(value)}`, span, {
      help: value.kind === "float" ? "`/` gives a float; write `//`" : null,
    });
  }
  if (value.value < 1) complain(frame, "shape", `a dimension is at least 1, got ${value.value}`, span);
  if (value.value > limits.elements) complain(frame, "limit", `a dimension of ${value.value} is too large`, span);
  return value.value;
}
function spreadDims(frame: Frame, e: Expr): readonly number[] | null {
  const value = evaluate(e, frame);
  if (isUnknown(value)) return null;
  if (value.kind !== "list") return complain(frame, "type", `\`...\` needs a list of ints, got ${describe(value)}`, e.span);
  return value.items.map((v) => extentOf(frame, v, e.span));
}

/** A type all of whose dimensions are known, as in `param` and `state`; null when one is unknown. */
export function knownType(frame: Frame, type: Type): TensorType | null {
  const dtype = dtypeOf(frame, type);
  const shape: number[] = [];
  for (const dim of type.dims ?? []) {
    if (!dim.value) return complain(frame, "shape", "`...` needs a list here: ...shape", dim.span);
    const extents: readonly (number | null)[] | null = dim.kind === "rest" ? spreadDims(frame, dim.value) : [dimension(frame, dim.value)];
    for (const extent of extents ?? [null]) {
      if (extent === null) return null;
      shape.push(extent);
    }
  }
  return { dtype, shape, layout: null };
}

/** The type of an input of the program: free names get their values from outside; null when one is unknown. */
export function inputType(frame: Frame, type: Type): TensorType | null {
  const { world } = frame.session;
  for (const dim of type.dims ?? []) {
    const free = dim.kind === "dim" ? freeName(frame, dim.value) : null;
    if (free === null || dim.kind !== "dim") continue;
    const known = world.dims.get(free);
    const fallback = dim.fallback && known === undefined ? dimension(frame, dim.fallback) : null;
    const extent = known ?? world.freeDim(free, fallback);
    world.dims.set(free, extent);
    bind(frame, free, int(extent), "dimension", dim.span);
  }
  return knownType(frame, type);
}
