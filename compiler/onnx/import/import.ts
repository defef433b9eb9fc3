/** An ONNX model as a sketch of a program: nodes one after the other, each by the rule of its operator. */
import { CompileError } from "../../../ir/diagnostic.ts";
import { sizeOf } from "../../../ir/type.ts";
import type { Sketch } from "../../decompile/sketch.ts";
import { nodeLabel } from "../../formats/onnx/label.ts";
import type { OnnxGraph, OnnxModel, OnnxNode } from "../../formats/onnx/model.ts";
import type { ReadExternal } from "../../formats/onnx/tensor.ts";
import { attributesOf } from "./attributes.ts";
import { knownSparse, knownTensor } from "./constants.ts";
import { type Context, type Follower, isKnown, type Rule } from "./context.ts";
import { evaluateNode } from "./evaluate.ts";
import { readersOf, subgraphsOf, type Task, tasksOf } from "./flatten.ts";
import { recoverIdioms } from "./idioms.ts";
import { mergePools } from "./merge-pools.ts";
import { newNames } from "./names.ts";
import { newRecorder, type Recorder } from "./recorder.ts";
import { rules } from "./rules/index.ts";
import { claimSignature, inputTypes, sketchOf, takenNames } from "./signature.ts";
import { live } from "./terms.ts";
import { type Known, known, type Live, type Operand, Unsupported, unsupported } from "./values.ts";

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
  readonly readers: ReadonlyMap<string, readonly (Task | null)[]>;
  /** Names of the model's results. */
  readonly results: ReadonlySet<string>;
  /** null: what makes it cannot be imported. */
  readonly values: Map<string, Operand | null>;
  readonly initializers: Map<string, () => Known>;
  readonly problems: Problem[];
  /** Nodes that another one has done. */
  readonly absorbed: Set<OnnxNode>;
  /** The draft holds an error: nothing can be added. */
  broken: boolean;
  folded: number;
}

export function importModel(model: OnnxModel, options: ImportOptions): Result {
  const { graph } = model;
  const nodes = countNodes(graph);
  const tasks = mergePools(recoverIdioms(tasksOf(graph.nodes, model), graph), graph);
  const names = newNames(takenNames());
  const signature = claimSignature(graph, names);
  const state: State = {
    model,
    options,
    recorder: newRecorder(names),
    readers: readersOf(tasks),
    results: new Set(graph.outputs.map((o) => o.name)),
    values: new Map(),
    initializers: new Map(),
    problems: [],
    absorbed: new Set(),
    broken: false,
    folded: 0,
  };
  addInitializers(graph, state);
  const inputs = inputTypes(signature, options);
  for (const { original, name, type } of inputs) state.values.set(original, state.recorder.input(name, type));
  runTasks(tasks, state);
  if (state.problems.length) return { kind: "problems", nodes, problems: state.problems };
  const outputs = signature.outputs.map(({ original, name }) => ({ name, value: resultOf(original, state)?.name ?? "" }));
  if (state.problems.length) return { kind: "problems", nodes, problems: state.problems };
  const sketch = sketchOf({ model, options, recorder: state.recorder, inputs, outputs, signature });
  return { kind: "imported", imported: { sketch, nodes, folded: state.folded, warnings: warningsOf(model) } };
}

const countNodes = (g: OnnxGraph): number =>
  g.nodes.reduce((n, node) => n + 1 + subgraphsOf(node).reduce((m, sub) => m + countNodes(sub), 0), 0);
const warningsOf = (model: OnnxModel): string[] => {
  const opset = model.opsets.get("") ?? 0;
  return opset > newest ? [`the model uses operator set ${opset}; those up to ${newest} are known`] : [];
};

