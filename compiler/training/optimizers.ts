/** Update rules of optimizers: a row each. Formulas as in PyTorch. */
import { type Diagnostic, diagnostic, type Span } from "../../ir/diagnostic.ts";
import type { Node } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import type { TensorType } from "../../ir/type.ts";
import type { Optimizer } from "../frontend/module.ts";
import { f32Scalar, i32Scalar } from "./schedules.ts";

/** What an optimizer remembers for one parameter: named `<parameter>.<name>`, of the parameter's type unless said. */
export interface SlotSpec {
  readonly name: string;
  readonly type: TensorType;
  readonly initial: number;
}
/** One update of one parameter; nodes see the values before it. */
export interface UpdateInputs {
  readonly param: Node;
  readonly gradient: Node;
  /** By the names of the specification. */
  readonly slots: Readonly<Record<string, Node>>;
  /** f32[]. */
  readonly learningRate: Node;
  /** i32[]: updates made before this one. */
  readonly updates: Node;
}
export interface UpdateResult {
  readonly param: Node;
  readonly slots: Readonly<Record<string, Node>>;
}
export interface UpdateRule<O> {
  /** Complains about settings that mean nothing. */
  readonly check: (optimizer: O, span: Span | null) => Diagnostic | null;
  readonly slots: (optimizer: O, param: TensorType) => readonly SlotSpec[];
  readonly update: (optimizer: O, inputs: UpdateInputs) => UpdateResult;
}
type Named<N extends Optimizer["name"]> = Extract<Optimizer, { readonly name: N }>;

const add = (a: Node, b: Node) => ops.add({ a, b });
const scaled = (x: Node, by: number) => ops.mul({ a: x, b: f32Scalar(by) });
/** x + factor * y, without arithmetic for factors 0 and 1. */
const plusScaled = (x: Node, factor: number, y: Node): Node => (factor === 0 ? x : add(x, factor === 1 ? y : scaled(y, factor)));
const descend = (param: Node, rate: Node, direction: Node): Node => ops.sub({ a: param, b: ops.mul({ a: direction, b: rate }) });

/** torch.optim.SGD: the momentum buffer starts as the first direction, undamped. */
const sgd: UpdateRule<Named<"sgd">> = {
  check: ({ nesterov, momentum, dampening }, span) =>
    nesterov && (momentum <= 0 || dampening !== 0)
      ? diagnostic("train", "sgd: nesterov needs a momentum above 0 and no dampening", span, {
          help: "write momentum=0.9, or leave nesterov out",
        })
      : null,
  slots: ({ momentum }, type) => (momentum === 0 ? [] : [{ name: "momentum", type, initial: 0 }]),
  update: ({ momentum, dampening, nesterov, weightDecay }, { param, gradient, slots, learningRate, updates }) => {
    const direction = plusScaled(gradient, weightDecay, param);
    const before = slots.momentum;
    if (!before) return { param: descend(param, learningRate, direction), slots: {} };
    const moving = add(scaled(before, momentum), dampening === 0 ? direction : scaled(direction, 1 - dampening));
    const isFirst = ops.equal({ a: updates, b: i32Scalar(0) });
    const buffer = dampening === 0 ? moving : ops.where({ cond: isFirst, a: direction, b: moving });
    return {
      param: descend(param, learningRate, nesterov ? plusScaled(direction, momentum, buffer) : buffer),
      slots: { momentum: buffer },
    };
  },
};

const rules: { readonly [N in Optimizer["name"]]: UpdateRule<Named<N>> } = { sgd };

/** The rule of an optimizer. */
export const ruleOf = <N extends Optimizer["name"]>(optimizer: Named<N>): UpdateRule<Named<N>> => rules[optimizer.name as N];
