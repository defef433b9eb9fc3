/**
 * `dlm tune FILE`: measures the ways between which schedules may choose, on the whole program, so that caches and threads are
 * as they will be. Questions of one kind are tried together, an option of each at a time; what a kernel takes is then read off
 * the profile. Kinds follow one another, because answers change which questions come later.
 */
import { type Choices, keyOf, type Question } from "../../ir/choice.ts";
import { fail } from "../../ir/diagnostic.ts";
import type { Origin } from "../../ir/graph/graph.ts";
import type { Call } from "../../ir/plan.ts";
import { checkWritable, isFile } from "./files.ts";
import { exit, type Io } from "./io.ts";
import { measureOptions, type Opened, open, timesOfCalls, type Work, warmUp, workOf } from "./measure.ts";
import type { Arguments, Command } from "./options.ts";
import { milliseconds } from "./progress.ts";
import { tuningBeside, tuningOf, writeTuning } from "./tuning.ts";

export const tuneCommand: Command = {
  name: "tune",
  usage: "FILE.dlm [--train]",
  summary: "Measures schedules of one inference, or with --train of a training step, and keeps what is faster than the compiler's choice.",
  details:
    "Writes NAME.tuning.json beside the source, which all commands that compile it use from then on; answers that were there and are\n" +
    "of other shapes stay. Another machine may have other answers. Blocks of convolutions are among the choices, so that results may\n" +
    "change by rounding; not with --exact. Takes about a minute for a network such as ResNet-18.",
  files: "one",
  options: { ...measureOptions, out: { value: "FILE.json", short: "o", help: "another place for the answers" } },
  run: tune,
};

/** An option must be so much faster than what was there: less is noise. */
const worthwhile = 0.95;
const rounds = 15;

async function tune(args: Arguments, io: Io): Promise<number> {
  const work = workOf(args);
  if (work.settings.target !== "wasm") fail("flag", "`dlm tune` needs `--target wasm`", null);
  const path = args.get("out") ?? work.settings.tuning ?? tuningBeside(work.path);
  checkWritable(path);
  const before = isFile(path) ? tuningOf(work.path, path)!.choices : {};
  const { answers, asked } = await measureAll(work, io);
  const changed = Object.keys(answers);
  const [untuned, tuned] = changed.length === 0 ? [0, 0] : await compare(work, answers, io);
  const isFaster = tuned < untuned;
  const what = work.train ? "one training step" : "one inference";
  io.out(`questions: ${asked.length}; with a faster answer than the compiler's: ${changed.length}\n`);
  if (changed.length > 0) io.out(`${what}: ${milliseconds(tuned)} with these answers, ${milliseconds(untuned)} without\n`);
  if (!isFaster) {
    io.out(`the compiler's choices stay: nothing is written\n`);
    return exit.fine;
  }
  const kept = Object.entries(before).filter(([key]) => !asked.includes(key));
  writeTuning(path, `${process.release.name} ${process.version} ${process.arch}`, { ...Object.fromEntries(kept), ...answers });
  io.out(`wrote ${path}\n`);
  return exit.fine;
}

interface Answers {
  /** That differ from what the compiler prefers. */
  readonly answers: Choices;
  /** Keys of all questions. */
  readonly asked: readonly string[];
}
async function measureAll(work: Work, io: Io): Promise<Answers> {
  let answers: Choices = {};
  const done = new Set<string>();
  const asked = new Set<string>();
  for (;;) {
    const start = await trial(work, answers, io);
    for (const q of start.questions) asked.add(keyOf(q));
    const kind = start.questions.find((q) => !done.has(q.kind))?.kind;
    if (kind === undefined) return { answers, asked: [...asked] };
    done.add(kind);
    const questions = start.questions.filter((q) => q.kind === kind);
    answers = await confirmed(work, answers, await fastest(work, answers, questions, start, io), io);
  }
}
const withAnswers = (answers: Choices, best: ReadonlyMap<Question, string>): Choices => ({
  ...answers,
  ...Object.fromEntries([...best].map(([q, option]) => [keyOf(q), option])),
});

