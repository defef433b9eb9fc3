/** What `dlm diff` found, as text and as JSON. */
import { type Diagnostic, diagnostic, type Note, renderDiagnostics, type Span } from "../../ir/diagnostic.ts";
import type { Node } from "../../ir/graph/graph.ts";
import { printType, type Shape, type TensorType, tensor } from "../../ir/type.ts";
import { type Agreement, agrees } from "../compare/agreement.ts";
import type { Located } from "../compare/locate.ts";
import { phaseOf } from "../compare/watch.ts";
import { type Base, type Compared, clearGradient, type Row, type RowKind } from "./diff-compare.ts";
import { short } from "./progress.ts";
import type { Target } from "./settings.ts";
import { columns, plural } from "./weights-list.ts";

export interface Difference extends Compared {
  /** Of every operation, with `--all`. */
  readonly values: readonly Row[];
  readonly located: Located | null;
}
/** A variable that a seed fills with other values on some target. */
export interface Initial {
  readonly target: Target;
  readonly name: string;
  readonly shape: Shape;
  readonly span: Span | null;
  readonly agreement: Agreement;
}

export function describeDiff(base: Base, differences: readonly Difference[], initial: readonly Initial[]): string {
  const found = [...initialDiagnostics(base, initial), ...differences.flatMap((d) => diagnosticOf(base, d) ?? [])];
  const parts = [
    ...(found.length > 0 ? [renderDiagnostics(found, base.built.stages.module.sources)] : []),
    head(base, differences, initial),
    resultTable(base, differences),
    ...differences.flatMap((d) => leftOutText(d) ?? []),
    ...(differences.some((d) => d.values.length > 0) ? [valueTable(differences)] : []),
  ];
  return `${parts.join("\n\n")}\n`;
}

function head({ built, tolerance }: Base, differences: readonly Difference[], initial: readonly Initial[]): string {
  const differs = (t: Target) => initial.some((i) => i.target === t) || differences.some((d) => d.target === t && d.located);
  const named = (list: readonly Target[]) => list.join(" and ");
  const [wrong, right] = [differences.filter((d) => differs(d.target)), differences.filter((d) => !differs(d.target))].map((l) =>
    l.map((d) => d.target),
  ) as [Target[], Target[]];
  const said = [
    ...(right.length > 0 ? [`${named(right)} ${right.length > 1 ? "agree" : "agrees"} with ${built.target} to ${tolerance}`] : []),
    ...(wrong.length > 0 ? [`${named(wrong)} ${wrong.length > 1 ? "do" : "does"} not`] : []),
  ];
  return right.length > 0
    ? `${built.program.name}: ${said.join(", ")}; largest errors, relative to the rms:`
    : `${built.program.name}: ${named(wrong)} against ${built.target}; largest errors, relative to the rms:`;
}

/* ---- the operation ------------------------------------------------------------------------------------------------ */

function diagnosticOf(base: Base, { target, located, rows }: Difference): Diagnostic | null {
  if (!located) return null;
  const { node, agreement, together, right } = located;
  const output = rows.find((r) => !agrees(r.agreement));
  const notes: Note[] = [
    place(agreement, node.type, target, base),
    ...(together.length > 0 ? together.slice(0, mostTogether).map((n) => togetherNote(n)) : [operandsNote(located)]),
    ...(right.size > 0 ? [rightNote(located)] : []),
    ...(output ? [{ message: `as compiled, ${titleOf(output)} is off by ${short(output.agreement.error)}`, span: null }] : []),
  ];
  return diagnostic(
    "diff",
    `${nameOf(node)}${phaseText[phaseOf(base.built.subject, node)]} differs on ${target}`,
    node.origin?.span ?? null,
    {
      notes,
      help: `dlm inspect ${base.job.path}${base.job.train ? " --train" : ""} --target ${target} --emit kernels shows its loops`,
    },
  );
}
const mostTogether = 5;

/** `relu` of conv1. */
const nameOf = ({ op, origin }: Node): string => `\`${op.schema.name}\`${origin?.path ? ` of ${origin.path}` : ""}`;
const phaseText = { forward: "", backward: " in the backward pass", update: " in the update" } as const;

