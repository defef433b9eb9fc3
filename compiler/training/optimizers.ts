/**
 * Update rules of optimizers: a row each. Formulas, defaults and names of slots as in PyTorch. On purpose otherwise:
 * centered rmsprop takes the root of at least 0; nadam is as PyTorch 2 (and the paper) has it; lion is not in PyTorch
 * (X. Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023).
 */
import type { Node } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import type { TensorType } from "../../ir/type.ts";
import type { Optimizer } from "../frontend/module.ts";
import { add, complementOfPower, div, f32Scalar, i32Scalar, integerPower, mul, scaled, sub, toFloat, where } from "./scalars.ts";

/** What an optimizer remembers for one parameter: named `<parameter>.<name>`. */
export interface SlotSpec {
  readonly name: string;
  readonly type: TensorType;
  readonly initial: number;
}
/** What all parameters of an optimizer share. */
export interface Clock {
  /** f32[]. */
  readonly learningRate: Node;
  /** i32[]: updates made before this one. */
  readonly updates: Node;
}
/** One update of one parameter; nodes see the values before it. */
export interface UpdateInputs {
  readonly param: Node;
  readonly gradient: Node;
  /** By the names of the specification. */
  readonly slots: Readonly<Record<string, Node>>;
  /** Says what a slot holds afterwards, once for each; gives what to go on with in its place. */
  readonly keep: (name: string, value: Node) => Node;
}
export interface UpdateRule<O> {
  readonly slots: (optimizer: O, param: TensorType) => readonly SlotSpec[];
  /** First what parameters share, then the new value of one. */
  readonly update: (optimizer: O, clock: Clock) => (inputs: UpdateInputs) => Node;
}
type Named<N extends Optimizer["name"]> = Extract<Optimizer, { readonly name: N }>;

/** The rule of an optimizer. */
export const ruleOf = <N extends Optimizer["name"]>(optimizer: Named<N>): UpdateRule<Named<N>> => (rules as Rules)[optimizer.name as N];
type Rules = { readonly [N in Optimizer["name"]]: UpdateRule<Named<N>> };

const sqrt = (x: Node): Node => ops.sqrt({ x });
const square = (x: Node): Node => mul(x, x);
const plus = (x: Node, value: number): Node => (value === 0 ? x : add(x, f32Scalar(value)));
/** x + factor * y, without arithmetic for factors 0 and 1. */
const plusScaled = (x: Node, factor: number, y: Node): Node => (factor === 0 ? x : add(x, scaled(y, factor)));
/** decay * before + (1 - decay) * now. */
const mixed = (decay: number, before: Node, now: Node): Node => add(scaled(before, decay), scaled(now, 1 - decay));
const descend = (param: Node, rate: Node, direction: Node): Node => sub(param, mul(direction, rate));

const zeros = (type: TensorType, ...names: readonly string[]): readonly SlotSpec[] => names.map((name) => ({ name, type, initial: 0 }));

/** torch.optim.SGD: the momentum buffer starts as the first direction, undamped. */
const sgd: UpdateRule<Named<"sgd">> = {
  slots: ({ momentum }, type) => (momentum === 0 ? [] : zeros(type, "momentum")),
  update: ({ momentum, dampening, nesterov, weightDecay }, { learningRate, updates }) => {
    const isFirst = ops.equal({ a: updates, b: i32Scalar(0) });
    return ({ param, gradient, slots, keep }) => {
      const direction = plusScaled(gradient, weightDecay, param);
      const before = slots.momentum;
      if (!before) return descend(param, learningRate, direction);
      const moving = add(scaled(before, momentum), scaled(direction, 1 - dampening));
      const buffer = keep("momentum", dampening === 0 ? moving : where(isFirst, direction, moving));
      return descend(param, learningRate, nesterov ? plusScaled(direction, momentum, buffer) : buffer);
    };
  },
};

