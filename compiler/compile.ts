/** From source text to a program: one line per stage; the folders carry the names of the stages. */
import { emitWasm } from "../codegen/wasm/emit.ts";
import { emitWgsl } from "../codegen/wgsl/emit.ts";
import { CompileError, diagnostic, invariant } from "../ir/diagnostic.ts";
import { type Graph, topological } from "../ir/graph/graph.ts";
import { printGraph } from "../ir/graph/print.ts";
import { verifyGraph } from "../ir/graph/verify.ts";
import type { Kernel } from "../ir/kernel/kernel.ts";
import { printKernel } from "../ir/kernel/print.ts";
import type { Lowered } from "../ir/lowered.ts";
import type { Plan } from "../ir/plan.ts";
import type { Code, EntryName, Program } from "../ir/program.ts";
import { sizeOf } from "../ir/type.ts";
import type { File } from "./frontend/ast.ts";
import { elaborate } from "./frontend/elaborate.ts";
import type { Module } from "./frontend/module.ts";
import { parse } from "./frontend/parse.ts";
import { lower } from "./lower/lower.ts";
import { type Planned, planMemory, type Residents } from "./memory/plan.ts";
import { verifyPlan } from "./memory/verify.ts";
import { runPasses } from "./pass.ts";
import { splitPrepareOf } from "./passes/index.ts";
import { graphPasses } from "./pipeline.ts";
import { inputRanges } from "./ranges.ts";
import { referenceBackend } from "./reference.ts";
import { signaturesOf, variablesOf } from "./signature.ts";
import { type Target, targets } from "./targets.ts";
import { buildInit } from "./training/init.ts";
import { buildStep, type TrainingStep } from "./training/step.ts";

export interface CompileOptions {
  /** Shown in diagnostics; imports are relative to it. Default `model.dlm`. */
  readonly file?: string;
  readonly target?: Program["target"];
  /** Needed where the file has several models, or train blocks. */
  readonly model?: string;
  readonly trainBlock?: string;
  /** Values of symbolic dimensions of the inputs. */
  readonly dims?: Readonly<Record<string, number>>;
  /** The batch dimension where `dims` and the source leave it open. */
  readonly batch?: number;
  /** Hyper-parameters and constants, as source text. */
  readonly set?: Readonly<Record<string, string>>;
  /** Compile the train block too: entries `step` and `evaluate`. */
  readonly train?: boolean;
  /** The same bits on every machine: no relaxed SIMD. */
  readonly reproducible?: boolean;
  /** Relaxed SIMD also in programs that train. */
  readonly relaxed?: boolean;
  /** Text of an imported file; null: there is none. */
  readonly resolve?: (path: string) => string | null;
  /** Called after every pass; `text` prints the IR. */
  readonly onPass?: (event: PassEvent) => void;
}
export interface PassEvent {
  readonly stage: "graph" | "kernel";
  readonly name: string;
  /** The entry, or the kernel's name. */
  readonly entry: string;
  readonly text: () => string;
  readonly ms: number;
}
/** Everything between source text and program. */
export interface Stages {
  readonly ast: File;
  readonly module: Module;
  /** After all graph passes, `prepare` split off. */
  readonly graphs: Readonly<Partial<Record<EntryName, Graph>>>;
  /** Scheduled, logical. */
  readonly lowered: Lowered;
  /** With kernels as the code generators take them. */
  readonly plan: Plan;
  readonly program: Program;
}

/** Compiles one model. Throws `CompileError` with every mistake found in the source. */
export const compile = async (source: string, options: CompileOptions = {}): Promise<Program> =>
  (await compileStages(source, options)).program;

export async function compileStages(source: string, options: CompileOptions = {}): Promise<Stages> {
  const target = targets[options.target ?? "wasm"];
  const { ast, module } = readModule(source, options);
  const training = options.train ? trainingOf(module) : null;
  const graphs = optimize(entryGraphs(module, training), options);
  const lowered = lower(ordered(graphs), target.schedule);
  const kernels = lowered.kernels.map((k) => lowerKernel(k, target, options));
  const planned = planMemory(module.name, lowered, residentsOf(module, training, graphs), target.memory);
  const problems = verifyPlan(planned.plan, lowered, target.memory);
  invariant(problems.length === 0, `the memory plan is wrong:\n${problems.join("\n")}`);
  const plan: Plan = { ...planned.plan, kernels };
  const code = await emit(plan, lowered, planned, target, options);
  return { ast, module, graphs, lowered, plan, program: programOf(module, training, graphs, planned, target, code) };
}

/* ---- stages ---------------------------------------------------------------------------------------------------- */

