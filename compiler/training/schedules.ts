/**
 * Learning rates as functions of the number of updates so far, computed inside the step. Formulas as in PyTorch where it
 * has the schedule. The forms below lose nothing in single precision: decays are products of factors from double precision,
 * cosines are squares of sines, whose arguments are counted from the end that is near.
 */
import type { Node } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import type { Schedule } from "../frontend/module.ts";
import { add, atLeast, atMost, div, f32Scalar, i32Scalar, integerPower, mul, scaled, sub, toFloat, where } from "./scalars.ts";

type Named<N extends Schedule["name"]> = Extract<Schedule, { readonly name: N }>;
type Formulas = { readonly [N in Schedule["name"]]: (schedule: Named<N>, t: Node) => Node };

/** The learning rate, f32[], when `updates` (i32[]) updates have been made. */
export const learningRate = <N extends Schedule["name"]>(schedule: Named<N>, updates: Node): Node =>
  (formulas as Formulas)[schedule.name as N](schedule, updates);

const formulas: Formulas = {
  constant: ({ lr }) => f32Scalar(lr),
  /** StepLR. */
  step_decay: ({ lr, every, factor }, t) => scaled(integerPower(factor, div(t, i32Scalar(every))), lr),
  /** lr * factor ** (t / every); ExponentialLR for every = 1. */
  exponential_decay: ({ lr, factor, every }, t) => scaled(integerPower(factor ** (1 / every), t), lr),
  /** lr / (1 + rate * t / every). */
  inverse_time: ({ lr, rate, every }, t) => div(f32Scalar(lr), add(f32Scalar(1), scaled(toFloat(t), rate / every))),
  /** lr / sqrt(1 + t / steps): after a warmup of as many steps, lr * sqrt(steps / updates). */
  inverse_sqrt: ({ lr, steps }, t) => {
    const grown = div(toFloat(add(t, i32Scalar(steps))), f32Scalar(steps));
    return div(f32Scalar(lr), ops.sqrt({ x: grown }));
  },
  /** CosineAnnealingLR, which stays at `to` behind its end; with `growth` CosineAnnealingWarmRestarts. */
  cosine: ({ lr, to, steps, growth }, t) => {
    const { passed, length } = growth === null ? { passed: atMost(t, steps), length: i32Scalar(steps) } : cycleAt(t, steps, growth);
    return bend(lr, to, toFloat(passed), toFloat(sub(length, passed)), toFloat(length));
  },
  /** LinearLR. */
  linear_warmup: ({ lr, from, steps }, t) => {
    const passed = atMost(t, steps);
    const part = (rate: number, count: Node) => scaled(div(toFloat(count), f32Scalar(steps)), rate);
    const rising = part(lr, passed);
    return from === 0 ? rising : add(rising, part(from, sub(i32Scalar(steps), passed)));
  },
  one_cycle: oneCycle,
  /** SequentialLR. */
  // biome-ignore lint/suspicious/noThenProperty: the name of the schedule in the language
  then: ({ first, next, after }, t) => {
    const isFirst = ops.less({ a: t, b: i32Scalar(after) });
    return where(isFirst, learningRate(first, t), learningRate(next, atLeast(sub(t, i32Scalar(after)), 0)));
  },
};

/** OneCycleLR with cosine annealing and two phases; the momentum does not move. It stays at the end behind it. */
function oneCycle({ lr, steps, pctStart, divFactor, finalDivFactor }: Named<"one_cycle">, t: Node): Node {
  const start = lr / divFactor;
  const end = steps - 1;
  const peak = pctStart * steps - 1;
  const at = atMost(t, end);
  const falling = (from: number): Node => {
    if (end <= from) return f32Scalar(start / finalDivFactor);
    const left = toFloat(sub(i32Scalar(end), at));
    return bend(lr, start / finalDivFactor, sub(f32Scalar(end - from), left), left, f32Scalar(end - from));
  };
  if (peak <= 0) return falling(peak);
  const passed = toFloat(at);
  const rising = bend(start, lr, passed, sub(f32Scalar(peak), passed), f32Scalar(peak));
  return where(ops.lessEqual({ a: passed, b: f32Scalar(peak) }), rising, falling(peak));
}

/** Half a cosine from `from` to `to`: weights cos^2 and sin^2 of the quarter circle, both as sines of what is left and passed. */
function bend(from: number, to: number, passed: Node, left: Node, length: Node): Node {
  const weight = (part: Node): Node => {
    const sine = ops.sin({ x: scaled(div(part, length), Math.PI / 2) });
    return mul(sine, sine);
  };
  const falling = scaled(weight(left), from);
  return to === 0 ? falling : add(falling, scaled(weight(passed), to));
}

/** Where `t` lies in cycles that begin with `steps` and are each `growth` times as long as the one before. */
function cycleAt(t: Node, steps: number, growth: number): { readonly passed: Node; readonly length: Node } {
  if (growth === 1) return { passed: ops.mod({ a: t, b: i32Scalar(steps) }), length: i32Scalar(steps) };
  let start = i32Scalar(0);
  let length = i32Scalar(steps);
  for (let from = steps, next = steps * growth; from < 2 ** 31; from += next, next *= growth) {
    const reached = ops.lessEqual({ a: i32Scalar(from), b: t });
    start = where(reached, i32Scalar(from), start);
    length = where(reached, i32Scalar(Math.min(next, 2 ** 31 - 1)), length);
  }
  return { passed: sub(t, start), length };
}
