/**
 * Sketches as programs that a person would have written:
 *
 *     v1 = Conv2d(image, 64, ...)        x = image |> conv1: Conv2d(64, ...) |> bn1: BatchNorm |> relu
 *     v2 = BatchNorm(v1)                 for i in range(3) { x = x |> layer1.{i}: Bottleneck(64) }
 *     v3 = relu(v2)                      ...
 *
 * The steps are ordered (linearise), repeated parts are found (structure) and become declarations (declarations,
 * hyper-parameters, labels), bodies are written (loops, statements, value-names, body).
 */
import { printType } from "../../ir/type.ts";
import { format } from "../frontend/format.ts";
import { type Body, bodyLines } from "./body.ts";
import { type Declaration, declarationsOf } from "./declarations.ts";
import { itemsOf } from "./dense.ts";
import { constantsOf, type HyperParameter, type Parameters, parametersByForm } from "./hyper-parameters.ts";
import type { Written } from "./items.ts";
import { labelsIn } from "./label-text.ts";
import { type BodyLabels, type Labels, labelAll } from "./labels.ts";
import { nameLayers } from "./layer-names.ts";
import { hintsOf, linearise } from "./linearise.ts";
import { printTerm } from "./print-term.ts";
import { type Node, type Program, programOf, type Value } from "./program.ts";
import { namesIn, reservedWords } from "./reserved.ts";
import type { Sketch, Weight } from "./sketch.ts";
import { structured } from "./structure.ts";
import { weightPaths } from "./weight-paths.ts";

export interface Decompiled {
  readonly text: string;
  /** By the path that the program gives them. */
  readonly weights: ReadonlyMap<string, Weight>;
  /** What a reader should know, in sentences. */
  readonly notes: readonly string[];
}

export function decompile(sketch: Sketch): Decompiled {
  const program = programOf(sketch);
  const linear = linearise(program);
  const nodes = structured(
    linear,
    program.outputs.map((o) => o.value),
  );
  const declarations = declarationsOf(nodes);
  const callees = namesIn(nodes);
  const taken = new Set([...reservedWords, ...callees]);
  const names = nameLayers(declarations, new Set([...taken, sketch.name]));
  const parameters = parametersByForm(declarations, program.types, taken);
  const labels = labelAll(nodes, declarations, (form) => names.get(form)!);
  const words = new Set([...taken, ...names.values()]);
  const labelWords = new Set(labelsIn(nodes).flatMap((l) => l?.split(".") ?? []));
  const hints = hintsOf(program, linear);
  const context: Context = { program, names, parameters, labels, taken: words, labelWords, hints };
  const texts = [...declarations.map((d) => declarationText(d, context)), modelText(sketch, nodes, context)];
  const dropped = linear.dropped.map((label) => `no output depends on ${label}: it is left out`);
  return { text: format(texts.join("\n\n"), `${sketch.name}.dlm`), weights: weightPaths(nodes, labels), notes: dropped };
}

interface Context {
  readonly program: Program;
  readonly names: ReadonlyMap<number, string>;
  readonly parameters: ReadonlyMap<number, Parameters>;
  readonly labels: Labels;
  readonly taken: ReadonlySet<string>;
  readonly labelWords: ReadonlySet<string>;
  /** Names of what is computed first for all parts. */
  readonly hints: ReadonlyMap<Value, string>;
}

function written(nodes: readonly Node[], labels: BodyLabels, constants: readonly Written["constants"][], c: Context): readonly Written[] {
  return nodes.map((node, i) => {
    const callee = node.kind === "group" ? { name: c.names.get(node.form)!, parameters: c.parameters.get(node.form)!.parameters } : null;
    return { node, label: labels[i]!, constants: constants[i]!, callee };
  });
}

function declarationText({ form, layer, occurrences }: Declaration, c: Context): string {
  const [{ nodes, operands, results }] = occurrences;
  const { parameters, input, constants } = c.parameters.get(form)!;
  const own = new Set(parameters.map((p) => p.name));
  const given = new Map<Value, string>();
  operands.forEach((v, k) => {
    const base =
      k === 0
        ? "x"
        : (hintFor(
            occurrences.map((o) => o.operands[k]!),
            c,
          ) ?? "extra");
    let name = base;
    for (let n = 2; own.has(name) || c.taken.has(name) || [...given.values()].includes(name); n++) name = `${base}${n}`;
    given.set(v, name);
  });
  const items = written(nodes, c.labels.byForm.get(form)!, constants, c);
  const lines = bodyLines({
    items: itemsOf(items, results),
    given,
    fixed: new Set(),
    wanted: new Map(),
    hints: new Map(),
    labelWords: c.labelWords,
    taken: new Set([...c.taken, ...own]),
    ends: { kind: "return", value: results[0] },
  });
  const tensors = [...given.values()].map((name, i) => (i === 0 && input ? `${name}: ${input}` : name));
  const head = `${layer ? "layer" : "fn"} ${c.names.get(form)}(${[...tensors, ...parameters.map(parameterText)].join(", ")})`;
  return block(head, lines);
}
/** What a value is called in the model, if it is the same everywhere. */
function hintFor(values: readonly Value[], { program, hints }: Context): string | null {
  const names = new Set(values.map((v) => hints.get(v) ?? program.inputs.find((i) => i.value === v)?.name ?? null));
  return names.size === 1 ? [...names][0]! : null;
}
function parameterText({ name, type, fallback }: HyperParameter): string {
  if (fallback) return `${name} = ${printTerm(fallback)}`;
  return type ? `${name}: ${type}` : name;
}

function modelText(sketch: Sketch, nodes: readonly Node[], c: Context): string {
  const { inputs, outputs } = c.program;
  const items = written(
    nodes,
    c.labels.model,
    nodes.map((n) => constantsOf(n, c.parameters)),
    c,
  );
  const leaving = outputs.map((o) => o.value);
  const isInput = new Set(inputs.map((i) => i.value));
  const wanted = new Map<Value, string>();
  for (const { name, value } of outputs) if (!isInput.has(value) && !wanted.has(value)) wanted.set(value, name);
  const looped = itemsOf(items, leaving);
  for (const item of looped) if (item.kind === "loop") wanted.delete(item.results[0]);
  const body: Body = {
    items: looped,
    given: new Map(inputs.map((i) => [i.value, i.name])),
    fixed: new Set([...inputs, ...outputs].map((i) => i.name)),
    wanted,
    hints: c.hints,
    labelWords: c.labelWords,
    taken: c.taken,
    ends: { kind: "outputs", outputs },
  };
  const params = sketch.inputs.map(({ name, type }) => `${name}: ${printType(type).replaceAll(",", ", ")}`);
  const doc = sketch.doc === null ? [] : sketch.doc.split("\n").map((l) => `## ${l}`.trimEnd());
  return [...doc, block(`model ${sketch.name}(${params.join(", ")}) -> ${outputs.map((o) => o.name).join(", ")}`, bodyLines(body))].join(
    "\n",
  );
}

const block = (head: string, lines: readonly string[]): string => [`${head} {`, ...lines.map((l) => `  ${l}`), "}"].join("\n");