function addInitializers(graph: OnnxGraph, { initializers, options: { external } }: State): void {
  for (const t of graph.initializers) initializers.set(t.name, () => knownTensor(t, external, true));
  for (const s of graph.sparseInitializers) initializers.set(s.values.name, () => knownSparse(s, external));
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
    const value = operandNamed(original, state) ?? unsupported("nothing makes it");
    return live(contextOf(task, [value], state.recorder, false, state).context, value);
  } catch (error) {
    state.problems.push({ node: `output ${JSON.stringify(original)}`, op: "", opset: opsetOf(task), reason: reasonOf(error, state) });
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

function runTasks(tasks: readonly Task[], state: State): void {
  tasks.forEach((task, i) => {
    if (!state.broken && !state.absorbed.has(task.node)) runTask(task, i, state);
  });
}

function runTask(task: Task, index: number, state: State): void {
  const { node } = task;
  try {
    const given = node.inputs.map((name) => (name === "" ? null : operandNamed(name, state)));
    const lost = node.inputs.some((name, i) => name !== "" && given[i] === null);
    const rule = ruleOf(task);
    const operands = given.map((o) => o ?? null);
    const results = lost
      ? []
      : node.opType === "If" && node.domain === ""
        ? branch(task, operands, state)
        : applied(rule, task, operands, state);
    bindResults(node, lost ? [] : results, state);
  } catch (error) {
    bindResults(node, [], state);
    state.problems.push({ node: nodeLabel(index, node.name, ""), op: node.opType, opset: opsetOf(task), reason: reasonOf(error, state) });
  }
}
function bindResults({ outputs }: OnnxNode, results: readonly (Operand | null)[], { values }: State): void {
  for (const [i, name] of outputs.entries()) if (name !== "" && !values.has(name)) values.set(name, results[i] ?? null);
}
const opsetOf = ({ node, opsets }: Task): number => opsets.get(node.domain) ?? opsets.get("") ?? 0;

function ruleOf(task: Task): Rule {
  const { node } = task;
  if (node.domain === "" && opsetOf(task) < oldest) throw new Unsupported(`its operator set is older than ${oldest}`);
  const rule = node.domain === "" || node.domain === idiomDomain ? rules.get(node.opType) : undefined;
  if (rule || (node.opType === "If" && node.domain === "")) return rule ?? (() => []);
  throw new Unsupported(
    node.domain === "" ? "there is no such operator in dlm" : `operators of the domain "${node.domain}" are not in dlm`,
  );
}
const idiomDomain = "";

/** What was wrong, in one sentence; a fault of ours is thrown on. */
function reasonOf(error: unknown, state: State): string {
  if (error instanceof Unsupported) return error.message;
  if (!(error instanceof CompileError)) throw error;
  state.broken = error.diagnostics.some((d) => d.code !== "onnx");
  return error.diagnostics.map((d) => d.message).join("; ");
}

/** Constants are computed at once, as far as they are not too large. */
function applied(rule: Rule, task: Task, operands: readonly (Operand | null)[], state: State): readonly (Operand | null)[] {
  const constant = operands.some((o) => o) && operands.every((o) => o === null || isKnown(o));
  const size = operands.reduce((n, o) => n + (o ? sizeOf(o.shape) : 0), 0);
  const folded = constant && size <= foldedElements && !isTied(task, operands, state) ? fold(rule, task, operands, state) : null;
  const results = folded ?? run(rule, task, operands, state.recorder, false, state);
  if (results.every((r) => r === null || isKnown(r))) state.folded++;
  return results;
}
/** The other side of a table that the model reads as it is, too: the transposed weights of an embedding. */
function isTied({ node }: Task, [first]: readonly (Operand | null)[], state: State): boolean {
  return (
    node.opType === "Transpose" &&
    !!first &&
    isKnown(first) &&
    first.dtype === "f32" &&
    first.name !== null &&
    readings(first.name, state) > 1
  );
}
function run(
  rule: Rule,
  task: Task,
  operands: readonly (Operand | null)[],
  recorder: Recorder,
  folding: boolean,
  state: State,
): readonly (Operand | null)[] {
  const { context, finish } = contextOf(task, operands, recorder, folding, state);
  const results = rule(context);
  const unread = context.attributes.unread();
  if (unread.length)
    throw new Unsupported(
      `its attribute${unread.length > 1 ? "s" : ""} ${unread.map((a) => `\`${a}\``).join(", ")} ${unread.length > 1 ? "are" : "is"} not known`,
    );
  const list = "kind" in results ? [results] : results;
  finish(list);
  return list;
}
/** null: the result is too large. */
function fold(rule: Rule, task: Task, operands: readonly (Operand | null)[], state: State): readonly Known[] | null {
  const aside = state.recorder.aside();
  const results = run(rule, task, operands, aside, true, state);
  if (results.some((r) => r && sizeOf(r.shape) > foldedElements)) return null;
  const [first] = operands;
  const name = keepsName.has(task.node.opType) && first && isKnown(first) ? first.name : null;
  const trained = operands.some((o) => isKnown(o) && o.trained);
  return results.map((r) =>
    r === null ? known("f32", [0], []) : isKnown(r) ? r : known(r.dtype, r.shape, evaluateNode(r.node, aside.leafData), name, trained),
  );
}

function contextOf(task: Task, inputs: readonly (Operand | null)[], recorder: Recorder, folding: boolean, state: State) {
  const { node } = task;
  let followers: readonly Follower[] = [];
  const context: Context = {
    node,
    opset: opsetOf(task),
    attributes: attributesOf(node),
    inputs,
    recorder,
    folding,
    wanted: (i) => isRead(node.outputs[i] ?? "", state),
    follower: () => (folding ? null : followerOf(node, state)),
    absorb: (next) => {
      followers = next;
    },
    shared: (value) => value.name !== null && readings(value.name, state) > 1,
    constant: (tensor) => knownTensor(tensor, state.options.external, false),
  };
  const finish = (results: readonly (Operand | null)[]): void => {
    for (const { node: done } of followers) state.absorbed.add(done);
    const last = followers.at(-1);
    if (last) bindResults(last.node, results, state);
  };
  return { context, finish };
}
const isRead = (name: string, { readers, results }: State): boolean => name !== "" && (readers.has(name) || results.has(name));

function followerOf(node: OnnxNode, state: State): Follower | null {
  const [name] = node.outputs;
  const readers = state.readers.get(name ?? "") ?? [];
  const [task] = readers;
  if (readers.length !== 1 || !task || state.results.has(name!)) return null;
  const others = task.node.inputs
    .filter((other) => other !== name)
    .map((other) => (other === "" ? null : (operandNamed(other, state) ?? null)));
  return { node: task.node, others, next: () => followerOf(task.node, state) };
}

const passing: ReadonlySet<string> = new Set(["Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Cast", "Flatten"]);
/** What these make of a table is still called by its name. */
const keepsName: ReadonlySet<string> = new Set([...passing, "DequantizeLinear"]);
/** How many nodes compute with a value, seen through those that only rearrange it. */
function readings(name: string, state: State): number {
  const readers = state.readers.get(name) ?? [];
  const through = (task: Task | null): number =>
    task && passing.has(task.node.opType) && task.node.inputs[0] === name ? Math.max(1, readings(task.node.outputs[0]!, state)) : 1;
  return readers.reduce((n, task) => n + through(task), state.results.has(name) ? 1 : 0);
}

/** The branch that a known condition takes. */
function branch(task: Task, [condition]: readonly (Operand | null)[], state: State): readonly (Operand | null)[] {
  if (!condition || !isKnown(condition)) throw new Unsupported("its condition depends on the model's inputs");
  const attributes = attributesOf(task.node);
  const [yes, no] = [attributes.graph("then_branch"), attributes.graph("else_branch")];
  const graph = condition.data[0] === 0 ? no : yes;
  if (!graph) throw new Unsupported("a branch is missing");
  addInitializers(graph, state);
  runTasks(tasksOf(graph.nodes, { ...state.model, opsets: task.opsets }), state);
  return graph.outputs.map((o) => operandNamed(o.name, state) ?? null);
}
