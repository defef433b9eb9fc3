/** Optimizers and learning-rate schedules, gradients, and what later versions will have. */
import { ops } from "../../../../ir/ops/index.ts";
import type { Schedule } from "../../module.ts";
import {
  anyArg,
  type Builtin,
  type BuiltinCall,
  boolArg,
  builtin,
  floatArg,
  intArg,
  optional,
  stringArg,
  tensorArg,
  unavailable,
} from "../builtin.ts";
import { complain } from "../frame.ts";
import { matches } from "../globs.ts";
import { tensorValue } from "../tensors.ts";
import { describe, isNumber, list, showType, type Value } from "../values.ts";

/** A number or a schedule. */
const lrArg = {
  expects: "a number or a schedule",
  decode: (v: Value): Schedule | undefined => {
    if (v.kind === "schedule") return v.schedule;
    if (isNumber(v)) return { kind: "schedule", name: "constant", lr: v.value };
    return v.kind === "initializer" && v.constant !== null ? { kind: "schedule", name: "constant", lr: v.constant } : undefined;
  },
  fallback: null,
};
const least = (c: BuiltinCall, name: string, value: number, bound = 0): void => {
  if (!(value >= bound && Number.isFinite(value)))
    complain(c.frame, "constant", `${c.subject}: \`${name}\` is at least ${bound}, got ${value}`, c.span);
};

const sgd = builtin(
  "sgd",
  {
    lr: lrArg,
    momentum: optional(floatArg, 0),
    nesterov: optional(boolArg, false),
    dampening: optional(floatArg, 0),
    weight_decay: optional(floatArg, 0),
  },
  ({ lr, momentum, nesterov, dampening, weight_decay: weightDecay }, c) => {
    least(c, "lr", lr.lr);
    least(c, "momentum", momentum);
    least(c, "weight_decay", weightDecay);
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      complain(c.frame, "constant", "sgd: nesterov needs a momentum and no dampening", c.span);
    }
    return { kind: "optimizer", optimizer: { kind: "optimizer", name: "sgd", lr, momentum, nesterov, dampening, weightDecay } };
  },
);
const stepDecay = builtin("step_decay", { lr: floatArg, every: intArg, factor: optional(floatArg, 0.1) }, ({ lr, every, factor }, c) => {
  least(c, "lr", lr);
  least(c, "every", every, 1);
  least(c, "factor", factor);
  return { kind: "schedule", schedule: { kind: "schedule", name: "step_decay", lr, every, factor } };
});

/** The derivative of the scalar y by a tensor or by each of a list. */
const grad = builtin("grad", { y: tensorArg, x: anyArg }, ({ y, x }, c) => {
  if (y.type.shape.length) {
    complain(c.frame, "shape", `grad needs a scalar, got ${showType(y.type)}`, c.span, { help: "reduce it first: grad(sum(y), x)" });
  }
  const one = (v: Value): Value => {
    if (v.kind === "list") return list(v.items.map(one));
    if (v.kind !== "tensor") return complain(c.frame, "type", `grad is by a tensor, got ${describe(v)}`, c.span);
    if (v.node.type.dtype !== "f32") complain(c.frame, "type", `grad is by f32, got ${showType(v.node.type)}`, c.span);
    return tensorValue(c.frame, c.span, () => ops.gradient({ y, x: v.node }));
  };
  return one(x);
});

/** Parameters made so far whose path a glob matches. */
const params = builtin("params", { glob: stringArg }, ({ glob }, c) => {
  const { session } = c.frame;
  if (c.frame.kind !== "train") {
    complain(c.frame, "train", "`params` lists parameters in a train block only", c.span, {
      help: 'hand the list on: l2(params("*.weight"))',
    });
  }
  const found = [...session.made.keys()].flatMap((path) => {
    const variable = session.world.variables.get(path);
    return variable?.declaration.kind === "param" && matches(glob, path) ? [variable.leaf] : [];
  });
  if (found.length === 0 && session.training && session.world.problems.errors() === 0) {
    complain(c.frame, "train", `"${glob}" matches no parameter made so far`, c.span);
  }
  return list(found.map((node) => ({ kind: "tensor", node })));
});

const optimizers = ["adagrad", "rmsprop", "adadelta", "adam", "adamw", "nadam", "rprop", "lion"];
const schedules = ["exponential_decay", "inverse_time", "inverse_sqrt", "cosine", "linear_warmup", "one_cycle", "then"];

export const trainingFunctions: readonly Builtin[] = [
  sgd,
  stepDecay,
  grad,
  params,
  ...optimizers.map((name) => unavailable(name, "the optimizer that is available is sgd")),
  ...schedules.map((name) => unavailable(name, "the schedules that are available are constant and step_decay")),
];
