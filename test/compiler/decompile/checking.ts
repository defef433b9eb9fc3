/** Whether what was decompiled does what the sketch says: same operations on the same weights, under the paths that were told. */
import { expect } from "vitest";
import { type Decompiled, decompile } from "../../../compiler/decompile/decompile.ts";
import { printOpenType, printTerm } from "../../../compiler/decompile/print-term.ts";
import type { Sketch, Weight } from "../../../compiler/decompile/sketch.ts";
import type { Graph, Node } from "../../../ir/graph/graph.ts";
import { printType } from "../../../ir/type.ts";
import { build, variables } from "../frontend/elaborating.ts";

/** The sketch step by step: every value a name, every layer a label. */
export function plainly({ inputs, steps, variables: free, outputs }: Sketch): {
  readonly text: string;
  readonly weights: ReadonlyMap<string, Weight>;
} {
  const weights = new Map<string, Weight>();
  const nameOf = (v: string) => `v_${v.replace(/\W/g, "_")}`;
  const lines: string[] = [];
  for (const v of free) {
    const type = `${v.type.dtype}[${v.type.shape.join(", ")}]`;
    const start = v.type.dtype === "f32" ? "zeros" : v.type.dtype === "bool" ? "false" : "0";
    lines.push(`${v.trained ? "param" : "state"} ${nameOf(v.name)}: ${type} = ${start}`);
    weights.set(nameOf(v.name), v);
  }
  steps.forEach(({ results, term, weights: own }, k) => {
    const labelled = term.kind === "call" && /^[A-Z]/.test(term.callee) ? { ...term, label: `l${k}` } : term;
    lines.push(`${results.map(nameOf).join(", ")} = ${printTerm(labelled, nameOf)}`);
    for (const [path, w] of own) weights.set(`l${k}.${path}`, w);
  });
  for (const { name, value } of outputs) lines.push(`${name} = ${nameOf(value)}`);
  const head = inputs.map((i) => `${nameOf(i.name)}: ${printOpenType(i.type)}`).join(", ");
  const body = lines.map((l) => `  ${l}\n`).join("");
  return { text: `model Plain(${head}) -> ${outputs.map((o) => o.name).join(", ")} {\n${body}}\n`, weights };
}

/** Decompiles, and holds the result against the sketch executed step by step. */
export function checked(sketch: Sketch): Decompiled {
  const made = decompile(sketch);
  const plain = plainly(sketch);
  const module = build(made.text);
  expect(declared(made.weights, new Set(sketch.variables.filter((v) => !v.trained)))).toEqual([...variables(module)].sort());
  expect(module.forward.inputs.map((i) => i.attrs.name)).toEqual(sketch.inputs.map((i) => i.name));
  const identities = new Map<Weight, number>();
  for (const w of plain.weights.values()) identities.set(w, identities.size);
  const shown = (graph: Graph, weights: ReadonlyMap<string, Weight>) => show(graph, (path) => `w${identities.get(weights.get(path)!)}`);
  expect(shown(module.forward, made.weights)).toEqual(shown(build(plain.text).forward, plain.weights));
  return made;
}
const declared = (weights: ReadonlyMap<string, Weight>, untrained: ReadonlySet<Weight>): readonly string[] => {
  const states = /\.(running_mean|running_var)$/;
  return [...weights]
    .map(([path, w]) => `${untrained.has(w) || states.test(path) ? "state " : ""}${path} ${w.type.dtype}[${w.type.shape.join(",")}]`)
    .sort();
};

/** One line for each operation that the outputs need, in an order that does not depend on how the graph was built. */
function show(graph: Graph, nameOf: (path: string) => string): readonly string[] {
  const lines: string[] = [];
  const known = new Map<Node, number>();
  const detail = (node: Node): string => {
    const { name } = node.op.schema;
    if (name === "input") return String(graph.inputs.indexOf(node));
    return name === "param" || name === "state" ? nameOf(String(node.attrs.name)) : JSON.stringify(node.attrs);
  };
  const visit = (root: Node): number => {
    const stack = [root];
    for (let node = stack.at(-1); node; node = stack.at(-1)) {
      const open = known.has(node) ? [] : node.inputs.filter((n) => !known.has(n));
      if (open.length > 0) {
        stack.push(open[0]!);
        continue;
      }
      stack.pop();
      if (known.has(node)) continue;
      lines.push(`${node.op.schema.name}(${node.inputs.map((n) => known.get(n)).join()}) ${detail(node)} ${printType(node.type)}`);
      known.set(node, known.size);
    }
    return known.get(root)!;
  };
  return [...graph.outputs.map(({ name, value }) => `${name} = ${visit(value)}`), ...lines];
}
