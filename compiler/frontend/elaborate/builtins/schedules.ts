/** Learning-rate schedules: functions of the number of updates so far. */
import type { Schedule } from "../../module.ts";
import { type Builtin, type BuiltinCall, boolArg, builtin, numberArg, optional, orNone, type Parameter } from "../builtin.ts";
import { complain } from "../frame.ts";
import { isNumber, type Value } from "../values.ts";

/** A rate of at least 0. */
export const rateArg = numberArg("a number of at least 0", (x) => x >= 0);
export const positiveArg = numberArg("a positive number", (x) => x > 0);
/** An int of at least 1. */
export const countArg: Parameter<number> = {
  expects: "an int of at least 1",
  decode: (v) => (v.kind === "int" && v.value >= 1 && v.value < 2 ** 31 ? v.value : undefined),
  fallback: null,
};

const constant = (lr: number): Schedule => ({ kind: "schedule", name: "constant", lr });
/** A number or a schedule; `constant(0.1)` is the initial value of that name. */
export const lrArg: Parameter<Schedule> = {
  expects: "a number of at least 0 or a schedule",
  decode: (v: Value) => {
    if (v.kind === "schedule") return v.schedule;
    const lr = isNumber(v) ? v.value : v.kind === "initializer" ? v.constant : null;
    return lr !== null && lr >= 0 && Number.isFinite(lr) ? constant(lr) : undefined;
  },
  fallback: null,
};
const scheduleValue = (schedule: Schedule): Value => ({ kind: "schedule", schedule });

/** After how many updates a schedule is over; null: it has no end. */
function lengthOf(schedule: Schedule): number | null {
  switch (schedule.name) {
    case "cosine":
      return schedule.growth === null ? schedule.steps : null;
    case "linear_warmup":
    case "one_cycle":
      return schedule.steps;
    case "then": {
      const rest = lengthOf(schedule.next);
      return rest === null ? null : schedule.after + rest;
    }
    case "constant":
    case "step_decay":
    case "exponential_decay":
    case "inverse_time":
    case "inverse_sqrt":
      return null;
  }
}

const stepDecay = builtin(
  "step_decay",
  "`lr * factor ** (t // every)`. As StepLR.",
  { lr: rateArg, every: countArg, factor: optional(rateArg, 0.1) },
  (args) => scheduleValue({ kind: "schedule", name: "step_decay", ...args }),
);
const exponentialDecay = builtin(
  "exponential_decay",
  "`lr * factor ** (t / every)`. As ExponentialLR, for every = 1.",
  { lr: rateArg, factor: rateArg, every: optional(countArg, 1) },
  (args) => scheduleValue({ kind: "schedule", name: "exponential_decay", ...args }),
);
const inverseTime = builtin(
  "inverse_time",
  "`lr / (1 + rate * t / every)`.",
  { lr: rateArg, rate: rateArg, every: optional(countArg, 1) },
  (args) => scheduleValue({ kind: "schedule", name: "inverse_time", ...args }),
);
const inverseSqrt = builtin("inverse_sqrt", "`lr / sqrt(1 + t / steps)`.", { lr: rateArg, steps: optional(countArg, 1) }, (args) =>
  scheduleValue({ kind: "schedule", name: "inverse_sqrt", ...args }),
);
const cosine = builtin(
  "cosine",
  "`to + (lr - to) * (1 + cos(pi * t / steps)) / 2` up to t = steps, then `to`, as CosineAnnealingLR. With restarts " +
    "it begins again, each cycle `growth` times as long as the one before, as CosineAnnealingWarmRestarts.",
  { lr: rateArg, steps: countArg, to: optional(rateArg, 0), restarts: optional(boolArg, false), growth: optional(countArg, 1) },
  ({ lr, steps, to, restarts, growth }, c) => {
    if (growth !== 1 && !restarts) {
      complain(c.frame, "constant", "cosine: `growth` is of the cycles, so it needs `restarts=true`", c.span);
    }
    return scheduleValue({ kind: "schedule", name: "cosine", lr, steps, to, growth: restarts ? growth : null });
  },
);
const linearWarmup = builtin(
  "linear_warmup",
  "`from + (lr - from) * t / steps` up to t = steps, then `lr`. As LinearLR.",
  { lr: rateArg, steps: countArg, from: optional(rateArg, 0) },
  (args) => scheduleValue({ kind: "schedule", name: "linear_warmup", ...args }),
);
const share = numberArg("a number from 0 to 1", (x) => x >= 0 && x <= 1);
const oneCycle = builtin(
  "one_cycle",
  "Half a cosine up from `lr / div_factor` to `lr` in the share pct_start of the steps, half a cosine down to `lr / " +
    "div_factor / final_div_factor`, and that from then on. As OneCycleLR; momentum does not move.",
  {
    lr: rateArg,
    steps: countArg,
    pct_start: optional(share, 0.3),
    div_factor: optional(positiveArg, 25),
    final_div_factor: optional(positiveArg, 1e4),
  },
  ({ lr, steps, pct_start: pctStart, div_factor: divFactor, final_div_factor: finalDivFactor }) =>
    scheduleValue({ kind: "schedule", name: "one_cycle", lr, steps, pctStart, divFactor, finalDivFactor }),
);
/** `linear_warmup(0.1, steps=500) |> then(cosine(0.1, steps=9000))`: what has no end needs `after`. */
const then = builtin(
  "then",
  "`first` until its end, or for `after` updates, then `next`, which counts from 0: `linear_warmup(0.1, steps=500) |> " +
    "then(cosine(0.1, steps=9000))`.",
  { first: lrArg, next: lrArg, after: orNone(countArg) },
  ({ first, next, after }, c) =>
    scheduleValue({ kind: "schedule", name: "then", first, next, after: after ?? lengthOf(first) ?? endless(first, c) }),
);
const endless = (first: Schedule, c: BuiltinCall): never =>
  complain(c.frame, "constant", `then: the schedule \`${first.name}\` has no end`, c.span, {
    help: "say after how many updates the next one begins: then(..., after=1000)",
  });

export const schedules: readonly Builtin[] = [stepDecay, exponentialDecay, inverseTime, inverseSqrt, cosine, linearWarmup, oneCycle, then];
