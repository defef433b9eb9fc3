/** Which bytes each variable of a program gets from weight files, and what does not fit. */
import type { Program, Variable } from "../ir/program.ts";
import { sameShape } from "../ir/type.ts";
import { type ErrorCode, fail, messageOf } from "./errors.ts";
import { typeOf } from "./field.ts";
import { type Entry, fileTypeOf, numbersOf, parseSafetensors, printEntry } from "./safetensors.ts";
import { encode } from "./tensor.ts";

export type FileBytes = Uint8Array | ArrayBuffer;
/** One file, or several: the tensors of each get `prefix.` before their names; of equal names the last file's wins. */
export type Weights = FileBytes | readonly { readonly prefix: string; readonly data: FileBytes }[];

/** Bytes for variables, and what the caller should hear. Variables without bytes keep what `init` gave them. */
export interface Given {
  readonly values: ReadonlyMap<Variable, Uint8Array>;
  readonly notes: readonly string[];
}

export interface WeightRules {
  /** What a missing trained parameter is: an error, or left to `init` with a note. */
  readonly missing: "error" | "init";
  /** Globs of names that may be missing. */
  readonly allowMissing: readonly string[];
}

/** Matches files to parameters and states. No files at all: everything is left to `init`. */
export function matchWeights(program: Program, weights: Weights, rules: WeightRules): Given {
  const { entries, notes } = collect(weights);
  if (isEmpty(weights)) return { values: new Map(), notes: [] };
  const wanted = program.variables.filter((v) => v.kind === "param" || v.kind === "state");
  const allowed = rules.allowMissing.map(globPattern);
  const missing = wanted.filter((v) => !entries.has(v.name));
  const needed = missing.filter((v) => (v.frozen || (rules.missing === "error" && v.saved)) && !allowed.some((g) => g.test(v.name)));
  const found = assign(program, "weights", wanted, needed, entries);
  const initialised = missing.filter((v) => v.saved || v.frozen).map((v) => v.name);
  if (initialised.length) notes.push(`not in the weights, initialised: ${shorten(initialised)}`);
  const unused = unusedNames(
    entries,
    wanted.map((v) => v.name),
  );
  if (unused.length) notes.push(`in the weights, not used: ${shorten(unused)}`);
  return { values: found, notes };
}

/** Every variable from a checkpoint, which must hold them all. */
export function matchCheckpoint(program: Program, file: FileBytes): Given {
  const { entries: list, metadata } = parseSafetensors(file);
  const entries = new Map(list.map((e) => [e.name, e]));
  const missing = program.variables.filter((v) => !entries.has(checkpointName(v)));
  if (missing.length && metadata.content !== "checkpoint" && !list.some((e) => isTraining(e.name)))
    fail("checkpoint", "these are weights, not what checkpoint() gave: load them with the option weights");
  return { values: assign(program, "checkpoint", program.variables, missing, entries, checkpointName), notes: [] };
}

/** Slots and counters are kept apart from parameters by a colon, which no label of a parameter contains. */
export const checkpointName = (v: Variable): string => (v.kind === "slot" || v.kind === "counter" ? `${v.kind}:${v.name}` : v.name);
const isTraining = (name: string): boolean => name.startsWith("slot:") || name.startsWith("counter:");

const isEmpty = (w: Weights): boolean => Array.isArray(w) && w.length === 0;

function collect(weights: Weights): { entries: Map<string, Entry>; notes: string[] } {
  const files = weights instanceof Uint8Array || weights instanceof ArrayBuffer ? [{ prefix: "", data: weights }] : weights;
  const entries = new Map<string, Entry>();
  const again: string[] = [];
  for (const { prefix, data } of files) {
    const path = prefix === "" || prefix.endsWith(".") ? prefix : `${prefix}.`;
    for (const e of parseSafetensors(data).entries) {
      if (entries.has(path + e.name)) again.push(path + e.name);
      entries.set(path + e.name, { ...e, name: path + e.name });
    }
  }
  return { entries, notes: again.length ? [`in several weight files, the last counts: ${shorten(again)}`] : [] };
}

function assign(
  program: Program,
  code: Extract<ErrorCode, "weights" | "checkpoint">,
  wanted: readonly Variable[],
  missing: readonly Variable[],
  entries: ReadonlyMap<string, Entry>,
  nameOf: (v: Variable) => string = (v) => v.name,
): Map<Variable, Uint8Array> {
  const pairs = wanted.flatMap((v) => {
    const entry = entries.get(nameOf(v));
    return entry ? [{ v, entry }] : [];
  });
  const misshaped = pairs.filter(({ v, entry }) => !sameShape(v.shape, entry.shape));
  if (missing.length || misshaped.length) {
    const unused = unusedNames(entries, wanted.map(nameOf));
    const frozen = code === "weights" && missing.some((v) => v.frozen);
    const lines = [
      ...rowsOf(missing, (v) => `missing: ${nameOf(v)} ${typeOf(v)}`),
      ...rowsOf(misshaped, ({ v, entry }) => `mis-shaped: ${nameOf(v)} ${typeOf(v)}, in the file ${printEntry(entry)}`),
      ...(unused.length ? [`note: in the file, not used: ${shorten(unused)}`] : []),
      ...(frozen ? ["note: frozen parameters are needed: training would leave them at their initial values"] : []),
      ...(code === "weights" && missing[0]
        ? [`help: allowMissing (--allow-missing) names what may stay as initialised: "${missing[0].name}", or "*" for all`]
        : []),
    ];
    fail(code, [`the ${code === "weights" ? "weights do" : "checkpoint does"} not fit ${program.name}:`, ...lines].join("\n  "));
  }
  return new Map(pairs.map(({ v, entry }) => [v, bytesFor(v, entry, code)]));
}

/** Elements as the program stores them: converted where types differ, each checked. */
function bytesFor(v: Variable, entry: Entry, code: ErrorCode): Uint8Array {
  // Bools are looked at one by one: a file may hold other bytes than 0 and 1.
  if (v.dtype !== "bool" && entry.dtype === fileTypeOf[v.dtype]) return entry.data;
  try {
    return encode(v, numbersOf(entry));
  } catch (e) {
    return fail(code, `${messageOf(e)}; the file has ${printEntry(entry)}`);
  }
}

/** Of what a file has besides, the batch counts of PyTorch's normalisations are not worth a word. */
const unusedNames = (entries: ReadonlyMap<string, Entry>, wanted: readonly string[]): string[] => {
  const names = new Set(wanted);
  return [...entries.keys()].filter((name) => !names.has(name) && !isTraining(name) && !name.endsWith("num_batches_tracked"));
};

const shown = 12;
/** The first items, and how many follow. */
const rowsOf = <T>(items: readonly T[], row: (item: T) => string): string[] => [
  ...items.slice(0, shown).map(row),
  ...(items.length > shown ? [`... and ${items.length - shown} more`] : []),
];
const shorten = (names: readonly string[]): string => rowsOf(names, (name) => name).join(", ");

/** `*` stands for any characters, dots included. */
const globPattern = (glob: string): RegExp => new RegExp(`^${glob.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`, "s");
