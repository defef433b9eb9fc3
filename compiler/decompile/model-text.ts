/** The model as text. Its inputs and outputs are called as they were, whatever functions are called. */
import { bodyLines } from "./body.ts";
import { block, type Context, written } from "./declaration-text.ts";
import { itemsOf } from "./dense.ts";
import { constantsOf } from "./hyper-parameters.ts";
import type { Item } from "./items.ts";
import { printOpenType } from "./print-term.ts";
import type { Node, Value } from "./program.ts";
import { avoidedWords, namesIn } from "./reserved.ts";
import { mapTerm, type Sketch, sizesIn, type Term } from "./sketch.ts";

/** `name`: of the model. */
export function modelText(sketch: Sketch, name: string, nodes: readonly Node[], c: Context): string {
  const { inputs, outputs } = c.program;
  const leaving = outputs.map((o) => o.value);
  const outside = new Set([...[...inputs, ...outputs].map((i) => i.name), ...sizesIn(sketch.inputs)]);
  const index = ["i", "j", "k", "n"].find((letter) => !outside.has(letter)) ?? "index";
  const constants = nodes.map((n) => constantsOf(n, c.parameters));
  const items = itemsOf(written(nodes, c.labels.model, constants, c), leaving, index);
  const aliases = aliasesFor(new Set(inputs.map((i) => i.name)), nodes, items, c);
  const given = new Map(inputs.map((i) => [i.value, i.name]));
  const lines = bodyLines({
    items: aliases.size > 0 ? items.map((item) => renamed(item, aliases)) : items,
    given,
    // An input called x may be bound again like any x.
    fixed: new Set([...inputs.map((i) => i.name).filter((n) => n !== "x"), ...outputs.map((o) => o.name)]),
    wanted: outputNames(items, c),
    hints: c.hints,
    labelWords: c.labelWords,
    taken: new Set([...c.taken, index]),
    ends: { kind: "outputs", outputs },
  });
  const params = sketch.inputs.map((i) => `${i.name}: ${printOpenType(i.type)}`);
  const head = `model ${name}(${params.join(", ")}) -> ${outputs.map((o) => o.name).join(", ")}`;
  const doc = sketch.doc === null ? [] : sketch.doc.split("\n").map((l) => `## ${l}`.trimEnd());
  const consts = [...aliases].map(([callee, alias]) => `const ${alias} = ${callee}`);
  return [...consts, ...(consts.length > 0 ? [""] : []), ...doc, block(head, lines)].join("\n");
}

/** Values that get their names where they are computed. What is called like a function gets its name at the end. */
function outputNames(items: readonly Item[], c: Context): ReadonlyMap<Value, string> {
  const { inputs, outputs } = c.program;
  const others = new Set([...inputs.map((i) => i.value), ...items.flatMap((item) => (item.kind === "loop" ? item.results : []))]);
  const names = new Map<Value, string>();
  const isFree = (name: string): boolean => !c.taken.has(name) || avoidedWords.has(name);
  for (const { name, value } of outputs) if (!others.has(value) && !names.has(value) && isFree(name)) names.set(value, name);
  return names;
}

/** Other names for functions that the model calls and that its inputs are called like. */
function aliasesFor(inputs: ReadonlySet<string>, nodes: readonly Node[], items: readonly Item[], c: Context): ReadonlyMap<string, string> {
  const counts = items.some((item) => item.kind === "loop") ? ["range"] : [];
  const called = [...namesIn(nodes.filter((n) => n.kind === "leaf")), ...counts].filter((name) => inputs.has(name));
  return new Map(
    called.map((name) => {
      let alias = `${name}_`;
      while (inputs.has(alias) || c.taken.has(alias)) alias += "_";
      return [name, alias];
    }),
  );
}
function renamed(item: Item, aliases: ReadonlyMap<string, string>): Item {
  if (item.kind === "step") return { ...item, build: (operands: readonly Term[]) => withAliases(item.build(operands), aliases) };
  if (item.kind === "variable") return item;
  const header = item.header.replace(/\brange\(/, `${aliases.get("range") ?? "range"}(`);
  return { ...item, header, build: (source: Term) => item.build(source).map((t) => withAliases(t, aliases)) };
}
function withAliases(t: Term, aliases: ReadonlyMap<string, string>): Term {
  const inside = mapTerm(t, (x) => withAliases(x, aliases));
  if (inside.kind === "word") return { ...inside, text: aliases.get(inside.text) ?? inside.text };
  return inside.kind === "call" ? { ...inside, callee: aliases.get(inside.callee) ?? inside.callee } : inside;
}
