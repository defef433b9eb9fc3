/** `dlm tune FILE`: measures the choices of schedules and keeps the answers that are faster than the compiler's (`tune-measure.ts`). */
import { dirname } from "node:path";
import type { Choices } from "../../ir/choice.ts";
import { CompileError, fail } from "../../ir/diagnostic.ts";
import { checkWritable, exists, isFile, isFolder } from "./files.ts";
import { exit, type Io, note, warn } from "./io.ts";
import { measureOptions, workOf } from "./measure.ts";
import type { Arguments, Command, Options } from "./options.ts";
import { milliseconds } from "./progress.ts";
import { jsonOption } from "./settings.ts";
import { type Answers, choicesOf, isWholeFaster, measureAll, type Session, Stopped, wholeRuns } from "./tune-measure.ts";
import { readTuning, tuningBeside, writeTuning } from "./tuning.ts";
import { version } from "./version.ts";

const { exact: _exact, limits: _limits, storage: _storage, tuning: _tuning, ...options }: Options = measureOptions;

export const tuneCommand: Command = {
  name: "tune",
  usage: "FILE.dlm [--train]",
  summary: "Measures schedules of one inference, or with --train of a training step, and keeps what is faster than the compiler's choice.",
  details:
    "Writes NAME.tuning.json beside the source, which all commands that compile it for WebAssembly use from then on, but for\n" +
    "--exact; with -o another file, which those commands take by --tuning FILE. Answers that the file has and that are of other\n" +
    "shapes stay; those that are not faster any more go. Another machine may have other answers. Blocks of convolutions are\n" +
    "among the choices, so that results may change by rounding. Takes about a minute for a network such as ResNet-18.\n" +
    "Ctrl-C stops it, and leaves the file as it was.",
  files: "one",
  options: {
    ...options,
    target: { value: "TARGET", help: "wasm, the only one whose schedules are measured" },
    out: { value: "FILE.json", short: "o", help: "where to write instead, in a folder that is there" },
    ...jsonOption,
  },
  run: tune,
};

async function tune(args: Arguments, io: Io): Promise<number> {
  const work = workOf(args);
  if (work.settings.target !== "wasm") fail("flag", "`dlm tune` needs `--target wasm`", null);
  const path = args.get("out") ?? tuningBeside(work.path);
  checkPlace(path);
  const before = answersIn(path, args, io);
  io.err(`measuring ${work.path} as the compiler makes it ...\n`);
  const { isStopped, end } = listen(io);
  try {
    const result = await measured({ work, io, isStopped });
    const after = answersAfter(before, result);
    if (after) writeTuning(path, `${process.release.name} ${process.version} ${process.arch}`, after);
    io.out(args.has("json") ? `${json(result, after && path)}\n` : describe(result, before ?? {}, after, path));
    return exit.fine;
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    note(io, `stopped: answers so far are not kept, ${path} ${isFile(path) ? "is as it was" : "is not written"}`);
    return exit.interrupted;
  } finally {
    end();
  }
}

/** What could not be written in the end is told before minutes of measuring. */
function checkPlace(path: string): void {
  if (!isFolder(dirname(path))) fail("file", `cannot write ${path}: there is no folder ${dirname(path)}`, null);
  if (exists(path) && !isFile(path)) fail("file", `cannot write ${path}: it is there, and is no file`, null);
  checkWritable(path);
}
/** null: beside the source lies what can only be replaced. */
function answersIn(path: string, args: Arguments, io: Io): Choices | null {
  if (!isFile(path)) return {};
  if (args.has("out")) return readTuning(path, "write to another place, or delete it").choices;
  try {
    return readTuning(path).choices;
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    warn(io, `${path} is no tuning that can be read, and will be replaced`);
    return null;
  }
}

function listen(io: Io): Pick<Session, "isStopped"> & { readonly end: () => void } {
  let asked = false;
  const end = io.onInterrupt(() => {
    asked = true;
    io.err("\nstopping ...\n");
  });
  return { isStopped: () => asked, end };
}

interface Result extends Answers {
  /** Of whole runs, at least. */
  readonly untunedMs: number;
  /** null: no answer was faster. */
  readonly tunedMs: number | null;
  /** Whole runs with the answers are clearly faster, too. */
  readonly isFaster: boolean;
}
async function measured(session: Session): Promise<Result> {
  const answers = await measureAll(session);
  session.io.err("measuring whole runs\n");
  const tunings = Object.keys(answers.faster).length === 0 ? [{}] : [{}, choicesOf(answers.faster)];
  const [untuned, tuned] = (await wholeRuns(session, tunings)) as [readonly number[], (readonly number[])?];
  const least = { untunedMs: Math.min(...untuned), tunedMs: tuned ? Math.min(...tuned) : null };
  return { ...answers, ...least, isFaster: tuned !== undefined && isWholeFaster(tuned, untuned) };
}

/** What the file should hold; null: what it holds. Answers to questions that were not asked stay. */
export function answersAfter(before: Choices | null, { asked, faster, isFaster }: Pick<Result, "asked" | "faster" | "isFaster">) {
  const kept = Object.entries(before ?? {}).filter(([key]) => !asked.includes(key));
  const isStale = before === null || kept.length < Object.keys(before).length;
  return isFaster || isStale ? { ...Object.fromEntries(kept), ...(isFaster ? choicesOf(faster) : {}) } : null;
}

function describe({ title, asked, faster, untunedMs, tunedMs, isFaster }: Result, before: Choices, after: Choices | null, path: string) {
  const count = Object.keys(faster).length;
  const dropped = Object.keys(before).filter((key) => after !== null && !Object.hasOwn(after, key)).length;
  const whole = tunedMs === null ? "" : `, ${milliseconds(tunedMs)} with these answers${isFaster ? "" : ": no clear gain"}`;
  return [
    `choices measured: ${asked.length}; with a clearly faster answer than the compiler's: ${count}`,
    `${title}: ${milliseconds(untunedMs)} as the compiler decides${whole}`,
    ...(isFaster ? [] : ["the compiler's choices stay"]),
    after === null ? "nothing is written" : `wrote ${path}${dropped > 0 ? `, without ${dropped} that it had and that are not faster` : ""}`,
    "",
  ].join("\n");
}

function json({ title, asked, faster, untunedMs, tunedMs, isFaster }: Result, written: string | null): string {
  const answers = Object.entries(faster).map(([key, { option, ms, preferred, preferredMs }]) => ({
    key,
    option,
    ms,
    preferred,
    preferred_ms: preferredMs,
  }));
  const result = { measured: title, questions: asked.length, answers, untuned_ms: untunedMs, tuned_ms: tunedMs, faster: isFaster };
  return JSON.stringify({ version: version(), ...result, written });
}
