/** An ONNX model as a sketch of a program: nodes one after the other, each by the rule of its operator. */
import { CompileError } from "../../../ir/diagnostic.ts";
import { sizeOf } from "../../../ir/type.ts";
import type { Sketch } from "../../decompile/sketch.ts";
import { nodeLabel } from "../../formats/onnx/label.ts";
import type { OnnxGraph, OnnxModel, OnnxNode } from "../../formats/onnx/model.ts";
import type { ReadExternal } from "../../formats/onnx/tensor.ts";
import { attributesOf } from "./attributes.ts";
import { knownSparse, knownTensor } from "./constants.ts";
import { type Context, isKnown, type Operator } from "./context.ts";
import { withCopies } from "./copies.ts";
import { evaluateNode } from "./evaluate.ts";
import { readersOf, scoped, subgraphsOf, type Task, tasksOf } from "./flatten.ts";
import { ownDomain, recoverIdioms } from "./idioms.ts";
import { mergePools } from "./merge-pools.ts";
import { newNames } from "./names.ts";
import { newRecorder, type Recorder } from "./recorder.ts";
import { operators, recoveredOperators } from "./rules/index.ts";
import { claimSignature, inputTypes, sketchOf, takenNames } from "./signature.ts";
import { cast, live, wrapped } from "./terms.ts";
import { type Known, known, type Live, languageType, misfit, type Operand, type Trouble, Unsupported, unsupported } from "./values.ts";

export interface ImportOptions {
  /** Of the model in the program; "" takes it from the file. */
  readonly name: string;
  /** Of the file, for messages. */
  readonly file: string;
  /** Extents of named dimensions; 1 where nothing is said. */
  readonly dims: Readonly<Record<string, number>>;
  readonly external: ReadExternal | null;
}
/** A node that cannot be imported. */
export interface Problem {
  readonly node: string;
  readonly op: string;
  readonly opset: number;
  readonly reason: string;
  readonly trouble: Trouble;
}
export interface Imported {
  readonly sketch: Sketch;
  readonly nodes: number;
  /** Nodes whose results are constants. */
  readonly folded: number;
  readonly warnings: readonly string[];
}
export type Result =
  | { readonly kind: "imported"; readonly imported: Imported }
  | { readonly kind: "problems"; readonly nodes: number; readonly problems: readonly Problem[] };

/** Largest tables that are computed while importing. */
const foldedElements = 2 ** 20;
const oldest = 1;
const newest = 28;

interface State {
  readonly model: OnnxModel;
  readonly options: ImportOptions;
  readonly recorder: Recorder;
  /** Those inside of nodes join when they are entered, under names of their own. */
  readonly readers: Map<string, readonly (Task | null)[]>;
  readonly readings: Map<string, number>;
  /** Names of the results of graphs. */
  readonly results: Set<string>;
  /** null: what makes it cannot be imported. */
  readonly values: Map<string, Operand | null>;
  readonly initializers: Map<string, () => Known>;
  readonly problems: Problem[];
  readonly warnings: Set<string>;
  /** The draft holds an error: nothing can be added. */
  broken: boolean;
  folded: number;
  /** Graphs that were entered. */
  graphs: number;
}

export function importModel(model: OnnxModel, options: ImportOptions): Result {
  const nodes = countNodes(model.graph);
  const graph = withCopies(model.graph);
  const names = newNames(takenNames());
  const signature = claimSignature(graph, names);
  const state: State = {
    model,
    options,
    recorder: newRecorder(names),
    readers: new Map(),
    readings: new Map(),
    results: new Set(),
    values: new Map(),
    initializers: new Map(),
    problems: [],
    warnings: new Set(warningsOf(model)),
    broken: false,
    folded: 0,
    graphs: 0,
  };
  const inputs = inputTypes(signature, options);
  for (const { original, name, type, element } of inputs) state.values.set(original, { ...state.recorder.input(name, type), element });
  runGraph(graph, model.opsets, "", state);
  const failed = (): Result => ({ kind: "problems", nodes, problems: state.problems });
  if (state.problems.length) return failed();
  const outputs = signature.outputs.map(({ original, name }) => ({ name, value: resultOf(original, state)?.name ?? "" }));
  if (state.problems.length) return failed();
  const sketch = sketchOf({ model, options, recorder: state.recorder, inputs, outputs, signature });
  return { kind: "imported", imported: { sketch, nodes, folded: state.folded, warnings: [...state.warnings] } };
}

