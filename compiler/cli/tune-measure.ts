/**
 * Measuring the ways between which schedules may choose, on the whole program, so that caches and threads are as they will be.
 * Questions of one kind are tried together, an option of each at a time; what a kernel takes is then read off the profile.
 * Kinds follow one another, because answers change which questions come later.
 */
import { type Choices, type Kind, keyOf, kinds, type Question } from "../../ir/choice.ts";
import type { Origin } from "../../ir/graph/graph.ts";
import type { Call } from "../../ir/plan.ts";
import type { Io } from "./io.ts";
import { type Opened, open, timesOfCalls, titleOf, type Work, warmUp } from "./measure.ts";
import { milliseconds } from "./progress.ts";
import { median } from "./statistics.ts";

/** An option must be so much faster than what was there, and a whole run with all answers so much: less is noise. */
const worthwhile = { answer: 0.95, whole: 0.98 } as const;
/** Whole runs in turn, and how many of them must be faster. */
const rounds = 15;
const mostRounds = 0.75;

/** Typically below the best of the others, and by some percent: a machine's moods are no gain. */
export const isClearlyBelow = (times: readonly number[], others: readonly number[]): boolean =>
  median(times) < Math.min(...others) && Math.min(...times) < Math.min(...others) * worthwhile.answer;

/** Of runs that were measured in turn, pair by pair: what both slow down does not count. */
export function isWholeFaster(tuned: readonly number[], untuned: readonly number[]): boolean {
  const ratios = tuned.map((t, i) => t / untuned[i]!);
  return median(ratios) < worthwhile.whole && ratios.filter((r) => r < 1).length >= mostRounds * ratios.length;
}

export interface Session {
  readonly work: Work;
  readonly io: Io;
  /** Whether the user interrupted. */
  readonly isStopped: () => boolean;
}
/** Thrown when the user interrupted. */
export class Stopped extends Error {}

/** An answer that is clearly faster than what the compiler prefers. */
export interface Answer {
  readonly option: string;
  readonly ms: number;
  readonly preferred: string;
  readonly preferredMs: number;
}
export interface Answers {
  /** By key. */
  readonly faster: Readonly<Record<string, Answer>>;
  /** Keys of all questions. */
  readonly asked: readonly string[];
  /** What was measured: `one training step, batch 32`. */
  readonly title: string;
}
export const choicesOf = (faster: Answers["faster"]): Choices =>
  Object.fromEntries(Object.entries(faster).map(([key, { option }]) => [key, option]));

export async function measureAll(session: Session): Promise<Answers> {
  const { io } = session;
  let faster: Answers["faster"] = {};
  const done = new Set<Kind>();
  const asked = new Set<string>();
  for (;;) {
    const before = io.now();
    const start = await trial(session, choicesOf(faster));
    if (done.size === 0) io.err(outlook(start, io.now() - before));
    for (const q of start.questions) asked.add(q.key);
    const kind = start.questions.find((q) => !done.has(q.kind))?.kind;
    if (kind === undefined) return { faster, asked: [...asked], title: start.title };
    done.add(kind);
    const questions = start.questions.filter((q) => q.kind === kind);
    faster = { ...faster, ...(await confirmed(session, faster, await fastest(session, faster, questions, start))) };
  }
}

/** What lies ahead, where one measurement took `ms`. */
function outlook({ title, questions }: Trial, ms: number): string {
  const ofKind = [...new Set(questions.map((q) => q.kind))].map((kind) => questions.filter((q) => q.kind === kind));
  const trials = ofKind.reduce((n, of) => n + mostOptions(of) + 2, 1);
  const seconds = Math.ceil((trials * ms) / 5000) * 5;
  const time = seconds <= 90 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
  return `${title}: ${questions.length === 1 ? "1 choice" : `${questions.length} choices`} to measure, about ${time}\n`;
}
const mostOptions = (questions: readonly Asked[]): number => Math.max(...questions.map((q) => q.options.length));

const withOptions = (faster: Answers["faster"], best: ReadonlyMap<Asked, string>): Choices => ({
  ...choicesOf(faster),
  ...Object.fromEntries([...best].map(([q, option]) => [q.key, option])),
});

/** Of each question the fastest option, where it seems faster than the preferred one. */
async function fastest(
  session: Session,
  faster: Answers["faster"],
  questions: readonly Asked[],
  start: Trial,
): Promise<ReadonlyMap<Asked, string>> {
  const best = new Map<Asked, string>();
  const least = new Map(questions.map((q) => [q, Math.min(...costsOf(q, start)) * worthwhile.answer]));
  const most = mostOptions(questions);
  for (let k = 1; k < most; k++) {
    const others = questions.filter((q) => q.options[k] !== undefined);
    const places = others.length === 1 ? "one" : `${others.length} at once`;
    session.io.err(`measuring ${kinds[questions[0]!.kind]}: ${places}, alternative ${k} of ${most - 1}\n`);
    const t = await trial(session, withOptions(faster, new Map(others.map((q) => [q, q.options[k]!]))));
    for (const q of others) {
      const ms = Math.min(...costsOf(q, t));
      if (ms >= least.get(q)!) continue;
      best.set(q, q.options[k]!);
      least.set(q, ms);
    }
  }
  return best;
}