function place(a: Agreement, type: Pick<TensorType, "dtype" | "shape">, target: Target, { built, tolerance }: Base): Note {
  const where = type.shape.length > 0 ? ` at ${indexText(a.index, type.shape)}` : "";
  const values = `${target} has ${exactly(a.found)}, ${built.target} ${exactly(a.expected)}`;
  const count = `${a.beyond.toLocaleString("en")} of ${plural(a.elements, "element")} beyond the tolerance of ${tolerance}`;
  const error = `an error of ${short(a.error)} relative to ${short(a.scale)}`;
  return { message: `${printType(tensor(type.dtype, type.shape))}${where}: ${values}, ${error}; ${count}`, span: null };
}
const togetherNote = (n: Node): Note => ({
  message: `only where it is computed together with ${nameOf(n)}: the difference is gone when that is kept in memory`,
  span: n.origin?.span ?? null,
});
const operandsNote = ({ node }: Located): Note => {
  const made = node.inputs.filter((x) => x.op.schema.kind !== "leaf" && x.op.schema.kind !== "creation");
  return { message: made.length > 0 ? "what it is computed from agrees" : "it is computed from inputs and variables alone", span: null };
};
function rightNote({ right }: Located): Note {
  const worst = Math.max(...[...right.values()].map((a) => a.error));
  return {
    message: `${plural(right.size, "value")} compared before it or beside it: ${right.size === 1 ? "agrees" : "all agree"}, largest error ${short(worst)}`,
    span: null,
  };
}
/** The first of each target. */
const initialDiagnostics = (base: Base, initial: readonly Initial[]): readonly Diagnostic[] =>
  [...new Set(initial.map((i) => i.target))].map((target) => {
    const [first, ...others] = initial.filter((i) => i.target === target) as [Initial, ...Initial[]];
    const { name, shape, span, agreement } = first;
    return diagnostic("diff", `the initial value of ${name} differs on ${target}`, span, {
      notes: [
        place(agreement, { dtype: "f32", shape }, target, base),
        ...(others.length > 0 ? [{ message: `so ${others.length > 1 ? "do" : "does"} ${namesOf(others)}`, span: null }] : []),
        { message: `what follows is compared with the initial values of ${base.built.target}`, span: null },
      ],
    });
  });
const mostNames = 5;
function namesOf(initial: readonly Initial[]): string {
  const names = initial.slice(0, mostNames).map((i) => i.name);
  return `${names.join(", ")}${initial.length > mostNames ? ` and ${initial.length - mostNames} more` : ""}`;
}

const indexText = (index: number, shape: Shape): string => `[${indicesOf(index, shape).join(", ")}]`;
function indicesOf(index: number, shape: Shape): readonly number[] {
  let rest = index;
  return shape
    .toReversed()
    .map((d) => {
      const i = rest % d;
      rest = Math.floor(rest / d);
      return i;
    })
    .toReversed();
}
/** As many digits as a float has. */
const exactly = (x: number): string => (Number.isFinite(x) ? String(Number(x.toPrecision(8))) : String(x));

/* ---- tables -------------------------------------------------------------------------------------------------------- */

const titles: Readonly<Record<RowKind, string>> = {
  output: "output",
  gradient: "gradient of",
  parameter: "updated",
  state: "state",
  slot: "optimizer's",
  value: "value",
};
const titleOf = ({ kind, name }: Row): string => `${titles[kind]} ${name}`;
/** Of these there are as many as parameters: the worst of each kind is shown. */
const many: readonly RowKind[] = ["gradient", "parameter", "state", "slot"];

function resultTable({ built }: Base, differences: readonly Difference[]): string {
  const [first] = differences;
  if (!first) return `nothing to compare with ${built.target}`;
  const shown = first.rows.filter((r) => !many.includes(r.kind)).map((r) => [r]);
  const groups = many.map((kind) => first.rows.filter((r) => r.kind === kind)).filter((g) => g.length > 0);
  const lines = [...shown, ...groups].map((group) => {
    const names = group.length === 1 ? titleOf(group[0]!) : `${plural(group.length, nouns[group[0]!.kind])}`;
    const type = group.length === 1 ? printType({ ...group[0]!.node.type, layout: null }) : "";
    return [names, type, ...differences.map((d) => worstOf(d, group))];
  });
  return columns([["", "", ...differences.map((d) => d.target)], ...lines].map(indented), `ll${"r".repeat(differences.length)}`);
}
const nouns: Readonly<Record<RowKind, string>> = {
  output: "output",
  gradient: "gradient",
  parameter: "updated parameter",
  state: "state",
  slot: "optimizer's value",
  value: "value",
};
const indented = ([first, ...rest]: readonly string[]): readonly string[] => [`  ${first}`, ...rest];
function worstOf({ rows }: Difference, group: readonly Row[]): string {
  const own = rows.filter((r) => group.some((g) => g.kind === r.kind && g.name === r.name));
  const worst = own.reduce((a, b) => (b.agreement.error > a.agreement.error ? b : a));
  return `${short(worst.agreement.error)}${agrees(worst.agreement) ? "" : " !"}${own.length > 1 && !agrees(worst.agreement) ? ` ${worst.name}` : ""}`;
}