const countNodes = (g: OnnxGraph): number =>
  g.nodes.reduce((n, node) => n + 1 + subgraphsOf(node).reduce((m, sub) => m + countNodes(sub), 0), 0);
const warningsOf = (model: OnnxModel): string[] => {
  const opset = model.opsets.get("") ?? 0;
  return opset > newest ? [`the model uses operator set ${opset}; those up to ${newest} are known`] : [];
};

/** The nodes of a graph, whose own values are in the scope. */
function runGraph(graph: OnnxGraph, opsets: Task["opsets"], scope: string, state: State): void {
  const { external } = state.options;
  for (const t of graph.initializers) state.initializers.set(scope + t.name, () => knownTensor(t, external, true));
  for (const s of graph.sparseInitializers) state.initializers.set(scope + s.values.name, () => knownSparse(s, external));
  const own = scope === "" ? graph : scoped(graph, scope);
  const tasks = mergePools(recoverIdioms(tasksOf(own.nodes, { ...state.model, opsets }, scope), own), own);
  for (const o of own.outputs) state.results.add(o.name);
  for (const [name, list] of readersOf(tasks)) state.readers.set(name, [...(state.readers.get(name) ?? []), ...list]);
  countReadings(tasks, state);
  tasks.forEach((task, i) => {
    if (!state.broken) runTask(task, i, state);
  });
}
/** The results of a graph inside of a node. */
function subgraph(graph: OnnxGraph, { node, opsets }: Task, state: State): readonly (Operand | null)[] {
  const scope = `${node.opType}\0${++state.graphs}/`;
  runGraph(graph, opsets, scope, state);
  const own = scoped(graph, scope);
  return own.outputs.map((o) => operandNamed(o.name, state) ?? null);
}

/** undefined: not made yet. */
function operandNamed(name: string, state: State): Operand | null | undefined {
  const here = state.values.get(name);
  const make = here === undefined ? state.initializers.get(name) : undefined;
  if (!make) return here;
  const value = make();
  state.values.set(name, value);
  return value;
}
/** null: a problem, which is noted. */
function resultOf(original: string, state: State): Live | null {
  const task = { node: outputNode(original), opsets: state.model.opsets };
  try {
    const value = operandNamed(original, state) ?? misfit("nothing makes it");
    return live(contextOf(task, [value], state.recorder, false, state), value);
  } catch (error) {
    state.problems.push({ node: `output ${JSON.stringify(original)}`, op: "", opset: opsetOf(task), ...troubleOf(error, state) });
    return null;
  }
}
const outputNode = (name: string): OnnxNode => ({
  name: "",
  opType: "Identity",
  domain: "",
  overload: "",
  doc: "",
  inputs: [name],
  outputs: [name],
  attributes: [],
});

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

function runTask(task: Task, index: number, state: State): void {
  const { node } = task;
  try {
    const given = node.inputs.map((name) => (name === "" ? null : (operandNamed(name, state) ?? null)));
    const lost = node.inputs.some((name, i) => name !== "" && given[i] === null);
    const operator = operatorOf(task);
    bindResults(node, lost ? [] : applied(operator, task, given, state), state);
  } catch (error) {
    bindResults(node, [], state);
    state.problems.push({ node: nodeLabel(index, node.name, ""), op: node.opType, opset: opsetOf(task), ...troubleOf(error, state) });
  }
}
function bindResults({ outputs }: OnnxNode, results: readonly (Operand | null)[], { values }: State): void {
  for (const [i, name] of outputs.entries()) if (name !== "") values.set(name, results[i] ?? null);
}
const opsetOf = ({ node, opsets }: Task): number => opsets.get(node.domain) ?? opsets.get("") ?? 0;

