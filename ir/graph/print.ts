/**
 * Graphs as text; `parse.ts` reads it back.
 *
 *     graph step(%x: f32[1,3,32,32]) {
 *       @conv1.weight = param "conv1.weight" f32[16,3,3,3]
 *       %0 = conv2d(%x, @conv1.weight) : f32[1,16,30,30]
 *       %1 = relu(%0) : f32[1,16,30,30]{0 2 3 1}
 *       return y = %1
 *     }
 *
 * Attributes equal to their default are left out. Names are made while printing.
 */
import { names } from "../kernel/build.ts";
import type { AttrSpec } from "../op.ts";
import { printType } from "../type.ts";
import { printAttr, sameAttr } from "./attribute.ts";
import { type Graph, type Node, type Origin, topological, variableKinds } from "./graph.ts";

export const isVariable = (n: Node): boolean => variableKinds.some((kind) => kind === n.op.schema.name);
/** What needs no quotes. */
export const plainName = /^[A-Za-z_][\w.]*$/;
const printName = (name: string): string => (plainName.test(name) ? name : JSON.stringify(name));

/** `%x` for inputs, `@w` for variables, `%0` and so on for the rest. */
export function nameNodes(g: Graph): ReadonlyMap<Node, string> {
  const named = new Map<Node, string>();
  const freshInput = names();
  const freshVariable = names();
  for (const x of g.inputs) if (!named.has(x)) named.set(x, `%${freshInput(wordFrom(x))}`);
  let count = 0;
  for (const n of topological(g)) {
    if (!named.has(n)) named.set(n, isVariable(n) ? `@${freshVariable(wordFrom(n))}` : `%${count++}`);
  }
  return named;
}
const wordFrom = (leaf: Node): string => {
  const word = String(leaf.attrs.name ?? leaf.op.schema.name).replace(/[^\w.]/g, "_");
  return plainName.test(word) ? word : `_${word}`;
};

/** `origins` adds a comment with the place in the source to every line. */
export function printGraph(g: Graph, { origins = false }: { readonly origins?: boolean } = {}): string {
  const named = nameNodes(g);
  const name = (n: Node) => named.get(n)!;
  const comment = (n: Node) => (origins && n.origin ? `  # ${printOrigin(n.origin)}` : "");
  const nodes = topological(g).filter((n) => !g.inputs.includes(n));
  const lines = [
    ...nodes
      .filter(isVariable)
      .map((n) => `${name(n)} = ${n.op.schema.name} ${JSON.stringify(n.attrs.name)} ${printType(n.type)}${comment(n)}`),
    ...nodes.filter((n) => !isVariable(n)).map((n) => `${name(n)} = ${printCall(n, name)} : ${printType(n.type)}${comment(n)}`),
    `return ${g.outputs.map((o) => `${printName(o.name)} = ${name(o.value)}`).join(", ")}`.trimEnd(),
    ...g.updates.map((u) => `update ${name(u.target)} = ${name(u.value)}`),
  ];
  const inputs = g.inputs.map((x) => `${name(x)}${quotedUnlessNamed(x, name(x))}: ${printType(x.type)}`);
  return `graph ${printName(g.name)}(${inputs.join(", ")}) {\n${lines.map((l) => `  ${l}\n`).join("")}}\n`;
}
/** An input whose name is no word, or was taken, carries it in quotes. */
const quotedUnlessNamed = (x: Node, shown: string): string => (shown === `%${x.attrs.name}` ? "" : ` ${JSON.stringify(x.attrs.name)}`);

function printCall(n: Node, name: (n: Node) => string): string {
  const attrs = Object.entries(n.attrs).filter(([key, value]) => !isDefault(n.op.schema.attrs[key], value));
  const list = attrs.map(([key, value]) => `${key}=${printAttr(value)}`).join(", ");
  return `${n.op.schema.name}(${n.inputs.map(name).join(", ")})${list && ` {${list}}`}`;
}
const isDefault = (spec: AttrSpec | undefined, value: Node["attrs"][string]): boolean =>
  spec?.default !== undefined && sameAttr(spec.default, value);

export const printOrigin = ({ path, span }: Origin): string =>
  [path, span && `${path ? "at " : ""}${span.file}:${span.start.line}:${span.start.column}`].filter((s) => s).join(" ");
