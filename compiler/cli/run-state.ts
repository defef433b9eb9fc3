/** How long a training run is, from where it goes on, and whether it is the same run as before. */
import { CompileError, diagnostic, fail } from "../../ir/diagnostic.ts";
import type { RunState } from "./checkpoint-folder.ts";
import type { TrainingBuild } from "./examples.ts";
import type { Arguments } from "./options.ts";
import type { CompileSettings } from "./settings.ts";
import type { Examples, Plan } from "./train.ts";
import { batchesOf } from "./training.ts";

export function runState(
  args: Arguments,
  settings: CompileSettings,
  plan: Plan,
  { stages }: TrainingBuild,
  examples: Examples,
  from: RunState | null,
): RunState {
  const { module, program } = stages;
  const [batch, count] = [examples?.feed.batch ?? 0, examples?.train.count ?? 0];
  const now: RunState = {
    step: from?.step ?? 0,
    steps: from?.steps ?? 0,
    seed: settings.seed ?? from?.seed ?? module.training?.seed ?? 0,
    batch,
    examples: count,
    shuffle: !args.has("no-shuffle") && !examples?.source.ordered,
    program: program.name,
    trainBlock: module.training?.name ?? "",
    set: settings.set,
    dims: Object.fromEntries(Object.entries(module.dims).filter(([name]) => name !== module.batch)),
    fields: examples?.source.fields.map((f) => f.name) ?? [],
    stored: examples?.source.train.count ?? 0,
  };
  if (from) checkSame(now, from);
  const perEpoch = examples ? batchesOf(count, batch) : 0;
  if (examples && perEpoch === 0) tooFew(args, count, batch, now.stored);
  return { ...now, steps: stepsOf(plan, perEpoch, accumulateOf(stages), from) };
}

function tooFew(args: Arguments, count: number, batch: number, stored: number): never {
  const kept = stored > count ? `--val ${args.get("val")} leaves ${count} of ${stored} examples to train on` : "";
  return fail("data", `${kept || `there are ${count} examples to train on`}, fewer than a batch of ${batch}`, null, {
    help: count > 0 ? `use --batch ${count} or less` : "use a smaller --val",
  });
}

/** Updates of the whole run; `perEpoch` is in micro-batches. */
function stepsOf({ steps, epochs }: Plan, perEpoch: number, accumulate: number, from: RunState | null): number {
  if (steps !== undefined) return steps;
  if (perEpoch === 0) return from?.steps ?? fail("flag", "without data there are no epochs: say how long with `--steps`", null);
  if (epochs === undefined && from) return from.steps;
  const wanted = Math.floor(((epochs ?? 1) * perEpoch) / accumulate);
  return wanted > 0
    ? wanted
    : fail("data", "there are fewer batches than one update accumulates", null, { help: "use more --epochs, or a smaller --batch" });
}
export const accumulateOf = ({ module }: TrainingBuild["stages"]): number => module.training?.accumulate ?? 1;

/** What must not differ, as users know it. */
const names: Readonly<Record<Exclude<keyof RunState, "step" | "steps">, string>> = {
  program: "the model",
  trainBlock: "--train-block",
  seed: "--seed",
  batch: "--batch",
  set: "--set",
  dims: "the dimensions",
  fields: "the fields of --data",
  stored: "the number of examples in --data",
  examples: "the number of training examples",
  shuffle: "shuffling",
};

/** Anything else would not be the same run. */
function checkSame(now: RunState, before: RunState): void {
  const differ = (Object.keys(names) as (keyof typeof names)[]).filter((key) => spell(now[key]) !== spell(before[key]));
  const help = "to train on differently, start a new run with --weights";
  const diagnostics = differ.map((key, i) =>
    diagnostic(
      "flag",
      `the checkpoint was made with another value of ${names[key]}: ${spell(before[key])}, now ${spell(now[key])}`,
      null,
      i === differ.length - 1 ? { help } : {},
    ),
  );
  if (diagnostics.length) throw new CompileError(diagnostics);
}

type Value = RunState[keyof RunState];
function spell(value: Value): string {
  if (typeof value !== "object") return String(value);
  const list = Array.isArray(value)
    ? value
    : Object.entries(value)
        .map(([k, v]) => `${k}=${v}`)
        .sort();
  return list.length ? list.join(", ") : "none";
}