function operatorOf(task: Task): Operator {
  const { node } = task;
  if (node.domain === "" && opsetOf(task) < oldest) return unsupported(`its operator set is older than ${oldest}`);
  const known =
    node.domain === "" ? operators.get(node.opType) : node.domain === ownDomain ? recoveredOperators.get(node.opType) : undefined;
  if (known) return known;
  return unsupported(node.domain === "" ? "there is no such operator in dlm" : `operators of the domain "${node.domain}" are not in dlm`);
}

/** What was wrong, in one sentence; a fault of ours is thrown on. */
function troubleOf(error: unknown, state: State): Pick<Problem, "reason" | "trouble"> {
  if (error instanceof Unsupported) return { reason: error.message, trouble: error.trouble };
  if (!(error instanceof CompileError)) throw error;
  const ofFile = error.diagnostics.every((d) => d.code === "onnx");
  if (!ofFile) state.broken = true;
  return { reason: error.diagnostics.map((d) => d.message).join("; "), trouble: ofFile ? "data" : "misfit" };
}

/** Constants are computed at once, as far as they are not too large, and no parameter would be there several times. */
function applied(operator: Operator, task: Task, operands: readonly (Operand | null)[], state: State): readonly (Operand | null)[] {
  const constant = operator.folds && operands.some((o) => o) && operands.every((o) => o === null || isKnown(o));
  const folded =
    constant && sizes(operands) <= foldedElements && !isTied(task, operands, state) ? fold(operator, task, operands, state) : null;
  const [first = null] = operands;
  const repeats = folded !== null && isTrained(first) && sizes(folded.filter(isTrained)) > sizes(operands.filter((o) => !isShape(o)));
  const stays = repeats || (folded !== null && isTrained(first) && isPartOf(first, task, state));
  const given = stays ? operands.with(0, state.recorder.variable(first)) : operands;
  const results = folded === null || stays ? run(operator, contextOf(task, given, state.recorder, false, state)) : folded;
  if (results.every((r) => r === null || isKnown(r))) state.folded++;
  return results;
}
const sizes = (operands: readonly (Operand | null)[]): number => operands.reduce((n, o) => n + (o ? sizeOf(o.shape) : 0), 0);
/** What says how, and not what. */
const isShape = (o: Operand | null): boolean => o?.element === "int64" || o?.element === "int32";
const isTrained = (o: Operand | null): o is Known => isKnown(o) && o.trained && o.data.length > 0;
/** Rows of a table that are added to something, as many as there are positions: there are others for longer inputs. */
const isPartOf = ({ shape, name }: Known, { node }: Task, { readers }: State): boolean =>
  node.opType === "Slice" &&
  name !== null &&
  shape.length > 1 &&
  (readers.get(node.outputs[0]!) ?? []).every((reader) => reader !== null && added.has(reader.node.opType));
const added: ReadonlySet<string> = new Set(["Add", "Sub", "Mul"]);
/** The other side of a table that the model reads as it is, too: the transposed weights of an embedding. */
const isTied = ({ node }: Task, [first = null]: readonly (Operand | null)[], state: State): boolean =>
  node.opType === "Transpose" && isKnown(first) && first.dtype === "f32" && first.name !== null && readingsOf(first.name, state) > 1;

