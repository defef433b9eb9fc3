/** From graphs to code: the half of the compiler that knows nothing of the language. One line per stage. */
import { emitWasm } from "../codegen/wasm/emit.ts";
import { emitWgsl } from "../codegen/wgsl/emit.ts";
import { type Choices, type Choose, chosenFrom, type Question } from "../ir/choice.ts";
import { invariant } from "../ir/diagnostic.ts";
import type { Graph } from "../ir/graph/graph.ts";
import { printGraph } from "../ir/graph/print.ts";
import { verifyGraph } from "../ir/graph/verify.ts";
import type { Kernel } from "../ir/kernel/kernel.ts";
import { printKernel } from "../ir/kernel/print.ts";
import { requireSound } from "../ir/kernel/verify.ts";
import { type Excess, type Limits, limitsOf, type ProfileName } from "../ir/limits.ts";
import type { Lowered } from "../ir/lowered.ts";
import type { Plan } from "../ir/plan.ts";
import type { Code, Program } from "../ir/program.ts";
import { type Storage, type TensorType, tensor } from "../ir/type.ts";
import { notesOnParts, refuse, requireFewParts } from "./excess.ts";
import { type Graphs, ordered } from "./graphs.ts";
import { lower } from "./lower/lower.ts";
import { type Border, type Planned, planMemory, type Residents, tensorBytes } from "./memory/plan.ts";
import { verifyPlan } from "./memory/verify.ts";
import { runPasses } from "./pass.ts";
import { splitPrepareOf } from "./passes/index.ts";
import { referenceBackend } from "./reference.ts";
import { inHalves, storageOf } from "./storage.ts";
import { type Target, targetOf } from "./targets.ts";

export interface CodeOptions {
  readonly target?: Program["target"];
  /** The same bits on every machine: no relaxed SIMD, and on WebGPU no shaders for subgroups, whose sizes are the device's. */
  readonly reproducible?: boolean;
  /** No pass that gives up accuracy for speed, and no relaxed SIMD. */
  readonly exact?: boolean;
  /** Relaxed SIMD also in programs that train. */
  readonly relaxed?: boolean;
  /** Each entry gets a further output, `$times`: milliseconds from the start of the run to the end of each call of the plan,
   *  after a 0. On WebGPU the time between kernels does not count, and the device must have the feature `timestamp-query`. */
  readonly profile?: boolean;
  /**
   * WebGPU only: what devices have to offer. default: what all do. compat: what those of the compatibility mode do. desktop: what
   * desktop GPUs commonly do, of which the program asks for what it needs. Or limits by their names, such as an adapter has.
   */
  readonly limits?: ProfileName | Partial<Limits>;
  /**
   * WebGPU only, in programs that do not train. f16: large parameters and values between kernels are halves in memory
   * (`storage.ts`), the device must have the feature `shader-f16`; arithmetic, inputs and outputs stay f32. Default f32.
   */
  readonly storage?: Storage;
  /** Measured answers to questions of speed, as `dlm tune` writes them. */
  readonly tuning?: Choices;
  /** Called for every question of speed. */
  readonly onQuestion?: (question: Question) => void;
  /** Called after every pass; `text` prints the IR. */
  readonly onPass?: (event: PassEvent) => void;
  /** Called with what one should know of the program, such as tensors that are in parts. */
  readonly onNote?: (text: string) => void;
}
export interface PassEvent {
  readonly stage: "graph" | "kernel";
  readonly name: string;
  /** The entry's id, or the kernel's name. */
  readonly entry: string;
  readonly text: () => string;
  readonly ms: number;
}
export interface CompiledGraphs {
  /** After all graph passes, `prepare` split off. */
  readonly graphs: Graphs;
  /** Scheduled into loops, logical. */
  readonly lowered: Lowered;
  readonly planned: Planned;
  /** With kernels as the code generators take them. */
  readonly plan: Plan;
  readonly code: Code;
  /** The outputs `$times`, where asked for. */
  readonly clocks: readonly Border[];
}

/** `variables`: everything that survives between runs, in the order of its memory; prepared values are added here. */
export async function compileGraphs(
  name: string,
  given: Graphs,
  variables: Residents["variables"],
  options: CodeOptions = {},
): Promise<CompiledGraphs> {
  const target = targetOf(options.target ?? "wasm", limitsOf(options.limits), options.storage ?? "f32");
  const choose = chooseBy(options);
  const graphs = splitPrepare(optimize(given, target, choose, options), options);
  const buffersOf = (type: TensorType) => tensorBytes({ type }, target.memory).length;
  const logical = lower(ordered(graphs), (c) => target.schedule(c, choose), target.rows, target.mostInputs, buffersOf, target.joins);
  const lowered = options.storage === "f16" ? inHalves(logical) : logical;
  requireFewParts(lowered, options.limits, target.memory);
  const clocks = clocksOf(lowered, options);
  const planned = planMemory(name, lowered, residentsOf(graphs, variables, clocks, options), target.memory);
  const problems = verifyPlan(planned.plan, lowered, target.memory);
  invariant(problems.length === 0, `the memory plan is wrong:\n${problems.join("\n")}`);
  for (const text of notesOnParts(lowered, target.memory)) options.onNote?.(text);
  const plan: Plan = { ...planned.plan, kernels: lowered.kernels.map((k) => lowerKernel(k, target, options)) };
  return { graphs, lowered, planned, plan, code: await emit({ plan, lowered, planned, clocks }, target, options), clocks };
}

