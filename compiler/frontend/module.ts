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

/** A learning rate: a number, or a function of the number of updates so far, as in PyTorch. */
export type Schedule =
  | { readonly kind: "schedule"; readonly name: "constant"; readonly lr: number }
  | { readonly kind: "schedule"; readonly name: "step_decay"; readonly lr: number; readonly every: number; readonly factor: number };
export type Optimizer = {
  readonly kind: "optimizer";
  readonly name: "sgd";
  readonly lr: Schedule;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly dampening: number;
  readonly weightDecay: number;
};

export interface Training {
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
  readonly clipNorm: number | null;
  readonly clipValue: number | null;
  /** From the block's `seed = ...`; the command line wins. */
  readonly seed: number | null;
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
