/** Which bytes each variable of a program gets from weight files, and what does not fit. */
import type { Program, Variable } from "../ir/program.ts";
import { sameShape } from "../ir/type.ts";
import { type ErrorCode, fail } from "./errors.ts";
import { bytesAs, type Entry, parseSafetensors } from "./safetensors.ts";
import { typeOf } from "./tensor.ts";

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
  const names = new Set(wanted.map((v) => v.name));
  const extra = [...entries.keys()].filter((name) => !names.has(name) && !isTraining(name));
  if (extra.length) notes.push(`in the weights, not used: ${shorten(extra)}`);
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
    const names = new Set(wanted.map(nameOf));
    const unexpected = [...entries.values()].filter((e) => !names.has(e.name));
    const rows: Row[] = [
      ...rowsOf("missing", missing, (v) => [nameOf(v), typeOf(v), nearest(nameOf(v), v, unexpected)]),
      ...rowsOf("mis-shaped", misshaped, ({ v, entry }) => [nameOf(v), typeOf(v), `in the file: ${entryType(entry)}`]),
    ];
    const extra = unexpected.length ? [`  note: in the file, not used: ${shorten(unexpected.map((e) => e.name))}`] : [];
    const help = code === "weights" && missing.length ? helpFor(missing) : [];
    const text = `the ${code === "weights" ? "weights do" : "checkpoint does"} not fit ${program.name}:`;
    fail(code, [text, columns(rows), ...extra, ...help].join("\n"));
  }
  return new Map(pairs.map(({ v, entry }) => [v, bytesAs(v.dtype, entry)]));
}

function helpFor(missing: readonly Variable[]): string[] {
  const frozen = missing.some((v) => v.frozen)
    ? ["  note: frozen parameters are needed: training would leave them at their initial values"]
    : [];
  return [...frozen, `  help: allowMissing (--allow-missing) names what may stay as initialised: "${missing[0]!.name}", or "*" for all`];
}

const entryType = (e: Entry): string => `${e.dtype.toLowerCase()}[${e.shape.join(",")}]`;

const shown = 12;
type Row = readonly [kind: string, name: string, type: string, remark: string];
/** One row for each of the first items, and one that counts the rest. */
function rowsOf<T>(kind: string, items: readonly T[], cells: (item: T) => readonly [string, string, string]): Row[] {
  const rows = items.slice(0, shown).map((item): Row => [kind, ...cells(item)]);
  return items.length > shown ? [...rows, [kind, `... and ${items.length - shown} more`, "", ""]] : rows;
}
function columns(rows: readonly Row[]): string {
  const widths = [0, 1, 2].map((c) => Math.max(...rows.map((r) => r[c]!.length)));
  return rows.map((r) => `  ${r.map((cell, c) => cell.padEnd(widths[c] ?? 0)).join("  ")}`.trimEnd()).join("\n");
}

/** Suggests an unused tensor of the file with a similar name: often the same one under another prefix. */
function nearest(name: string, { shape }: Variable, entries: readonly Entry[]): string {
  const last = name.slice(name.lastIndexOf(".") + 1);
  const likeness = (e: Entry): number => {
    if (e.name.endsWith(`.${name}`) || name.endsWith(`.${e.name}`)) return 0;
    const alike = e.name.endsWith(`.${last}`) && sameShape(e.shape, shape);
    return distance(name, e.name) / (alike ? 2 : 1);
  };
  let best: Entry | null = null;
  let least = Math.max(3, name.length * 0.6);
  for (const e of entries.slice(0, 1000)) {
    const d = likeness(e);
    if (d < least) [best, least] = [e, d];
  }
  return best ? `nearest in the file: ${best.name} ${entryType(best)}` : "";
}

/** Levenshtein's edit distance, one row at a time. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}

const shorten = (names: readonly string[]): string =>
  names.slice(0, shown).join(", ") + (names.length > shown ? ` and ${names.length - shown} more` : "");

/** `*` stands for any characters, dots included. */
const globPattern = (glob: string): RegExp => new RegExp(`^${glob.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`, "s");