/** torch.optim.Adagrad. */
const adagrad: UpdateRule<Named<"adagrad">> = {
  slots: ({ initialAccumulator }, type) => [{ name: "sum", type, initial: initialAccumulator }],
  update: ({ lrDecay, eps, weightDecay }, { learningRate, updates }) => {
    const rate = lrDecay === 0 ? learningRate : div(learningRate, plus(scaled(toFloat(updates), lrDecay), 1));
    return ({ param, gradient, slots, keep }) => {
      const g = plusScaled(gradient, weightDecay, param);
      const sum = keep("sum", add(slots.sum!, square(g)));
      return descend(param, rate, div(g, plus(sqrt(sum), eps)));
    };
  },
};

/** torch.optim.RMSprop. */
const rmsprop: UpdateRule<Named<"rmsprop">> = {
  slots: ({ centered, momentum }, type) =>
    zeros(type, "square_avg", ...(centered ? ["grad_avg"] : []), ...(momentum > 0 ? ["momentum"] : [])),
  update:
    ({ alpha, eps, momentum, centered, weightDecay }, { learningRate }) =>
    ({ param, gradient, slots, keep }) => {
      const g = plusScaled(gradient, weightDecay, param);
      const squares = keep("square_avg", mixed(alpha, slots.square_avg!, square(g)));
      const average = centered ? keep("grad_avg", mixed(alpha, slots.grad_avg!, g)) : null;
      const variance = average ? ops.maximum({ a: sub(squares, square(average)), b: f32Scalar(0) }) : squares;
      const direction = div(g, plus(sqrt(variance), eps));
      const moving = momentum > 0 ? keep("momentum", add(scaled(slots.momentum!, momentum), direction)) : direction;
      return descend(param, learningRate, moving);
    },
};

/** torch.optim.Adadelta. */
const adadelta: UpdateRule<Named<"adadelta">> = {
  slots: (_, type) => zeros(type, "square_avg", "acc_delta"),
  update:
    ({ rho, eps, weightDecay }, { learningRate }) =>
    ({ param, gradient, slots, keep }) => {
      const g = plusScaled(gradient, weightDecay, param);
      const squares = keep("square_avg", mixed(rho, slots.square_avg!, square(g)));
      const delta = mul(div(sqrt(plus(slots.acc_delta!, eps)), sqrt(plus(squares, eps))), g);
      keep("acc_delta", mixed(rho, slots.acc_delta!, square(delta)));
      return descend(param, learningRate, delta);
    },
};

const adamSlots = ({ amsgrad }: { readonly amsgrad: boolean }, type: TensorType) =>
  zeros(type, "exp_avg", "exp_avg_sq", ...(amsgrad ? ["max_exp_avg_sq"] : []));
/** torch.optim.Adam, without weight decay: `from` is the parameter to descend from. */
function adamStep({ betas: [beta1, beta2], eps, amsgrad }: Named<"adam" | "adamw">, { learningRate, updates }: Clock) {
  const count = add(updates, i32Scalar(1));
  const rate = div(learningRate, complementOfPower(beta1, count));
  const correction = sqrt(complementOfPower(beta2, count));
  return (from: Node, g: Node, { slots, keep }: UpdateInputs): Node => {
    const average = keep("exp_avg", mixed(beta1, slots.exp_avg!, g));
    const squares = keep("exp_avg_sq", mixed(beta2, slots.exp_avg_sq!, square(g)));
    const largest = amsgrad ? keep("max_exp_avg_sq", ops.maximum({ a: slots.max_exp_avg_sq!, b: squares })) : squares;
    return descend(from, rate, div(average, plus(div(sqrt(largest), correction), eps)));
  };
}
const adam: UpdateRule<Named<"adam">> = {
  slots: adamSlots,
  update: (optimizer, clock) => {
    const step = adamStep(optimizer, clock);
    return (inputs) => step(inputs.param, plusScaled(inputs.gradient, optimizer.weightDecay, inputs.param), inputs);
  },
};
/** torch.optim.AdamW: the decay is of the parameter, not of the gradient. */
const adamw: UpdateRule<Named<"adamw">> = {
  slots: adamSlots,
  update: (optimizer, clock) => {
    const step = adamStep(optimizer, clock);
    const kept = keptShare(clock, optimizer.weightDecay);
    return (inputs) => step(kept ? mul(inputs.param, kept) : inputs.param, inputs.gradient, inputs);
  },
};
/** 1 - lr * decay, what decoupled weight decay leaves of a parameter; null: all. */
const keptShare = ({ learningRate }: Clock, decay: number): Node | null =>
  decay === 0 ? null : sub(f32Scalar(1), scaled(learningRate, decay));

