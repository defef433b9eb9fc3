/** Layers and functions that were found, as text. */
import { bodyLines } from "./body.ts";
import type { Declaration } from "./declarations.ts";
import { itemsOf } from "./dense.ts";
import type { HyperParameter, Parameters } from "./hyper-parameters.ts";
import type { Written } from "./items.ts";
import type { BodyLabels, Labels } from "./labels.ts";
import { printTerm } from "./print-term.ts";
import type { Node, Program, Value } from "./program.ts";

/** What all bodies of a program need to know. */
export interface Context {
  readonly program: Program;
  /** Of forms. */
  readonly names: ReadonlyMap<number, string>;
  readonly parameters: ReadonlyMap<number, Parameters>;
  readonly labels: Labels;
  /** Words that no value may be called. */
  readonly taken: ReadonlySet<string>;
  readonly labelWords: ReadonlySet<string>;
  /** Names of what is computed first for all parts. */
  readonly hints: ReadonlyMap<Value, string>;
}

export function declarationText({ form, layer, occurrences }: Declaration, c: Context): string {
  const [{ nodes, results }] = occurrences;
  const { parameters, input, constants } = c.parameters.get(form)!;
  const taken = new Set([...c.taken, ...parameters.map((p) => p.name)]);
  const given = operandNames(occurrences, taken, c);
  const lines = bodyLines({
    items: itemsOf(written(nodes, c.labels.byForm.get(form)!, constants, c), results),
    given,
    fixed: new Set(),
    wanted: new Map(),
    hints: new Map(),
    labelWords: c.labelWords,
    taken,
    ends: { kind: "return", value: results[0] },
  });
  const tensors = [...given.values()].map((name, i) => (i === 0 && input ? `${name}: ${input}` : name));
  return block(`${layer ? "layer" : "fn"} ${c.names.get(form)}(${[...tensors, ...parameters.map(parameterText)].join(", ")})`, lines);
}
export const block = (head: string, lines: readonly string[]): string => [`${head} {`, ...lines.map((l) => `  ${l}`), "}"].join("\n");

/** The nodes of a body with what its text gives them. */
export function written(
  nodes: readonly Node[],
  labels: BodyLabels,
  constants: readonly Written["constants"][],
  { names, parameters }: Context,
): readonly Written[] {
  return nodes.map((node, i) => {
    const callee = node.kind === "group" ? { name: names.get(node.form)!, parameters: parameters.get(node.form)!.parameters } : null;
    return { node, label: labels[i]!, constants: constants[i]!, callee };
  });
}

/** `x` and, for others, what they are called in the model if they are the same everywhere. */
function operandNames(occurrences: Declaration["occurrences"], taken: ReadonlySet<string>, c: Context): ReadonlyMap<Value, string> {
  const used = new Set(taken);
  return new Map(
    occurrences[0].operands.map((v, k) => {
      const everywhere = occurrences.map((o) => o.operands[k]!);
      const base =
        k === 0 ? "x" : (commonName(everywhere, c) ?? (new Set(everywhere).size === 1 && everywhere.length > 1 ? "context" : "extra"));
      let name = base;
      for (let n = 2; used.has(name); n++) name = `${base}${n}`;
      used.add(name);
      return [v, name];
    }),
  );
}
function commonName(values: readonly Value[], { program, hints }: Context): string | null {
  const names = new Set(values.map((v) => hints.get(v) ?? program.inputs.find((i) => i.value === v)?.name ?? null));
  return names.size === 1 ? [...names][0]! : null;
}

function parameterText({ name, type, fallback }: HyperParameter): string {
  if (fallback) return `${name} = ${printTerm(fallback)}`;
  return type ? `${name}: ${type}` : name;
}