function run(operator: Operator, context: Context): readonly (Operand | null)[] {
  checkAttributes(operator, context);
  const results = operator.rule(context);
  const list = "kind" in results ? [results] : results;
  return list.map((r, i) => r && typed(context, r, i, operator));
}
function checkAttributes({ attributes }: Operator, { node, opset }: Context): void {
  // before version 6 every operator said which operands it may overwrite
  const strange = node.attributes.map((a) => a.name).filter((a) => !attributes.includes(a) && !(a === "consumed_inputs" && opset < 6));
  if (strange.length === 0) return;
  unsupported(
    `its attribute${strange.length > 1 ? "s" : ""} ${strange.map((a) => `\`${a}\``).join(", ")} ${strange.length > 1 ? "are" : "is"} not known`,
  );
}
/** Result i as the file's type. What is folded keeps its type in the language, until it is computed. */
function typed(c: Context, r: Operand, i: number, { results, wraps }: Operator): Operand {
  const type = results && (results[Math.min(i, results.length - 1)] ?? null);
  const element = typeof type === "number" ? c.inputs[type]?.element : type;
  if (isKnown(r) || !element) return r;
  const dtype = languageType(element);
  if (dtype === "u8" && r.dtype === "i32") return c.folding ? { ...r, element } : live(c, cast(c, r, "u8"));
  if (dtype !== r.dtype) return r;
  return wraps && !c.folding ? wrapped(c, { ...r, element }) : { ...r, element };
}

/** null: the result is too large, or takes too long. */
function fold(operator: Operator, task: Task, operands: readonly (Operand | null)[], state: State): readonly (Known | null)[] | null {
  const aside = state.recorder.aside();
  const results = run(operator, contextOf(task, operands, aside, true, state));
  if (results.some((r) => r && sizeOf(r.shape) > foldedElements)) return null;
  const [first = null] = operands;
  const name = keepsName.has(task.node.opType) && isKnown(first) ? first.name : null;
  const trained = operands.some(isTrained);
  const folded: (Known | null)[] = [];
  for (const r of results) {
    if (r === null || isKnown(r)) {
      folded.push(r);
      continue;
    }
    const data = evaluateNode(r.node, r.element, aside.leafData);
    if (data === null) return null;
    folded.push(known(r.element, r.shape, data, name, trained));
  }
  return folded;
}

function contextOf(task: Task, inputs: readonly (Operand | null)[], recorder: Recorder, folding: boolean, state: State): Context {
  const { node } = task;
  return {
    node,
    opset: opsetOf(task),
    attributes: attributesOf(node),
    inputs,
    recorder,
    folding,
    wanted: (i) => isRead(node.outputs[i] ?? "", state),
    shared: (value) => value.name !== null && readingsOf(value.name, state) > 1,
    constant: (tensor) => knownTensor(tensor, state.options.external, false),
    subgraph: (graph) => subgraph(graph, task, state),
    warn: (text) => void state.warnings.add(text),
  };
}
const isRead = (name: string, { readers, results }: State): boolean => name !== "" && (readers.has(name) || results.has(name));

const passing: ReadonlySet<string> = new Set(["Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Cast", "Flatten"]);
/** What these make of a table is still called by its name. */
const keepsName: ReadonlySet<string> = new Set([...passing, "DequantizeLinear"]);
/** How many nodes compute with a value, seen through those that only rearrange it. */
const readingsOf = (name: string, state: State): number => state.readings.get(name) ?? countOne(name, state);
function countOne(name: string, { readers, readings, results }: State): number {
  const list = readers.get(name) ?? [];
  const tasks = new Set(list.filter((task) => task !== null));
  let count = (results.has(name) ? 1 : 0) + list.filter((task) => task === null).length;
  for (const { node } of tasks) {
    const passes = passing.has(node.opType) && node.inputs[0] === name;
    count += passes ? Math.max(1, readings.get(node.outputs[0]!) ?? 0) : 1;
  }
  return count;
}
/** From the end, so that what reads a value is counted before it. */
function countReadings(tasks: readonly Task[], state: State): void {
  for (const { node } of tasks.toReversed()) for (const name of node.outputs) state.readings.set(name, countOne(name, state));
}
