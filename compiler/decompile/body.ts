/** The text of a body: declarations of variables, statements, what it gives back. */
import { invariant } from "../../ir/diagnostic.ts";
import { breakLine } from "./break-line.ts";
import type { Item } from "./items.ts";
import { printFlow } from "./print-flow.ts";
import { printTerm } from "./print-term.ts";
import type { Value } from "./program.ts";
import { type Term, value, valuesIn } from "./sketch.ts";
import { type Statement, statementsOf, termsOf } from "./statements.ts";
import { type Naming, nameValues } from "./value-names.ts";

export interface Body extends Omit<Naming, "leaving"> {
  readonly items: readonly Item[];
  readonly ends:
    | { readonly kind: "return"; readonly value: Value }
    | { readonly kind: "outputs"; readonly outputs: readonly { readonly name: string; readonly value: Value }[] };
}

/** Lines without indentation. */
export function bodyLines(body: Body): readonly string[] {
  const { ends } = body;
  const leaving = ends.kind === "return" ? [ends.value] : ends.outputs.map((o) => o.value);
  const statements = withCopies(statementsOf(body.items, leaving, ends.kind === "return"), body, leaving);
  const variables = variablesOf(body);
  const naming: Naming = {
    ...body,
    given: new Map([...body.given, ...variables.names]),
    fixed: new Set([...body.fixed, ...variables.names.values()]),
    leaving,
  };
  const names = nameValues(statements, naming);
  const nameOf = (v: Value): string => {
    const name = names.get(v);
    invariant(name !== undefined, "a value has no name");
    return name;
  };
  if (ends.kind === "outputs") {
    const copies = ends.outputs.filter((o) => nameOf(o.value) !== o.name).map((o) => `${o.name} = ${nameOf(o.value)}`);
    return [...variables.lines, ...statements.flatMap((s) => statementLines(s, nameOf)), ...copies];
  }
  const last = statements.at(-1);
  const returned = last?.kind === "bind" && last.results.length === 1 && last.results[0] === ends.value ? last : null;
  const lines = statements.filter((s) => s !== returned).flatMap((s) => statementLines(s, nameOf));
  const text = returned ? textOf(returned.term, nameOf) : nameOf(ends.value);
  return [...variables.lines, ...lines, ...breakLine(`return ${text}`)];
}

const textOf = (t: Term, nameOf: (v: Value) => string): string => printFlow(t, (v) => nameOf(Number(v)));
function statementLines(s: Statement, nameOf: (v: Value) => string): readonly string[] {
  const target = s.results.map(nameOf).join(", ");
  const lines = termsOf(s).map((t) => assignment(target, t, nameOf));
  if (s.kind === "bind") return lines.flatMap(breakLine);
  if (lines.length === 1) return [`for ${s.header} { ${lines[0]} }`];
  return [`for ${s.header} {`, ...lines.map((l) => `  ${l}`), "}"];
}
function assignment(target: string, t: Term, nameOf: (v: Value) => string): string {
  const updates = t.kind === "binary" && ["+", "-", "*", "/"].includes(t.op) && t.left.kind === "value";
  if (updates && textOf(t.left, nameOf) === target) return `${target} ${t.op}= ${textOf(t.right, nameOf)}`;
  return `${target} = ${textOf(t, nameOf)}`;
}

/** A loop binds one name again and again: it begins with a copy where its source keeps its own name. */
function withCopies(statements: readonly Statement[], { given, wanted, fixed }: Body, leaving: readonly Value[]): readonly Statement[] {
  return statements.flatMap((s, i): readonly Statement[] => {
    if (s.kind !== "loop") return [s];
    const { source } = s;
    const keeps = wanted.has(source) || fixed.has(given.get(source) ?? "") || leaving.includes(source);
    if (!keeps && !statements.slice(i + 1).some((t) => termsOf(t).some((term) => valuesIn(term).includes(String(source))))) return [s];
    const copy = -1 - i;
    return [
      { kind: "bind", results: [copy], term: value(String(source)) },
      { ...s, source: copy, terms: s.terms.map((t) => replaced(t, source, copy)) },
    ];
  });
}
/** The first argument of a call. */
const replaced = (t: Term, from: Value, to: Value): Term =>
  t.kind === "call" ? { ...t, args: t.args.map((x) => (x.kind === "value" && x.name === String(from) ? value(String(to)) : x)) } : t;

const initial = { f32: "zeros", i32: "0", u8: "0", bool: "false" } as const;
function variablesOf({ items, taken, given, wanted }: Body): {
  readonly lines: readonly string[];
  readonly names: ReadonlyMap<Value, string>;
} {
  const names = new Map<Value, string>();
  const used = new Set([...taken, ...given.values(), ...wanted.values()]);
  const lines = items.flatMap((item) => {
    if (item.kind !== "variable") return [];
    const { node, label, extents } = item;
    const base = label.split(".").findLast((p) => /^[A-Za-z]/.test(p)) ?? "w";
    let name = base;
    for (let k = 2; used.has(name); k++) name = `${base}${k}`;
    used.add(name);
    names.set(node.results[0], name);
    const type = `${node.dtype}[${extents.map((c) => printTerm(c!)).join(", ")}]`;
    return [`${node.word} ${label}${name === label ? "" : ` as ${name}`}: ${type} = ${initial[node.dtype]}`];
  });
  return { lines, names };
}