/** Of each question the fastest option, where it is faster than the preferred one. */
async function fastest(
  work: Work,
  answers: Choices,
  questions: readonly Question[],
  start: Trial,
  io: Io,
): Promise<ReadonlyMap<Question, string>> {
  const best = new Map<Question, string>();
  const least = new Map(questions.map((q) => [q, costOf(q, start) * worthwhile]));
  const most = Math.max(...questions.map((q) => q.options.length));
  for (let k = 1; k < most; k++) {
    io.err(`measuring ${questions[0]!.kind}: option ${k} of ${most - 1}, questions: ${questions.length}\n`);
    const others = questions.filter((q) => q.options[k] !== undefined);
    const t = await trial(work, withAnswers(answers, new Map(others.map((q) => [q, q.options[k]!]))), io);
    for (const q of others) {
      const ms = costOf(q, t);
      if (ms >= least.get(q)!) continue;
      best.set(q, q.options[k]!);
      least.set(q, ms);
    }
  }
  return best;
}

/** Answers that are faster once more: a machine may have been busy while others were measured. */
async function confirmed(work: Work, answers: Choices, best: ReadonlyMap<Question, string>, io: Io): Promise<Choices> {
  if (best.size === 0) return answers;
  const [without, tuned] = [await trial(work, answers, io), await trial(work, withAnswers(answers, best), io)];
  const kept = new Map([...best].filter(([q]) => costOf(q, tuned) < costOf(q, without) * worthwhile));
  for (const [q, option] of kept) {
    const [now, before] = [costOf(q, tuned), costOf(q, without)].map(milliseconds);
    io.out(`  ${keyOf(q)}: ${option}, ${now} instead of ${before} with ${q.options[0]}\n`);
  }
  return withAnswers(answers, kept);
}

interface Trial {
  /** Every one once. */
  readonly questions: readonly Question[];
  readonly calls: readonly Call[];
  /** Least milliseconds of each call. */
  readonly times: readonly number[];
}
async function trial(work: Work, tuning: Choices, io: Io): Promise<Trial> {
  const questions = new Map<string, Question>();
  const quiet = { ...io, err: () => undefined };
  const onQuestion = (q: Question) => void questions.set(keyOf(q), q);
  const opened = await open(work, quiet, { profile: true, tuning, onQuestion });
  try {
    const runs = await timesOfCalls(opened, work.runs, quiet);
    const { calls } = opened.stages.plan.entries.find((e) => e.name === opened.entry.name)!;
    const times = calls.map((_, i) => Math.min(...runs.map((r) => r[i + 1]! - r[i]!)));
    return { questions: inUse([...questions.values()], calls), calls, times };
  } finally {
    await opened.net.dispose();
  }
}
/** Questions about what other entries do have no time here. */
const inUse = (questions: readonly Question[], calls: readonly Call[]): readonly Question[] =>
  questions.filter((q) => calls.some((c) => decides(q, c)));
const costOf = (q: Question, { calls, times }: Trial): number => calls.reduce((sum, c, i) => sum + (decides(q, c) ? times[i]! : 0), 0);
const decides = ({ of }: Question, call: Call): boolean =>
  "kernel" in of ? call.kernel === of.kernel : of.origin !== null && placeOf(call.origin) === placeOf(of.origin);
const placeOf = (origin: Origin | null): string => JSON.stringify([origin?.path, origin?.span]);

/** Least milliseconds of whole runs without and with the answers, measured in turn. */
async function compare(work: Work, answers: Choices, io: Io): Promise<readonly [untuned: number, tuned: number]> {
  const quiet = { ...io, err: () => undefined };
  const without = await open(work, quiet, { tuning: {} });
  const tuned = await open(work, quiet, { tuning: answers });
  try {
    const timed = async ({ run }: Opened): Promise<number> => {
      const start = io.now();
      await run();
      return io.now() - start;
    };
    await warmUp(() => timed(without));
    await warmUp(() => timed(tuned));
    const least: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let n = 0; n < rounds; n++) {
      least[0] = Math.min(least[0], await timed(without));
      least[1] = Math.min(least[1], await timed(tuned));
    }
    return least;
  } finally {
    await Promise.all([without.net.dispose(), tuned.net.dispose()]);
  }
}