function chooseBy({ tuning = {}, onQuestion }: CodeOptions): Choose {
  const choose = chosenFrom(tuning);
  return (question) => {
    onQuestion?.(question);
    return choose(question);
  };
}
function optimize(graphs: Graphs, target: Target, choose: Choose, { exact, onPass }: CodeOptions): Graphs {
  const wanted = target.graphPasses.filter((p) => !(exact && p.rounds));
  const passes = wanted.map(({ name, run }) => ({ name, run: (g: Graph) => run(g, choose) }));
  const verify = (g: Graph): void => {
    const problems = verifyGraph(g);
    invariant(problems.length === 0, problems.join("\n"), () => printGraph(g));
  };
  return Object.fromEntries(
    ordered(graphs).map(({ entry, graph }) => {
      const after = (name: string, g: Graph, ms: number) => onPass?.({ stage: "graph", name, entry, text: () => printGraph(g), ms });
      after("elaborate", graph, 0);
      return [entry, runPasses(passes, graph, { verify, after })];
    }),
  );
}
/** What depends on parameters alone moves to `prepare`; of a training step, what depends on frozen ones. */
function splitPrepare(graphs: Graphs, { onPass }: CodeOptions): Graphs {
  const entries = ordered(graphs).filter(({ entry }) => entry !== "init");
  const { prepare, mains } = splitPrepareOf(entries.map(({ graph }) => graph));
  const split: Graphs = { ...graphs, prepare, ...Object.fromEntries(entries.map(({ entry }, i) => [entry, mains[i]!])) };
  for (const { entry, graph } of ordered(split))
    if (entry !== "init") onPass?.({ stage: "graph", name: "split-prepare", entry, text: () => printGraph(graph), ms: 0 });
  return split;
}
function lowerKernel(kernel: Kernel, target: Target, { onPass }: CodeOptions): Kernel {
  const after = (name: string, k: Kernel, ms: number) => onPass?.({ stage: "kernel", name, entry: k.name, text: () => printKernel(k), ms });
  const lowered = runPasses(target.kernelPasses, kernel, { after });
  requireSound(lowered);
  return lowered;
}
/** What has memory of its own outside the arena. */
function residentsOf(graphs: Graphs, variables: Residents["variables"], clocks: readonly Border[], { storage }: CodeOptions): Residents {
  const nameOf = (n: Graph["inputs"][number]) => String(n.attrs.name);
  const prepared = (graphs.prepare?.updates ?? []).map((u) => ({ kind: "prepared" as const, name: nameOf(u.target), type: u.target.type }));
  return {
    variables: [...variables, ...prepared].map((v) => (storage === "f16" ? { ...v, ...storageOf(v.kind, v.type) } : v)),
    inputs: ordered(graphs).flatMap(({ entry, graph }) => graph.inputs.map((n) => ({ entry, name: nameOf(n), type: n.type }))),
    outputs: [
      ...ordered(graphs).flatMap(({ entry, graph }) =>
        graph.outputs.map((o) => ({ entry, name: o.name, type: { ...o.value.type, layout: null } })),
      ),
      ...clocks,
    ],
  };
}
/** No name of the language begins with a dollar sign. */
export const timesName = "$times";
const clocksOf = ({ entries }: Lowered, { profile, target = "wasm" }: CodeOptions): readonly Border[] =>
  profile && target !== "reference"
    ? entries.map(({ name, calls }) => ({ entry: name, name: timesName, type: tensor("f32", [calls.length + 1]) }))
    : [];
type Emitted = Pick<CompiledGraphs, "plan" | "lowered" | "planned" | "clocks">;
async function emit({ plan, lowered, planned, clocks }: Emitted, target: Target, o: CodeOptions): Promise<Code> {
  switch (target.name) {
    case "wasm": {
      const trains = plan.entries.some((e) => e.name === "step");
      const wantsRelaxed = o.relaxed ?? !(o.exact || o.reproducible || trains);
      const places = new Map(clocks.map((c) => [c.entry, planned.output(c.entry, c.name)]));
      const plain = await emitWasm(plan, { relaxed: false, clocks: places });
      const relaxed = wantsRelaxed ? (await emitWasm(plan, { relaxed: true, clocks: places })).module : null;
      const differs = relaxed !== null && !sameBytes(relaxed, plain.module);
      return { kind: "wasm", ...plain, relaxed: differs ? relaxed : null };
    }
    case "wgsl": {
      const limits = limitsOf(o.limits);
      const onExcess = (excess: Excess) => refuse(excess, lowered, o.limits, target.memory);
      return { kind: "wgsl", ...emitWgsl(plan, { profile: clocks.length > 0, limits, subgroups: !o.reproducible, onExcess }) };
    }
    case "reference":
      return { kind: "host", start: () => referenceBackend(lowered, planned.placeOf) };
  }
}
const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((x, i) => x === b[i]);
