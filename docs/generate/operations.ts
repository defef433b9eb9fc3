/** The page of the graph's operations: their schemas, and the comments above them. */
import { invariant } from "../../ir/diagnostic.ts";
import type { Attr } from "../../ir/graph/graph.ts";
import type { AttrSpec, Op, OpKind } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { banner, code, page, prose, table } from "./markdown.ts";
import { operationComments } from "./op-comments.ts";

const kinds: Readonly<Record<OpKind, string>> = {
  leaf: "Memory, or a literal list: what a graph reads.",
  creation: "Computed from attributes and the index alone.",
  elementwise: "An element of the result comes from the elements of the operands at the same index, after broadcasting.",
  view: "An element of the result is one element of an operand, elsewhere, or a constant.",
  copy: "The operand in memory of its own.",
  fold: "An element of the result is a reduction.",
  scatter: "A row of the result is the sum of the elements that name it.",
  contraction: "An element of the result is a sum of products, computed in tiles.",
  composite: "Short for several other operations, which the pass `decompose` puts in its place.",
  opaque: "Replaced by a pass of its own before anything is lowered.",
};

export function operationsPage(): string {
  const comments = operationComments();
  const entries = Object.entries(ops) as readonly (readonly [string, Op])[];
  const section = (kind: OpKind): string => {
    const rows = entries.filter(([, op]) => op.schema.kind === kind).map(([key, op]) => operationRow(key, op, comments));
    return `## ${capital(kind)}\n\n${kinds[kind]}\n\n${table(["operation", "attributes", "gradient", "meaning"], rows)}`;
  };
  return page(
    banner("`ir/ops/`"),
    "# Operations of the graph",
    "What models are made of after elaboration, as `dlm inspect FILE --emit graph` prints it. Programs in the language do " +
      "not name these operations; they call the functions of [the library](library.md), which are made of them. " +
      "[ARCHITECTURE.md](../ARCHITECTURE.md) says how operations become loops.",
    "Attributes are written with their kind and default. Axes count from 0, spatial padding is before and after each axis. " +
      "Gradient: *yes*, a rule of its own; *replaced*, the operation is put in terms of others first; *zero*, wherever " +
      "there is one; empty, none. A derivative stops at the last two.",
    ...(Object.keys(kinds) as readonly OpKind[]).map(section),
  );
}
const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

function operationRow(key: string, op: Op, comments: ReadonlyMap<string, string>): readonly string[] {
  const { name, inputs, attrs, kind } = op.schema;
  const meaning = comments.get(key);
  invariant(meaning, `the operation ${name} has no comment in ir/ops that says what it means`);
  const gradient = op.grad ? "yes" : op.flat ? "zero" : kind === "composite" || kind === "opaque" ? "replaced" : "";
  return [code(`${name}(${inputs.join(", ")})`), Object.entries(attrs).map(attribute).join(", "), gradient, prose(meaning)];
}
const attribute = ([name, { kind, default: value }]: readonly [string, AttrSpec]): string =>
  code(`${name}: ${kind}${value === undefined ? "" : ` = ${written(value)}`}`);
const written = (value: Attr): string => (Array.isArray(value) ? `[${value.join(", ")}]` : String(value));
