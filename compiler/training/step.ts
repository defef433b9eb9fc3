/**
 * The training step as one graph: forward, `gradient` of the losses, clipping, optimizer, counters.
 *
 *     return loss, metrics
 *     update @fc.weight = ...            (trained parameters)
 *     update @fc.weight.momentum = ...   (what their optimizers remember)
 *     update @running_mean = ...         (states that are not frozen)
 *     update @micro_step = micro_step + 1
 *     update @updates = updates + 1
 */
import { CompileError, type Diagnostic, diagnostic, invariant, type Span } from "../../ir/diagnostic.ts";
import { type Graph, type Node, reachable, topological, type Update } from "../../ir/graph/graph.ts";
import { withOrigin } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import type { TensorType } from "../../ir/type.ts";
import type { Module, Optimizer, Training } from "../frontend/module.ts";
import { clipNorm, clipValue } from "./clip.ts";
import { assignGroups, globMatcher, unmatched } from "./groups.ts";
import { ruleOf } from "./optimizers.ts";
import { i32Scalar, learningRate } from "./schedules.ts";

/** Memory of an optimizer: the leaf `slot` of this name. */
export interface Slot {
  readonly name: string;
  readonly type: TensorType;
  readonly initial: Node;
}
export interface TrainingStep {
  readonly step: Graph;
  readonly slots: readonly Slot[];
  /** Parameters that the step updates, in creation order: neither frozen nor out of reach of their loss. */
  readonly trained: readonly string[];
  /** Parameters and states that a `freeze` names, in creation order. */
  readonly frozen: readonly string[];
}

/** Builds the step of a module with a train block; throws `CompileError` for globs and parameters that fit nothing. */
export function buildStep(module: Module): TrainingStep {
  const { training } = module;
  invariant(training, "a training step needs a train block");
  const { trained, frozen } = rolesOf(module, training);
  const counters = countersOf(training.step);
  const rates = new Map(training.optimizers.map((line) => [line.optimizer, learningRate(line.optimizer.lr, counters.updates)]));
  const gradients = clipped(
    trained.map(({ leaf, loss }) => ops.gradient({ y: loss, x: leaf })),
    training,
  );
  const updated = trained.map(({ leaf, optimizer }, i) => {
    const learningRate = rates.get(optimizer)!;
    return withOrigin(leaf.origin, () => update(leaf, gradients[i]!, optimizer, learningRate, counters.updates));
  });
  const updates = [
    ...training.step.updates.filter((u) => !frozen.has(nameOf(u.target))),
    ...updated.flatMap((u) => u.updates),
    ...[counters.microStep, counters.updates].map((c): Update => ({ target: c, value: ops.add({ a: c, b: i32Scalar(1) }) })),
  ];
  return {
    step: { ...training.step, updates },
    slots: updated.flatMap((u) => u.slots),
    trained: trained.map((t) => nameOf(t.leaf)),
    frozen: [...frozen],
  };
}

const nameOf = (leaf: Node): string => leaf.attrs.name as string;

/** The step's own counter leaves where it has them. */
function countersOf(step: Graph): { readonly microStep: Node; readonly updates: Node } {
  const leaves = topological(step).filter((n) => n.op === ops.counter);
  const leaf = (name: string) => leaves.find((n) => nameOf(n) === name) ?? ops.counter({}, { name });
  return { microStep: leaf("micro_step"), updates: leaf("updates") };
}

/** First every element, then all together. */
function clipped(gradients: readonly Node[], { clipValue: limit, clipNorm: norm }: Training): readonly Node[] {
  const bounded = limit === null ? gradients : gradients.map((g) => clipValue(g, limit));
  return norm === null ? bounded : clipNorm(bounded, norm);
}

/** New values of a parameter and of what its optimizer remembers. */
function update(param: Node, gradient: Node, optimizer: Optimizer, learningRate: Node, updates: Node) {
  const rule = ruleOf(optimizer);
  const specs = rule.slots(optimizer, param.type);
  const leaves = specs.map(({ name, type: { dtype, shape } }) => ops.slot({}, { name: `${nameOf(param)}.${name}`, dtype, shape }));
  const slots = Object.fromEntries(specs.map((s, i) => [s.name, leaves[i]!]));
  const result = rule.update(optimizer, { param, gradient, slots, learningRate, updates });
  return {
    slots: specs.map(({ type, initial }, i): Slot => {
      const value = ops.full({}, { value: initial, dtype: type.dtype, shape: type.shape });
      return { name: nameOf(leaves[i]!), type, initial: value };
    }),
    updates: [
      { target: param, value: result.param },
      ...specs.map((s, i): Update => ({ target: leaves[i]!, value: result.slots[s.name]! })),
    ],
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
  const problems = [...unmatchedGlobs(training, names, params), ...uselessSettings(training)];
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
const uselessSettings = ({ optimizers }: Training): Diagnostic[] =>
  optimizers.map(({ optimizer, span }) => ruleOf(optimizer).check(optimizer, span)).filter((d) => d !== null);

const withoutOptimizer = (name: string, module: Module): Diagnostic =>
  diagnostic("train", `the parameter ${name} has no optimizer`, module.variables.find((v) => v.name === name)?.span ?? null, {
    help: module.training?.optimizers.length
      ? "put a general line first: optimizer = sgd(lr=0.1), or freeze the parameter"
      : "add a line to the train block: optimizer = sgd(lr=0.1)",
  });
