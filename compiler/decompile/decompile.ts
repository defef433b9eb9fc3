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
import { isUpperCase } from "../frontend/elaborate/paths.ts";
import { format } from "../frontend/format.ts";
import { type Context, declarationText } from "./declaration-text.ts";
import { declarationsOf } from "./declarations.ts";
import { parametersByForm } from "./hyper-parameters.ts";
import { labelsIn } from "./label-text.ts";
import { labelAll } from "./labels.ts";
import { nameLayers } from "./layer-names.ts";
import { hintsOf, linearise } from "./linearise.ts";
import { modelText } from "./model-text.ts";
import { programOf } from "./program.ts";
import { namesIn, reservedWords } from "./reserved.ts";
import { type Sketch, sizesIn, type Weight, withoutUnused } from "./sketch.ts";
import { structured } from "./structure.ts";
import { type Paths, weightPaths } from "./weight-paths.ts";

export interface Decompiled {
  readonly text: string;
  /** By the path that the program gives them. */
  readonly weights: ReadonlyMap<string, Weight>;
  /** What a reader should know, in sentences. */
  readonly notes: readonly string[];
}

export function decompile(given: Sketch): Decompiled {
  const sketch = withoutUnused(given);
  const program = programOf(sketch);
  const linear = linearise(program);
  const leaving = program.outputs.map((o) => o.value);
  const nodes = structured(linear, leaving);
  const declarations = declarationsOf(nodes);
  const callees = new Set([...reservedWords, ...namesIn(nodes), ...sizesIn(sketch.inputs)]);
  const name = callees.has(sketch.name) ? `${sketch.name}Model` : sketch.name;
  const outside = [...program.inputs, ...program.outputs].map((i) => i.name);
  const names = nameLayers(declarations, new Set([...callees, ...outside, name]));
  const labels = labelAll(nodes, declarations, (form) => names.get(form)!);
  const context: Context = {
    program,
    names,
    parameters: parametersByForm(declarations, program.types, callees),
    labels,
    taken: new Set([...callees, ...names.values()]),
    labelWords: new Set(labelsIn(nodes).flatMap((l) => l?.split(".") ?? [])),
    hints: hintsOf(program, linear),
  };
  const texts = [...declarations.map((d) => declarationText(d, context)), modelText(sketch, name, nodes, context)];
  const { weights, renamed } = weightPaths(nodes, labels);
  return {
    text: format(texts.join("\n\n"), `${name}.dlm`),
    weights,
    notes: [...notesOnDropped(given, sketch), ...notesOnRenamed(renamed)],
  };
}

const mostNamed = 5;
function notesOnDropped(given: Sketch, { steps }: Sketch): readonly string[] {
  const kept = new Set(steps);
  const dropped = given.steps.flatMap((s) =>
    !kept.has(s) && s.term.kind === "call" && isUpperCase(s.term.callee) ? (s.term.label ?? s.term.callee) : [],
  );
  return dropped.length === 0 ? [] : [`no output depends on ${listed(dropped)}: left out`];
}
function notesOnRenamed(renamed: Paths["renamed"]): readonly string[] {
  return renamed.length === 0
    ? []
    : [`labels that could not stay as they were: ${listed(renamed.map(([from, to]) => `${from} is ${to}`))}`];
}
function listed(names: readonly string[]): string {
  const more = names.length - mostNamed;
  return [...names.slice(0, mostNamed), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}
