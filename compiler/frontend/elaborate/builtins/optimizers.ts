/** Optimizers, with the defaults of PyTorch; `lr` may be left out where it has one there. */
import type { Optimizer, Schedule } from "../../module.ts";
import { type Builtin, type BuiltinCall, boolArg, builtin, floatArg, numberArg, optional, type Parameter } from "../builtin.ts";
import { complain } from "../frame.ts";
import { isNumber, type Value } from "../values.ts";
import { lrArg, rateArg } from "./schedules.ts";

const lr = (value: number): Parameter<Schedule> => optional(lrArg, { kind: "schedule", name: "constant", lr: value }, String(value));
/** A decay of averages. */
const shareArg = numberArg("a number from 0 to below 1", (x) => x >= 0 && x < 1);
type Pair = readonly [number, number];
const pairArg = (expects: string, holds: (a: number, b: number) => boolean): Parameter<Pair> => ({
  expects,
  decode: (v) => {
    if (v.kind !== "list" || v.items.length !== 2) return undefined;
    const [a, b] = v.items as readonly [Value, Value];
    return isNumber(a) && isNumber(b) && holds(a.value, b.value) ? [a.value, b.value] : undefined;
  },
  fallback: null,
});
const isShare = (x: number): boolean => x >= 0 && x < 1;
const betasArg = pairArg("two numbers from 0 to below 1", (a, b) => isShare(a) && isShare(b));
const etasArg = pairArg("two numbers, below and above 1", (a, b) => a > 0 && a < 1 && b > 1 && Number.isFinite(b));
const sizesArg = pairArg("two numbers of at least 0, the smaller first", (a, b) => a >= 0 && a <= b && Number.isFinite(b));

const weightDecay = (value = 0): Parameter<number> => optional(rateArg, value);
const eps = (value: number): Parameter<number> => optional(rateArg, value);
const optimizerValue = (optimizer: Optimizer): Value => ({ kind: "optimizer", optimizer });