/** torch.optim.NAdam. */
const nadam: UpdateRule<Named<"nadam">> = {
  slots: (_, type) => [
    ...zeros(type, "exp_avg", "exp_avg_sq"),
    { name: "mu_product", type: { ...type, shape: [], layout: null }, initial: 1 },
  ],
  update: ({ betas: [beta1, beta2], eps, momentumDecay, weightDecay }, { learningRate, updates }) => {
    const count = add(updates, i32Scalar(1));
    const muAt = (n: Node): Node => sub(f32Scalar(beta1), scaled(integerPower(0.96 ** momentumDecay, n), 0.5 * beta1));
    const [mu, next] = [muAt(count), muAt(add(count, i32Scalar(1)))];
    const correction = sqrt(complementOfPower(beta2, count));
    const one = f32Scalar(1);
    return ({ param, gradient, slots, keep }) => {
      const g = plusScaled(gradient, weightDecay, param);
      const average = keep("exp_avg", mixed(beta1, slots.exp_avg!, g));
      const squares = keep("exp_avg_sq", mixed(beta2, slots.exp_avg_sq!, square(g)));
      const product = keep("mu_product", mul(slots.mu_product!, mu));
      const now = div(mul(learningRate, sub(one, mu)), sub(one, product));
      const ahead = div(mul(learningRate, next), sub(one, mul(product, next)));
      const direction = add(mul(g, now), mul(average, ahead));
      return sub(param, div(direction, plus(div(sqrt(squares), correction), eps)));
    };
  },
};

/** torch.optim.Rprop: step sizes grow while the sign of the gradient stays; where it turns, the parameter waits. */
const rprop: UpdateRule<Named<"rprop">> = {
  slots: ({ lr }, type) => [...zeros(type, "prev"), { name: "step_size", type, initial: lr.name === "constant" ? lr.lr : 0 }],
  update:
    ({ etas: [shrink, grow], stepSizes: [least, most] }) =>
    ({ param, gradient, slots, keep }) => {
      const zero = f32Scalar(0);
      const agreement = mul(gradient, slots.prev!);
      const turned = ops.less({ a: agreement, b: zero });
      const factor = where(turned, f32Scalar(shrink), where(ops.less({ a: zero, b: agreement }), f32Scalar(grow), f32Scalar(1)));
      const wanted = ops.maximum({ a: mul(slots.step_size!, factor), b: f32Scalar(least) });
      const size = keep("step_size", ops.minimum({ a: wanted, b: f32Scalar(most) }));
      const g = keep("prev", where(turned, zero, gradient));
      return sub(param, mul(ops.sign({ x: g }), size));
    },
};

/** Lion, with its decoupled weight decay. */
const lion: UpdateRule<Named<"lion">> = {
  slots: (_, type) => zeros(type, "exp_avg"),
  update: ({ betas: [beta1, beta2], weightDecay }, clock) => {
    const kept = keptShare(clock, weightDecay);
    return ({ param, gradient, slots, keep }) => {
      const before = slots.exp_avg!;
      keep("exp_avg", mixed(beta2, before, gradient));
      const direction = ops.sign({ x: mixed(beta1, before, gradient) });
      return descend(kept ? mul(param, kept) : param, clock.learningRate, direction);
    };
  },
};

const rules: Rules = { sgd, adagrad, rmsprop, adadelta, adam, adamw, nadam, rprop, lion };
