/**
 * PyTorch's layers take the extent of their input first: `Linear(in, out)`. Here the tensor gives it, so that the same
 * arguments mean something else: what to say about calls that look like those.
 */
import type { Argument, Called } from "./arguments.ts";
import { warn } from "./frame.ts";
import type { LayerValue, Value } from "./values.ts";

interface Habit {
  /** What the first argument is here. */
  readonly first: string;
  /** Who knows the extent. */
  readonly input: string;
  /** The axis of the input that PyTorch's first argument repeats. */
  readonly axis: number;
  /** Whether these ints, of which the first is the extent of the axis, are rather PyTorch's than meant. */
  readonly suspicious: (ints: readonly number[]) => boolean;
}
const never = () => false;
/** Three ints; convolutions to as many channels are common, but neither of few channels nor with so wide a kernel. */
const convolution = ([extent = 0, second = 0, ...more]: readonly number[]): boolean => more.length > 0 && (extent <= 4 || second >= 8);
const conv: Habit = {
  first: "the number of output channels",
  input: "the input's channels come from the tensor",
  axis: 1,
  suspicious: convolution,
};
/** As many layers on top of each other are rare. */
const recurrent: Habit = {
  first: "the width of its state",
  input: "the input's width comes from the tensor",
  axis: 2,
  suspicious: ([, layers = 0]) => layers >= 5,
};
const width = (first: string): Habit => ({ first, input: "the input width comes from the tensor", axis: -1, suspicious: never });
const habits: Readonly<Record<string, Habit>> = {
  Linear: width("the output width"),
  Conv1d: conv,
  Conv2d: conv,
  Conv3d: conv,
  ConvTranspose2d: conv,
  RNN: recurrent,
  LSTM: recurrent,
  GRU: recurrent,
  MultiHeadAttention: width("the number of heads"),
};
const habitOf = (layer: LayerValue): Habit | null => {
  const { name } = layer.declaration.name;
  return layer.file.standard && Object.hasOwn(habits, name) ? habits[name]! : null;
};

const positional = (args: Iterable<Argument>): readonly Value[] =>
  [...args].flatMap((a) => (a.name === null && a.value.kind !== "tensor" ? [a.value] : []));
/** The ints that stand at the beginning. */
function leadingInts(values: readonly Value[]): readonly number[] {
  const end = values.findIndex((v) => v.kind !== "int");
  return values.slice(0, end < 0 ? values.length : end).flatMap((v) => (v.kind === "int" ? [v.value] : []));
}

/** Help for an argument of the wrong kind, or one given twice, when the input's extent may stand first. */
export function helpForOrder(layer: LayerValue, args: Iterable<Argument>): string | null {
  const all = [...args];
  const values = positional(all);
  const { name } = layer.declaration.name;
  const [only] = values;
  if (layer.file.standard && name === "LayerNorm" && only?.kind === "list")
    return `the extents come from the tensor, \`dims\` is how many of them: LayerNorm(${only.items.length})`;
  const habit = habitOf(layer);
  const ints = leadingInts(values);
  return habit && ints.length > 1
    ? `${habit.input}: ${name}(${ints.slice(1).join(", ")}${all.some((a) => a.name !== null) ? ", ..." : ""})`
    : null;
}

/** Warns where the arguments fit both readings. */
export function warnOfOrder(layer: LayerValue, args: ReadonlyMap<string, Argument>, c: Called): void {
  const habit = habitOf(layer);
  const input = args.get(layer.declaration.params[0]!.name.name)?.value;
  if (!habit || input?.kind !== "tensor") return;
  const ints = leadingInts(positional(args.values()));
  if (ints[0] === undefined || ints[0] !== input.node.type.shape.at(habit.axis) || !habit.suspicious(ints)) return;
  const { name } = layer.declaration.name;
  const message = `${name}'s first argument is ${habit.first}; ${habit.input}`;
  warn(c.frame, "argument", message, c.span, `write ${name}(${ints.slice(1).join(", ")}), or name the arguments`);
}