const sgd = builtin(
  "sgd",
  "`g += weight_decay * p`; `m = momentum * m + (1 - dampening) * g`, the first time `m = g`; `p -= lr * m`, with " +
    "nesterov `p -= lr * (g + momentum * m)`.",
  {
    lr: lrArg,
    momentum: optional(rateArg, 0),
    nesterov: optional(boolArg, false),
    dampening: optional(floatArg, 0),
    weight_decay: weightDecay(),
  },
  ({ weight_decay, ...rest }, c) => {
    const { momentum, nesterov, dampening } = rest;
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      complain(c.frame, "constant", "sgd: nesterov needs a momentum and no dampening", c.span);
    }
    return optimizerValue({ kind: "optimizer", name: "sgd", ...rest, weightDecay: weight_decay });
  },
);
const adagrad = builtin(
  "adagrad",
  "`g += weight_decay * p`; `s += g ** 2`, from initial_accumulator_value; `p -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)`.",
  {
    lr: lr(1e-2),
    lr_decay: optional(rateArg, 0),
    weight_decay: weightDecay(),
    initial_accumulator_value: optional(rateArg, 0),
    eps: eps(1e-10),
  },
  ({ lr, lr_decay: lrDecay, weight_decay: weightDecay, initial_accumulator_value: initialAccumulator, eps }) =>
    optimizerValue({ kind: "optimizer", name: "adagrad", lr, lrDecay, weightDecay, initialAccumulator, eps }),
);
const rmsprop = builtin(
  "rmsprop",
  "`g += weight_decay * p`; `v = alpha * v + (1 - alpha) * g ** 2`; `d = g / (sqrt(v) + eps)`, centered with v minus " +
    "the squared running mean of g; `m = momentum * m + d`; `p -= lr * m`.",
  {
    lr: lr(1e-2),
    alpha: optional(shareArg, 0.99),
    eps: eps(1e-8),
    weight_decay: weightDecay(),
    momentum: optional(rateArg, 0),
    centered: optional(boolArg, false),
  },
  ({ weight_decay, ...rest }) => optimizerValue({ kind: "optimizer", name: "rmsprop", ...rest, weightDecay: weight_decay }),
);
const adadelta = builtin(
  "adadelta",
  "`g += weight_decay * p`; `v = rho * v + (1 - rho) * g ** 2`; `d = sqrt(u + eps) / sqrt(v + eps) * g`; `u = rho * u +" +
    " (1 - rho) * d ** 2`; `p -= lr * d`.",
  { lr: lr(1), rho: optional(shareArg, 0.9), eps: eps(1e-6), weight_decay: weightDecay() },
  ({ weight_decay, ...rest }) => optimizerValue({ kind: "optimizer", name: "adadelta", ...rest, weightDecay: weight_decay }),
);
const adamArgs = (decay: number) => ({
  lr: lr(1e-3),
  betas: optional(betasArg, [0.9, 0.999]),
  eps: eps(1e-8),
  weight_decay: weightDecay(decay),
  amsgrad: optional(boolArg, false),
});
const adam = builtin(
  "adam",
  "`g += weight_decay * p`; `m = b1 * m + (1 - b1) * g`; `v = b2 * v + (1 - b2) * g ** 2`; `p -= lr * m / (1 - b1 ** t)" +
    " / (sqrt(v / (1 - b2 ** t)) + eps)`; amsgrad takes the largest v so far.",
  adamArgs(0),
  ({ weight_decay, ...rest }) => optimizerValue({ kind: "optimizer", name: "adam", ...rest, weightDecay: weight_decay }),
);
const adamw = builtin(
  "adamw",
  "`p -= lr * weight_decay * p`, then as adam without its decay.",
  adamArgs(1e-2),
  ({ weight_decay, ...rest }) => optimizerValue({ kind: "optimizer", name: "adamw", ...rest, weightDecay: weight_decay }),
);
const nadam = builtin(
  "nadam",
  "m and v as in adam; `mu(t) = b1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))`, `q = mu(1) * ... * mu(t)`; `p -= lr * " +
    "((1 - mu(t)) / (1 - q) * g + mu(t + 1) / (1 - q * mu(t + 1)) * m) / (sqrt(v / (1 - b2 ** t)) + eps)`, as in PyTorch " +
    "2.",
  {
    lr: lr(2e-3),
    betas: optional(betasArg, [0.9, 0.999]),
    eps: eps(1e-8),
    weight_decay: weightDecay(),
    momentum_decay: optional(rateArg, 4e-3),
  },
  ({ lr, betas, eps, weight_decay: weightDecay, momentum_decay: momentumDecay }) =>
    optimizerValue({ kind: "optimizer", name: "nadam", lr, betas, eps, weightDecay, momentumDecay }),
);
const rprop = builtin(
  "rprop",
  "Every element has a step s, at first lr. If its g kept its sign, `s *= etas[1]`; if it turned, `s *= etas[0]` and `g" +
    " = 0`; s stays within step_sizes; `p -= s * sign(g)`.",
  { lr: lr(1e-2), etas: optional(etasArg, [0.5, 1.2]), step_sizes: optional(sizesArg, [1e-6, 50]) },
  ({ lr, etas, step_sizes: stepSizes }, c) =>
    lr.name === "constant" ? optimizerValue({ kind: "optimizer", name: "rprop", lr, etas, stepSizes }) : noSchedule(c),
);
const noSchedule = (c: BuiltinCall): never =>
  complain(c.frame, "constant", "rprop: `lr` is the first step size, which then grows and shrinks by itself: a number", c.span);
const lion = builtin(
  "lion",
  "`p -= lr * weight_decay * p`; `p -= lr * sign(b1 * m + (1 - b1) * g)`; `m = b2 * m + (1 - b2) * g`.",
  { lr: lr(1e-4), betas: optional(betasArg, [0.9, 0.99]), weight_decay: weightDecay() },
  ({ weight_decay, ...rest }) => optimizerValue({ kind: "optimizer", name: "lion", ...rest, weightDecay: weight_decay }),
);

export const optimizers: readonly Builtin[] = [sgd, adagrad, rmsprop, adadelta, adam, adamw, nadam, rprop, lion];
