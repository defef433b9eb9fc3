/** What a missing parameter may be called in a weight file. */
import type { Program } from "../../ir/program.ts";
import { sameShape } from "../../ir/type.ts";
import { type Entry, parseSafetensors, type Weights } from "../../runtime/index.ts";
import { printEntry } from "../../runtime/safetensors.ts";
import { editDistance } from "./options.ts";

const shown = 12;
const compared = 1000;

/** A line for each missing parameter that has a tensor of a similar name: often the same one under another prefix. */
export function nearestNames({ variables }: Program, weights: Weights): string {
  const entries = entriesOf(weights);
  const wanted = variables.filter((v) => v.kind === "param" || v.kind === "state");
  const names = new Set(wanted.map((v) => v.name));
  const unused = entries.filter((e) => !names.has(e.name)).slice(0, compared);
  const given = new Set(entries.map((e) => e.name));
  const missing = wanted.filter((v) => !given.has(v.name)).slice(0, shown);
  return missing
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
