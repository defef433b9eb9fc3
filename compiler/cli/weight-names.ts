/** How the names of a weight file and a program's differ, and what brings them together. */
import type { Program } from "../../ir/program.ts";
import { sameShape } from "../../ir/type.ts";
import { type Entry, parseSafetensors, type Weights } from "../../runtime/index.ts";
import { printEntry } from "../../runtime/safetensors.ts";
import { type Io, warn } from "./io.ts";
import { editDistance } from "./options.ts";
import { patternOf } from "./weights-edit.ts";

const shown = 12;
const compared = 1000;

/** What helps where weights of `file`, or several files, do not fit; `allowed`: of `--allow-missing`. */
export function weightHelp(program: Program, weights: Weights, allowed: readonly string[], file: string): string {
  const { entries, missing } = compareNames(program, weights);
  const name = isOneFile(weights) ? file : "FILE";
  const needed = missing.filter((v) => !allowed.some((glob) => patternOf(glob).test(v.name)));
  return nearestNames(program, weights) + prefixHelp(needed, entries, name) + shapeHelp(program, entries, allowed, name);
}

/** Globs and files that are of no use. */
export function warnUseless(program: Program, weights: Weights, allowed: readonly string[], file: string, io: Io): void {
  const { wanted, missing } = compareNames(program, weights);
  if (wanted.length > 0 && missing.length === wanted.length) warn(io, `${file}: none of its tensors is a parameter of ${program.name}`);
  for (const glob of allowed)
    if (!missing.some((v) => patternOf(glob).test(v.name))) warn(io, `\`--allow-missing ${glob}\` matches no missing parameter`);
}

function compareNames({ variables }: Program, weights: Weights) {
  const entries = entriesOf(weights);
  const given = new Set(entries.map((e) => e.name));
  const wanted = variables.filter((v) => v.kind === "param" || v.kind === "state");
  return { entries, wanted, missing: wanted.filter((v) => !given.has(v.name)) };
}
/** Given by its path alone, so that its names are those of the tensors. */
const isOneFile = (weights: Weights): boolean =>
  weights instanceof Uint8Array || weights instanceof ArrayBuffer || (weights.length === 1 && weights[0]!.prefix === "");

/** All that is missing is in the file behind one prefix, or is there without one. */
function prefixHelp(missing: readonly Wanted[], entries: readonly Entry[], file: string): string {
  const [first] = missing;
  if (!first) return "";
  const names = new Set(entries.map((e) => e.name));
  const all = (nameOf: (name: string) => string | null) => missing.every((v) => names.has(nameOf(v.name) ?? ""));
  const longer = entries.filter((e) => e.name.endsWith(`.${first.name}`)).map((e) => e.name.slice(0, -first.name.length));
  const more = longer.find((prefix) => all((name) => prefix + name));
  if (more !== undefined) return `\n  help: take \`${more}\` off the names: dlm weights ${file} --rename '${more}*=*' -o OUT.safetensors`;
  const shorter = [...first.name.matchAll(/\./g)].map(({ index }) => first.name.slice(0, index + 1));
  const less = shorter.find((prefix) => all((name) => (name.startsWith(prefix) ? name.slice(prefix.length) : null)));
  return less === undefined
    ? ""
    : `\n  help: put \`${less}\` before the names: dlm weights ${file} --rename '*=${less}*' -o OUT.safetensors`;
}

/** `--allow-missing` was meant for tensors that are there, with another shape. */
function shapeHelp({ variables }: Program, entries: readonly Entry[], allowed: readonly string[], file: string): string {
  const shapes = new Map(entries.map((e) => [e.name, e.shape]));
  const misshaped = variables.filter((v) => shapes.has(v.name) && !sameShape(v.shape, shapes.get(v.name)!));
  const globs = allowed.filter((glob) => misshaped.some((v) => patternOf(glob).test(v.name)));
  const drop = globs.map((glob) => `--drop '${glob}'`).join(" ");
  return drop && `\n  help: a tensor of another shape is not missing; leave it out: dlm weights ${file} ${drop} -o OUT.safetensors`;
}

/** A line for each missing parameter that has a tensor of a similar name: often the same one under another prefix. */
function nearestNames(program: Program, weights: Weights): string {
  const { entries, wanted, missing } = compareNames(program, weights);
  const names = new Set(wanted.map((v) => v.name));
  const unused = entries.filter((e) => !names.has(e.name)).slice(0, compared);
  return missing
    .slice(0, shown)
    .map((v) => {
      const near = nearest(v, unused);
      return near ? `\n  help: nearest to ${v.name} in the file: ${near.name} ${printEntry(near)}` : "";
    })
    .join("");
}

function entriesOf(weights: Weights): readonly Entry[] {
  if (weights instanceof Uint8Array || weights instanceof ArrayBuffer) return parseSafetensors(weights).entries;
  return weights.flatMap(({ prefix, data }) =>
    parseSafetensors(data).entries.map((e) => ({
      ...e,
      name: prefix === "" || prefix.endsWith(".") ? prefix + e.name : `${prefix}.${e.name}`,
    })),
  );
}

type Wanted = Program["variables"][number];
function nearest(wanted: Wanted, entries: readonly Entry[]): Entry | null {
  let best: Entry | null = null;
  let least = Math.max(3, wanted.name.length * 0.6);
  for (const e of entries) {
    const d = unlikeness(wanted, e);
    if (d < least) [best, least] = [e, d];
  }
  return best;
}

/** Edits from one name to the other; half as bad with the same last part and shape. */
function unlikeness({ name, shape }: Wanted, entry: Entry): number {
  if (entry.name.endsWith(`.${name}`) || name.endsWith(`.${entry.name}`)) return 0;
  const last = name.slice(name.lastIndexOf(".") + 1);
  const alike = entry.name.endsWith(`.${last}`) && sameShape(entry.shape, shape);
  return editDistance(name, entry.name) / (alike ? 2 : 1);
}