/** Answers that are faster once more, and clearly: a machine may have been busy while others were measured. */
async function confirmed(session: Session, faster: Answers["faster"], best: ReadonlyMap<Asked, string>): Promise<Answers["faster"]> {
  if (best.size === 0) return {};
  session.io.err(`measuring once more what seemed faster: ${best.size}\n`);
  const [without, tuned] = [await trial(session, choicesOf(faster)), await trial(session, withOptions(faster, best))];
  const kept = [...best].flatMap(([q, option]): [string, Answer][] => {
    const [now, before] = [costsOf(q, tuned), costsOf(q, without)];
    if (!isClearlyBelow(now, before)) return [];
    return [[q.key, { option, ms: Math.min(...now), preferred: q.options[0], preferredMs: Math.min(...before) }]];
  });
  for (const [key, a] of kept)
    session.io.err(`  ${key}: ${a.option}, ${milliseconds(a.ms)} instead of ${milliseconds(a.preferredMs)} with ${a.preferred}\n`);
  return Object.fromEntries(kept);
}

/** A question, with all the places that it is asked of. */
export interface Asked extends Pick<Question, "kind" | "options"> {
  readonly key: string;
  readonly places: readonly Question["of"][];
}
export function askedOf(questions: readonly Question[]): readonly Asked[] {
  const asked = new Map<string, Asked>();
  for (const q of questions) {
    const key = keyOf(q);
    asked.set(key, { key, kind: q.kind, options: q.options, places: [...(asked.get(key)?.places ?? []), q.of] });
  }
  return [...asked.values()];
}

export interface Trial {
  readonly title: string;
  readonly questions: readonly Asked[];
  readonly calls: readonly Call[];
  /** For each run the milliseconds of each call. */
  readonly runs: readonly (readonly number[])[];
}
async function trial({ work, io, isStopped }: Session, tuning: Choices): Promise<Trial> {
  const questions: Question[] = [];
  const quiet = { ...io, err: () => undefined };
  if (isStopped()) throw new Stopped();
  const opened = await open(work, quiet, { profile: true, tuning, onQuestion: (q) => questions.push(q) });
  try {
    const times = await timesOfCalls(opened, work.runs, quiet, isStopped);
    if (isStopped()) throw new Stopped();
    const { calls } = opened.stages.plan.entries.find((e) => e.name === opened.entry.name)!;
    const runs = times.map((r) => calls.map((_, i) => r[i + 1]! - r[i]!));
    return { title: titleOf(opened.stages, work.train), questions: inUse(askedOf(questions), calls), calls, runs };
  } finally {
    await opened.net.dispose();
  }
}
/** Questions about what other entries do have no time here. */
const inUse = (questions: readonly Asked[], calls: readonly Call[]): readonly Asked[] =>
  questions.filter((q) => calls.some((c) => decides(q, c)));
/** For each run what all places of a question take together. */
export function costsOf(q: Asked, { calls, runs }: Pick<Trial, "calls" | "runs">): readonly number[] {
  const decided = calls.flatMap((c, i) => (decides(q, c) ? [i] : []));
  return runs.map((times) => decided.reduce((sum, i) => sum + times[i]!, 0));
}
const decides = ({ places }: Asked, call: Call): boolean =>
  places.some((of) => ("kernel" in of ? call.kernel === of.kernel : of.origin !== null && placeOf(call.origin) === placeOf(of.origin)));
const placeOf = (origin: Origin | null): string => JSON.stringify([origin?.path, origin?.span]);

/** Milliseconds of whole runs with each tuning, measured in turn. */
export async function wholeRuns({ work, io, isStopped }: Session, tunings: readonly Choices[]): Promise<readonly (readonly number[])[]> {
  const quiet = { ...io, err: () => undefined };
  const all: Opened[] = [];
  try {
    for (const tuning of tunings) all.push(await open(work, quiet, { tuning }));
    const timed = async ({ run }: Opened): Promise<number> => {
      if (isStopped()) throw new Stopped();
      const start = io.now();
      await run();
      return io.now() - start;
    };
    for (const opened of all) await warmUp(() => timed(opened));
    const times = all.map((): number[] => []);
    for (let n = 0; n < rounds; n++) for (const [i, opened] of all.entries()) times[i]!.push(await timed(opened));
    return times;
  } finally {
    await Promise.all(all.map(({ net }) => net.dispose()));
  }
}
