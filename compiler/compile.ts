/** From source text to a program: one line per stage; the folders carry the names of the stages. */
import { CompileError, diagnostic } from "../ir/diagnostic.ts";
import type { Graph } from "../ir/graph/graph.ts";
import type { Lowered } from "../ir/lowered.ts";
import type { Plan } from "../ir/plan.ts";
import type { Code, Dims, Program } from "../ir/program.ts";
import { sizeOf } from "../ir/type.ts";
import { type Binding, joinBindings } from "./bindings.ts";
import { type CodeOptions, type CompiledGraphs, compileGraphs } from "./compile-graphs.ts";
import { checkArguments, checkedResolve, checkStorage } from "./compile-options.ts";
import type { File } from "./frontend/ast.ts";
import type { Application } from "./frontend/elaborate/session.ts";
import { elaborateEach } from "./frontend/elaborate.ts";
import type { Module } from "./frontend/module.ts";
import { parse } from "./frontend/parse.ts";
import { flopsOf, type Graphs } from "./graphs.ts";
import { inputRanges } from "./ranges.ts";
import { constantsOf, residentVariables, signaturesOf, variablesOf, withClocks } from "./signature.ts";
import { readAverages } from "./training/average.ts";
import { buildInit } from "./training/init.ts";
import { buildStep, type TrainingStep } from "./training/step.ts";
import { workOf } from "./work.ts";

export interface CompileOptions extends CodeOptions {
  /** Shown in diagnostics; imports are relative to it. Default `model.dlm`. */
  readonly file?: string;
  /** Needed where the file has several models, or train blocks. */
  readonly model?: string;
  readonly trainBlock?: string;
  /** Values of symbolic dimensions of the inputs. A list compiles a binding for each of its members, into one program. */
  readonly dims?: Dims | readonly Dims[];
  /** The batch dimension where `dims` and the source leave it open. */
  readonly batch?: number;
  /** Hyper-parameters and constants, as source text. */
  readonly set?: Readonly<Record<string, string>>;
  /** Compile the train block too: entries `step` and `evaluate`. */
  readonly train?: boolean;
  /** Text of an imported file; null: there is none. */
  readonly resolve?: (path: string) => string | null;
  /** Called for every application of a declared function or layer with `training` false: what decompilers and exporters need. */
  readonly onApplication?: (application: Application) => void;
  /** Gives the graphs to compile for those that were elaborated: outputs may be added, under names that begin with a dollar sign. */
  readonly onSource?: (source: Graphs) => Graphs;
}
/** Everything between source text and program. */
export interface Stages {
  readonly ast: File;
  /** Of the first binding. */
  readonly module: Module;
  readonly bindings: readonly Binding[];
  /** As elaborated, with the training step, before any pass. */
  readonly source: Graphs;
  readonly graphs: Graphs;
  readonly lowered: Lowered;
  readonly plan: Plan;
  readonly program: Program;
}

/** Compiles one model. Throws `CompileError` with every mistake found in the source. */
export const compile = async (source: string, options: CompileOptions = {}): Promise<Program> =>
  (await compileStages(source, options)).program;

export async function compileStages(text: string, options: CompileOptions = {}): Promise<Stages> {
  checkArguments(text, options);
  const ast = parse(text, fileOf(options)).file;
  const bindings = elaborateModel(text, options).map((module) => bindingOf(module, options));
  const joined = joinBindings(bindings);
  const source = options.onSource?.(joined) ?? joined;
  checkStorage(options, source);
  const { module, training } = bindings[0]!;
  const compiled = await compileGraphs(module.name, source, residentVariables(module, training), options);
  return { ast, module, bindings, source, ...compiled, program: assemble(bindings, compiled, options) };
}

const fileOf = (o: CompileOptions) => o.file ?? "model.dlm";

function elaborateModel(text: string, o: CompileOptions): readonly Module[] {
  const { dims = {} } = o;
  const request = {
    path: fileOf(o),
    text,
    resolve: o.resolve ? checkedResolve(o.resolve) : () => null,
    model: o.model ?? null,
    trainBlock: o.trainBlock ?? null,
    batch: o.batch ?? null,
    set: o.set ?? {},
    train: o.train ?? false,
    ...(o.onApplication ? { onApplication: o.onApplication } : {}),
  };
  return elaborateEach(request, Array.isArray(dims) ? dims : [dims]);
}

function trainingOf(module: Module): TrainingStep {
  if (module.training) return buildStep(module);
  const help = `add one: train ${module.name} { loss = ...; optimizer = sgd(lr=0.1) }`;
  throw new CompileError([diagnostic("train", `${module.name} has no train block`, null, { help })]);
}
function bindingOf(module: Module, o: CompileOptions): Binding {
  const training = o.train ? trainingOf(module) : null;
  const init = buildInit(training ? module : { ...module, training: null }, training?.slots ?? []);
  if (!training || !module.training) return { module, training, init, entries: { forward: module.forward } };
  const averaged = (graph: Graph): Graph => readAverages(graph, training.averages);
  const entries = { forward: averaged(module.forward), step: training.step, evaluate: averaged(module.training.evaluate) };
  return { module, training, init, entries };
}
function assemble(bindings: readonly Binding[], { graphs, lowered, planned, code, clocks }: CompiledGraphs, o: CompileOptions): Program {
  const { plan } = planned;
  const { module, training } = bindings[0]!;
  const ranges = bindings.map(({ module: m }) => inputRanges([m.forward, ...(m.training ? [m.training.step] : [])]));
  return {
    format: "dlm",
    version: 1,
    name: module.name,
    doc: module.doc,
    target: o.target ?? "wasm",
    entries: withClocks(signaturesOf(graphs, planned, ranges, module.docs), clocks, planned),
    ...(bindings.length > 1 ? { bindings: bindings.map((b) => b.module.dims) } : {}),
    variables: variablesOf(module, training, planned),
    ...constantsOf(lowered, planned),
    sizes: plan.sizes,
    code,
    stats: {
      parameters: module.variables.filter((v) => v.kind === "param" && v.saved).reduce((n, v) => n + sizeOf(v.type.shape), 0),
      flops: flopsOf(graphs.forward!),
      arenaBytes: plan.sizes.arena,
      lowerBoundBytes: Math.max(0, ...plan.entries.map((e) => e.lowerBound)),
      codeBytes: codeBytes(code),
      work: workOf(lowered, o.target ?? "wasm"),
    },
  };
}
function codeBytes(code: Code): number {
  switch (code.kind) {
    case "wasm":
      return code.module.length;
    case "wgsl":
      return code.shaders.reduce((n, s) => n + s.code.length + (s.subgroups?.code.length ?? 0), 0);
    case "host":
      return 0;
  }
}

export { type PassEvent, timesName } from "./compile-graphs.ts";