/** Elements that say nothing of a target are left out, but not in silence; null: there are none. */
function leftOutText({ target, rows }: Difference): string | null {
  const updated = rows.filter((r) => r.kind === "parameter" || r.kind === "slot").map((r) => r.agreement);
  const leftOut = updated.reduce((n, a) => n + a.leftOut, 0);
  if (leftOut === 0) return null;
  const all = updated.reduce((n, a) => n + a.elements, leftOut);
  return (
    `${target}: ${leftOut.toLocaleString("en")} of ${plural(all, "element")} of updated parameters and the optimizer's values are not ` +
    `compared:\ntheir gradients are off by more than ${clearGradient} of themselves, and rounding decides which way such a step goes`
  );
}

/** Every operation in order, with its line. */
function valueTable(differences: readonly Difference[]): string {
  const lines = differences[0]!.values.map((row, i) => [
    lineOf(row.node),
    row.name,
    row.node.origin?.path ?? "",
    printType({ ...row.node.type, layout: null }),
    ...differences.map((d) => errorText(d.values[i]!.agreement)),
  ]);
  const titleRow = ["line", "operation", "layer", "type", ...differences.map((d) => d.target)];
  return columns([titleRow, ...lines].map(indented), `llll${"r".repeat(differences.length)}`);
}
const errorText = (a: Agreement): string => `${short(a.error)}${agrees(a) ? "" : " !"}`;
const lineOf = ({ origin }: Node): string => (origin?.span ? `${origin.span.file}:${origin.span.start.line}` : "");

/* ---- JSON ---------------------------------------------------------------------------------------------------------- */

export function jsonDiff(base: Base, differences: readonly Difference[], initial: readonly Initial[]): string {
  const { built, tolerance } = base;
  return JSON.stringify({
    agree: initial.length === 0 && differences.every((d) => !d.located),
    base: built.target,
    tolerance,
    initial: initial.map(({ target, name, shape, span, agreement }) => ({
      target,
      name,
      ...jsonPlace(span),
      ...jsonAgreement(agreement, shape),
    })),
    targets: differences.map(({ target, rows, values, located }) => ({
      target,
      first: located && jsonLocated(base, located),
      results: rows.map((r) => ({
        kind: r.kind,
        name: r.name,
        shape: r.node.type.shape,
        ...jsonAgreement(r.agreement, r.node.type.shape),
      })),
      ...(values.length > 0
        ? { values: values.map((r) => ({ ...jsonNode(r.node), ...jsonAgreement(r.agreement, r.node.type.shape) })) }
        : {}),
    })),
  });
}
const jsonLocated = ({ built }: Base, { node, agreement, together, right }: Located) => ({
  ...jsonNode(node),
  phase: phaseOf(built.subject, node),
  ...jsonAgreement(agreement, node.type.shape),
  together: together.map(jsonNode),
  agreeing: right.size,
});
const jsonNode = ({ op, type, origin }: Node) => ({
  operation: op.schema.name,
  shape: type.shape,
  layer: origin?.path ?? "",
  ...jsonPlace(origin?.span ?? null),
});
const jsonPlace = (span: Span | null) => ({ file: span?.file ?? null, line: span?.start.line ?? null, column: span?.start.column ?? null });
/** Numbers that JSON cannot hold are texts. */
const jsonAgreement = (a: Agreement, shape: Shape) => ({
  agrees: agrees(a),
  error: jsonNumber(a.error),
  index: indicesOf(a.index, shape),
  found: jsonNumber(a.found),
  expected: jsonNumber(a.expected),
  beyond: a.beyond,
  elements: a.elements,
  left_out: a.leftOut,
});
const jsonNumber = (x: number): number | string => (Number.isFinite(x) ? x : String(x));
