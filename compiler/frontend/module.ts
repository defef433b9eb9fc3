/** What elaboration makes of a model and its train block: graphs, variables, and how to train. */
import type { Diagnostic, Span } from "../../ir/diagnostic.ts";
import type { Graph, Node } from "../../ir/graph/graph.ts";
import type { TensorType } from "../../ir/type.ts";

/** A declared `param` or `state`. In the graphs it is the leaf `param` or `state` with this name. */
export interface VariableDeclaration {
  readonly kind: "param" | "state";
  /** The path of labels: `layer1.0.conv1.weight`. */
  readonly name: string;
  readonly type: TensorType;
  /** Initial value, in terms of the counter leaf `seed`. */
  readonly initial: Node;
  /** Reached by the model (in prediction or training); false: made by the train block alone. */
  readonly saved: boolean;
  readonly doc: string | null;
  readonly span: Span | null;
}

/** A learning rate as a function of the number of updates so far. Numbers are checked: counts are at least 1, rates at least 0. */
export type Schedule = { readonly kind: "schedule" } & (
  | { readonly name: "constant"; readonly lr: number }
  | { readonly name: "step_decay"; readonly lr: number; readonly every: number; readonly factor: number }
  | { readonly name: "exponential_decay"; readonly lr: number; readonly factor: number; readonly every: number }
  | { readonly name: "inverse_time"; readonly lr: number; readonly rate: number; readonly every: number }
  | { readonly name: "inverse_sqrt"; readonly lr: number; readonly steps: number }
  /** `growth`: how much longer each cycle is than the one before; null: one cycle, then `to`. */
  | { readonly name: "cosine"; readonly lr: number; readonly steps: number; readonly to: number; readonly growth: number | null }
  | { readonly name: "linear_warmup"; readonly lr: number; readonly steps: number; readonly from: number }
  | {
      readonly name: "one_cycle";
      readonly lr: number;
      readonly steps: number;
      readonly pctStart: number;
      readonly divFactor: number;
      readonly finalDivFactor: number;
    }
  /** `first` for `after` updates, then `next`, which counts from 0 again. */
  | { readonly name: "then"; readonly first: Schedule; readonly next: Schedule; readonly after: number }
);

type Pair = readonly [number, number];
interface Adam<N extends string> {
  readonly name: N;
  readonly betas: Pair;
  readonly eps: number;
  readonly amsgrad: boolean;
  readonly weightDecay: number;
}
export type Optimizer = { readonly kind: "optimizer"; readonly lr: Schedule } & (
  | {
      readonly name: "sgd";
      readonly momentum: number;
      readonly nesterov: boolean;
      readonly dampening: number;
      readonly weightDecay: number;
    }
  | {
      readonly name: "adagrad";
      readonly lrDecay: number;
      readonly initialAccumulator: number;
      readonly eps: number;
      readonly weightDecay: number;
    }
  | {
      readonly name: "rmsprop";
      readonly alpha: number;
      readonly eps: number;
      readonly momentum: number;
      readonly centered: boolean;
      readonly weightDecay: number;
    }
  | { readonly name: "adadelta"; readonly rho: number; readonly eps: number; readonly weightDecay: number }
  | Adam<"adam">
  | Adam<"adamw">
  | { readonly name: "nadam"; readonly betas: Pair; readonly eps: number; readonly momentumDecay: number; readonly weightDecay: number }
  /** Its `lr` is constant: the first step sizes. */
  | { readonly name: "rprop"; readonly etas: Pair; readonly stepSizes: Pair }
  | { readonly name: "lion"; readonly betas: Pair; readonly weightDecay: number }
);

/** Settings of a train block beside its losses and optimizers. */
export interface Settings {
  readonly clipNorm: number | null;
  readonly clipValue: number | null;
  /** Micro-batches of an update. */
  readonly accumulate: number;
  /** Decay of the running average of parameters that evaluation and the saved model use. */
  readonly ema: number | null;
  /** Normal noise of variance eta / (1 + updates) ** gamma on every gradient. */
  readonly gradientNoise: { readonly eta: number; readonly gamma: number } | null;
  /** From the block's `seed = ...`; the command line wins. */
  readonly seed: number | null;
}
export const noSettings: Settings = { clipNorm: null, clipValue: null, accumulate: 1, ema: null, gradientNoise: null, seed: null };

export interface Training extends Settings {
  /** `train finetune: LeNet` gives "finetune"; a block without a name has its model's. */
  readonly name: string;
  /** `training` true. Inputs: the model's, then the block's. Outputs: `loss`, then the metrics by name. Updates: declared states. */
  readonly step: Graph;
  /** `training` false; the same signature, no updates. */
  readonly evaluate: Graph;
  /** Losses of parameter groups, as nodes of `step`; the output `loss` is their sum. `globs` null: every other parameter. */
  readonly losses: readonly { readonly globs: readonly string[] | null; readonly value: Node }[];
  /** In source order; the last that matches a parameter wins. `globs` null: all. */
  readonly optimizers: readonly { readonly globs: readonly string[] | null; readonly optimizer: Optimizer; readonly span: Span | null }[];
  readonly freeze: readonly { readonly glob: string; readonly span: Span | null }[];
}
export interface Module {
  readonly name: string;
  readonly doc: string | null;
  /** Documentation of inputs and outputs by name. */
  readonly docs: ReadonlyMap<string, string>;
  /** Name of the first dimension of every data input, if they share one. */
  readonly batch: string | null;
  /** Values of all named dimensions of the signature. */
  readonly dims: Readonly<Record<string, number>>;
  /** In creation order; those of `forward` first. */
  readonly variables: readonly VariableDeclaration[];
  /** `training` false. */
  readonly forward: Graph;
  readonly training: Training | null;
  readonly warnings: readonly Diagnostic[];
  /** Text of every file read, by path: for rendering. */
  readonly sources: ReadonlyMap<string, string>;
}