function readModule(source: string, o: CompileOptions): { readonly ast: File; readonly module: Module } {
  const path = o.file ?? "model.dlm";
  const module = elaborate({
    path,
    text: source,
    resolve: o.resolve ?? (() => null),
    model: o.model ?? null,
    trainBlock: o.trainBlock ?? null,
    dims: o.dims ?? {},
    batch: o.batch ?? null,
    set: o.set ?? {},
    train: o.train ?? false,
  });
  return { ast: parse(source, path).file, module };
}
function trainingOf(module: Module): TrainingStep {
  if (!module.training)
    throw new CompileError([
      diagnostic("train", `${module.name} has no train block`, null, {
        help: `add one: train ${module.name} { loss = ...; optimizer = sgd(lr=0.1) }`,
      }),
    ]);
  return buildStep(module);
}
type Graphs = Partial<Record<EntryName, Graph>>;
function entryGraphs(module: Module, training: TrainingStep | null): Graphs {
  return {
    init: buildInit(training ? module : { ...module, training: null }, training?.slots ?? []),
    forward: module.forward,
    ...(training && module.training ? { step: training.step, evaluate: module.training.evaluate } : {}),
  };
}
/** All passes on every entry, then what depends on parameters alone goes to `prepare`. */
function optimize(graphs: Graphs, options: CompileOptions): Graphs {
  const done: Graphs = {};
  for (const [entry, graph] of Object.entries(graphs) as [EntryName, Graph][])
    done[entry] = runPasses(graphPasses, graph, {
      verify: (g) => {
        const problems = verifyGraph(g);
        invariant(problems.length === 0, problems.join("\n"), () => printGraph(g));
      },
      after: (name, g, ms) => options.onPass?.({ stage: "graph", name, entry, text: () => printGraph(g), ms }),
    });
  const shared = (["forward", "evaluate"] as const).filter((e) => done[e]);
  const { prepare, mains } = splitPrepareOf(shared.map((e) => done[e]!));
  shared.forEach((e, i) => {
    done[e] = mains[i]!;
  });
  return { ...done, prepare };
}
const ordered = (graphs: Graphs) =>
  (["init", "prepare", "forward", "step", "evaluate"] as const).filter((e) => graphs[e]).map((entry) => ({ entry, graph: graphs[entry]! }));

function lowerKernel(kernel: Kernel, target: Target, options: CompileOptions): Kernel {
  return runPasses(target.kernelPasses, kernel, {
    after: (name, k, ms) => options.onPass?.({ stage: "kernel", name, entry: k.name, text: () => printKernel(k), ms }),
  });
}
/** What has memory of its own outside the arena. */
function residentsOf(module: Module, training: TrainingStep | null, graphs: Graphs): Residents {
  const counters = ["seed", ...(training ? ["micro_step", "updates"] : [])];
  const scalar = { dtype: "i32", shape: [], layout: null } as const;
  const prepared =
    graphs.prepare?.updates.map((u) => ({ kind: "prepared" as const, name: String(u.target.attrs["name"]), type: u.target.type })) ?? [];
  return {
    variables: [
      ...module.variables.filter((v) => training || v.saved),
      ...(training?.slots ?? []).map((s) => ({ kind: "slot" as const, name: s.name, type: s.type })),
      ...counters.map((name) => ({ kind: "counter" as const, name, type: scalar })),
      ...prepared,
    ],
    inputs: Object.values(graphs).flatMap((g) => g.inputs.map((n) => ({ name: String(n.attrs["name"]), type: n.type }))),
    outputs: ordered(graphs).flatMap(({ entry, graph }) =>
      graph.outputs.map((o) => ({ name: `${entry}.${o.name}`, type: { ...o.value.type, layout: null } })),
    ),
  };
}
async function emit(plan: Plan, lowered: Lowered, planned: Planned, target: Target, o: CompileOptions): Promise<Code> {
  switch (target.name) {
    case "wasm": {
      const trains = plan.entries.some((e) => e.name === "step");
      const wantsRelaxed = o.relaxed ?? !(o.reproducible || trains);
      const plain = await emitWasm(plan, { relaxed: false });
      return { kind: "wasm", ...plain, relaxed: wantsRelaxed ? (await emitWasm(plan, { relaxed: true })).module : null };
    }
    case "wgsl":
      return { kind: "wgsl", ...emitWgsl(plan) };
    case "reference":
      return { kind: "host", start: () => referenceBackend(lowered, planned.placeOf) };
  }
}
function programOf(module: Module, training: TrainingStep | null, graphs: Graphs, planned: Planned, target: Target, code: Code): Program {
  const { plan } = planned;
  const forward = graphs.forward!;
  return {
    format: "dlm",
    version: 1,
    name: module.name,
    doc: module.doc,
    target: target.name,
    entries: signaturesOf(graphs, planned, inputRanges([module.forward, ...(module.training ? [module.training.step] : [])]), module.docs),
    variables: variablesOf(module, training, planned),
    sizes: plan.sizes,
    code,
    stats: {
      parameters: module.variables.filter((v) => v.kind === "param" && v.saved).reduce((n, v) => n + sizeOf(v.type.shape), 0),
      flops: topological(forward).reduce(
        (n, v) =>
          n +
          v.op.flops(
            v.inputs.map((x) => x.type),
            v.attrs,
            v.type,
          ),
        0,
      ),
      arenaBytes: plan.sizes.arena,
      lowerBoundBytes: Math.max(0, ...plan.entries.map((e) => e.lowerBound)),
      codeBytes: codeBytes(code),
    },
  };
}
const codeBytes = (code: Code): number =>
  code.kind === "wasm" ? code.module.length : code.kind === "wgsl" ? code.shaders.reduce((n, s) => n + s.code.length, 0) : 0;
