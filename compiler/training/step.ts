/**
 * The training step as one graph: forward, `gradient` of the losses, accumulation, clipping, noise, optimizer, averages,
 * counters.
 *
 *     return loss, metrics
 *     update @running_mean = ...            (states that are not frozen; they move at every micro-step)
 *     update @fc.weight.accumulated = ...   (gradients so far, where an update takes several micro-batches)
 *     update @fc.weight = ...               (trained parameters)
 *     update @fc.weight.momentum = ...      (what their optimizers remember)
 *     update @fc.weight.average = ...       (averages of the parameters)
 *     update @micro_step = micro_step + 1
 *     update @updates = updates + 1
 *
 * With accumulation everything from the parameters on is `where(last micro-step of the update, new, old)`.
 */
import { CompileError, type Diagnostic, diagnostic, invariant, type Span } from "../../ir/diagnostic.ts";
import { type Graph, type Node, reachable, topological } from "../../ir/graph/graph.ts";
import { withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import type { Module, Optimizer, Training } from "../frontend/module.ts";
import { accumulated, phaseOf } from "./accumulate.ts";
import { averageName, moveAverage } from "./average.ts";
import { clipNorm, clipValue } from "./clip.ts";
import { assignGroups, globMatcher, unmatched } from "./groups.ts";
import { constantOf, type Memory, newMemory, type Slot } from "./memory.ts";
import { noisy } from "./noise.ts";
import { ruleOf } from "./optimizers.ts";
import { add, i32Scalar } from "./scalars.ts";
import { learningRate } from "./schedules.ts";

export interface TrainingStep {
  readonly step: Graph;
  readonly slots: readonly Slot[];
  /** Parameters that the step updates, in creation order: neither frozen nor out of reach of their loss. */
  readonly trained: readonly string[];
  /** Parameters and states that a `freeze` names, in creation order. */
  readonly frozen: readonly string[];
  /** Slots with the averages of parameters, by the parameter: what evaluation and the saved model use. */
  readonly averages: ReadonlyMap<string, string>;
}

/** Builds the step of a module with a train block; throws `CompileError` for globs and parameters that fit nothing. */
export function buildStep(module: Module): TrainingStep {
  const { training } = module;
  invariant(training, "a training step needs a train block");
  const { trained, frozen } = rolesOf(module, training);
  const counters = countersOf(training.step);
  const phase = phaseOf(counters.microStep, training.accumulate);
  const memory = newMemory(phase?.isLast ?? null);
  const raw = trained.map(({ leaf, loss }) => ops.gradient({ y: loss, x: leaf }));
  const gradients = finished(accumulated(trained, raw, phase, memory), trained, counters, training);
  updateParameters(module, trained, gradients, counters.updates, memory);
  memory.set(counters.microStep, add(counters.microStep, i32Scalar(1)));
  memory.settle(counters.updates, add(counters.updates, i32Scalar(1)));
  const states = training.step.updates.filter((u) => !frozen.has(nameOf(u.target)));
  return {
    step: { ...training.step, updates: [...states, ...memory.updates] },
    slots: memory.slots,
    trained: trained.map((t) => nameOf(t.leaf)),
    frozen: [...frozen],
    averages: new Map(training.ema === null ? [] : trained.map(({ leaf }) => [nameOf(leaf), averageName(nameOf(leaf))])),
  };
}

const nameOf = (leaf: Node): string => leaf.attrs.name as string;

interface Counters {
  readonly microStep: Node;
  readonly updates: Node;
  readonly seed: Node;
}
/** The step's own counter leaves where it has them. */
function countersOf(step: Graph): Counters {
  const leaves = topological(step).filter((n) => n.op === ops.counter);
  const leaf = (name: string) => leaves.find((n) => nameOf(n) === name) ?? ops.counter({}, { name });
  return { microStep: leaf("micro_step"), updates: leaf("updates"), seed: leaf("seed") };
}

/** Gradients as the optimizers get them: every element clipped, then all together, then noise. */
function finished(gradients: readonly Node[], trained: readonly Trained[], counters: Counters, t: Training): readonly Node[] {
  const bounded = t.clipValue === null ? gradients : gradients.map((g) => clipValue(g, t.clipValue!));
  const clipped = t.clipNorm === null ? bounded : clipNorm(bounded, t.clipNorm);
  const names = trained.map(({ leaf }) => nameOf(leaf));
  return t.gradientNoise === null ? clipped : noisy(clipped, names, t.gradientNoise, counters);
}

/** New values of the parameters, of what their optimizers remember, and of their averages. */
function updateParameters(module: Module, trained: readonly Trained[], gradients: readonly Node[], updates: Node, memory: Memory): void {
  const { ema } = module.training!;
  const rules = new Map([...new Set(trained.map((t) => t.optimizer))].map((optimizer) => [optimizer, startRule(optimizer, updates)]));
  const initial = new Map(module.variables.map((v) => [v.name, v.initial]));
  trained.forEach(({ leaf, optimizer }, i) => {
    withOrigin(leaf.origin, () => {
      const value = rules.get(optimizer)!(leaf, gradients[i]!, memory);
      if (ema !== null) moveAverage(leaf, value, ema, initial.get(nameOf(leaf))!, memory);
    });
  });
}

/** The rule of an optimizer, with what its parameters share: takes one parameter on, and gives its new value. */
function startRule(optimizer: Optimizer, updates: Node) {
  const rule = ruleOf(optimizer);
  const update = rule.update(optimizer, { learningRate: learningRate(optimizer.lr, updates), updates });
  return (param: Node, gradient: Node, memory: Memory): Node => {
    const specs = rule.slots(optimizer, param.type);
    const slots = Object.fromEntries(
      specs.map(({ name, type, initial }) => [name, memory.slot(`${nameOf(param)}.${name}`, constantOf(initial, type))]),
    );
    // The parameter comes first: rules that do not read a new slot then need no copy of the old one.
    return memory.settleFirst(param, (keep) => update({ param, gradient, slots, keep: (name, value) => keep(slots[name]!, value) }));
  };
}

/* ---- who is trained, by what ----------------------------------------------------------------------------------- */

interface Trained {
  readonly leaf: Node;
  readonly loss: Node;
  readonly optimizer: Optimizer;
}
interface Roles {
  readonly trained: readonly Trained[];
  readonly frozen: ReadonlySet<string>;
}

function rolesOf(module: Module, training: Training): Roles {
  const leaves = variablesOf(training.step);
  const names = module.variables.map((v) => v.name).filter((n) => leaves.has(n));
  const params = names.filter((n) => leaves.get(n)!.op === ops.param);
  const problems = unmatchedGlobs(training, names, params);
  const frozen = new Set(names.filter((n) => training.freeze.some((f) => globMatcher(f.glob)(n))));
  const losses = lossesOf(training, params);
  const optimizers = assignGroups(params, training.optimizers);
  const trained: Trained[] = [];
  for (const name of params) {
    const [leaf, loss, line] = [leaves.get(name)!, losses.get(name), optimizers.get(name)];
    if (frozen.has(name) || !loss?.reached.has(leaf)) continue;
    if (line) trained.push({ leaf, loss: loss.value, optimizer: line.optimizer });
    else problems.push(withoutOptimizer(name, module));
  }
  if (problems.length > 0) throw new CompileError(problems, module.sources);
  return { trained, frozen };
}

/** Leaves of parameters and states that the step reads or moves, by name. */
function variablesOf(step: Graph): ReadonlyMap<string, Node> {
  const leaves = topological(step).filter((n) => n.op === ops.param || n.op === ops.state);
  const byName = new Map(leaves.map((n) => [nameOf(n), n]));
  invariant(byName.size === leaves.length, "two leaves of one variable in the step");
  return byName;
}

/** The loss of every parameter, and the nodes it reaches: what it does not reach does not move. */
function lossesOf({ losses }: Training, params: readonly string[]) {
  const ordered = [...losses.filter((l) => l.globs === null), ...losses.filter((l) => l.globs !== null)];
  return assignGroups(
    params,
    ordered.map((l) => ({ ...l, reached: new Set(reachable([l.value])) })),
  );
}

/* ---- the user's mistakes ----------------------------------------------------------------------------------------- */

function unmatchedGlobs(training: Training, names: readonly string[], params: readonly string[]): Diagnostic[] {
  const check = (globs: readonly string[] | null, span: Span | null) => (globs ?? []).map((g) => unmatched(g, span, params, "parameter"));
  return [
    ...training.optimizers.flatMap((o) => check(o.globs, o.span)),
    ...training.losses.flatMap((l) => check(l.globs, l.value.origin?.span ?? null)),
    ...training.freeze.map((f) => unmatched(f.glob, f.span, names, "parameter or state")),
  ].filter((d) => d !== null);
}

const withoutOptimizer = (name: string, module: Module): Diagnostic =>
  diagnostic("train", `the parameter ${name} has no optimizer`, module.variables.find((v) => v.name === name)?.span ?? null, {
    help: module.training?.optimizers.length
      ? "put a general line first: optimizer = sgd(lr=0.1), or freeze the parameter"
      : "add a line to the train block: optimizer = sgd(lr=0.1)",
  });
