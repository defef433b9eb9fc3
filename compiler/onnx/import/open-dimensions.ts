/**
 * Dimensions without a size in the file stay open in the program. The model is imported at several sizes; where these programs
 * are the same but for numbers that follow from the sizes, one holds for all. Otherwise a batch dimension is 1, and for others
 * the user has to choose.
 */
import { CompileError, fail } from "../../../ir/diagnostic.ts";
import type { Dims } from "../../../ir/program.ts";
import { recoverCalls } from "../../decompile/idioms/index.ts";
import type { OnnxGraph, OnnxModel } from "../../formats/onnx/model.ts";
import { generalise, type Sample } from "./generalise.ts";
import { type Imported, type ImportOptions, importModel, type Result } from "./import.ts";
import { identifierOf, newNames } from "./names.ts";
import { type FreeDimension, freeDimensions, takenNames } from "./signature.ts";

export interface Opened {
  readonly result: Result;
  /** Dimensions of the file that are open, and what the program calls them. */
  readonly open: readonly { readonly dimension: string; readonly name: string }[];
  /** Those that are 1, and what depends on it. */
  readonly fixed: readonly { readonly dimension: string; readonly reason: string }[];
  /** Sizes of the open ones at which the program was made. */
  readonly sizes: readonly Dims[];
}

export function importOpen(model: OnnxModel, options: ImportOptions): Opened {
  const free = freeDimensions(model.graph).filter((d) => options.dims[d.name] === undefined);
  const [batch, others] = [free.filter((d) => d.isBatch), free.filter((d) => !d.isBatch)];
  if (free.length === 0) return { result: importAt(model, options), open: [], fixed: [], sizes: [] };
  const whole = generalised(model, options, free);
  if (whole.kind === "opened") return whole.opened;
  const fixed = batch.map((d) => ({ dimension: d.name, reason: whole.reason }));
  const single = { ...options, dims: { ...options.dims, ...Object.fromEntries(batch.map((d) => [d.name, 1])) } };
  if (others.length === 0) {
    const result = importAt(model, single);
    return result.kind === "problems" && !whole.problems
      ? mustChoose(batch, whole.reason, options)
      : { result, open: [], fixed, sizes: [] };
  }
  const rest = batch.length > 0 ? generalised(model, single, others) : whole;
  if (rest.kind === "opened") return { ...rest.opened, fixed };
  return rest.problems ? { result: rest.problems, open: [], fixed: [], sizes: [] } : mustChoose(others, rest.reason, options);
}
function mustChoose(free: readonly FreeDimension[], reason: string, { file }: ImportOptions): never {
  return fail("onnx", `${file}: the program depends on the size of ${free.map((d) => `\`${d.name}\``).join(", ")}: ${reason}`, null, {
    help: `choose it: ${free.map((d) => `--dim ${d.name}=SIZE`).join(" ")}`,
  });
}

/* ---- attempts ---------------------------------------------------------------------------------------------------- */

/** Sizes to try: of the first dimension, how far the next one is from it, and what is added to each, one at a time. */
interface Spread {
  readonly first: number;
  readonly apart: number;
  readonly moves: readonly number[];
}
/** A few; more than images lose by windows, even and odd; multiples of what images are divided by. */
const spreads: readonly Spread[] = [
  { first: 5, apart: 4, moves: [1, 3] },
  { first: 67, apart: 30, moves: [1, 6] },
  { first: 96, apart: 160, moves: [32, 96] },
];

type Attempt =
  | { readonly kind: "opened"; readonly opened: Opened }
  /** `problems`: the model cannot be imported at any of the sizes. */
  | { readonly kind: "failed"; readonly reason: string; readonly problems: Result | null };

function generalised(model: OnnxModel, options: ImportOptions, free: readonly FreeDimension[]): Attempt {
  const names = namesFor(free, model.graph);
  const open = free.map((d, i) => ({ dimension: d.name, name: names[i]! }));
  const failures: { readonly reason: string; readonly problems: Result | null }[] = [];
  for (const spread of free.every((d) => d.isBatch) ? spreads.slice(0, 1) : spreads) {
    const found = attempt(model, options, open, pointsOf(free, spread));
    if ("result" in found) return { kind: "opened", opened: found };
    failures.push(found);
  }
  const everywhere = new Set(failures.map((f) => f.problems && JSON.stringify(f.problems))).size === 1;
  const [telling] = failures.filter((f) => f.problems === null);
  return { kind: "failed", reason: (telling ?? failures[0]!).reason, problems: everywhere ? failures[0]!.problems : null };
}

/** Of each dimension, in order: all at their first size, then each alone at others. */
function pointsOf(free: readonly FreeDimension[], spread: Spread): readonly (readonly number[])[] {
  const [few] = spreads as [Spread];
  const spreadOf = (d: FreeDimension): Spread => (d.isBatch ? few : spread);
  const base = free.map((d, i) => spreadOf(d).first + i * spreadOf(d).apart);
  return [base, ...free.flatMap((d, i) => spreadOf(d).moves.map((by) => base.with(i, base[i]! + by)))];
}

function attempt(
  model: OnnxModel,
  options: ImportOptions,
  open: Opened["open"],
  points: readonly (readonly number[])[],
): Opened | { readonly reason: string; readonly problems: Result | null } {
  const samples: Sample[] = [];
  let first: Imported | null = null;
  for (const point of points) {
    const found = attemptAt(model, {
      ...options,
      dims: { ...options.dims, ...Object.fromEntries(open.map((o, i) => [o.dimension, point[i]!])) },
    });
    if (typeof found === "string") return { reason: found, problems: null };
    if (found.kind === "problems") {
      const [{ op, reason }] = found.problems as [(typeof found.problems)[number]];
      return { reason: `${op || "an output"}: ${reason}`, problems: found };
    }
    first ??= found.imported;
    samples.push({ sizes: Object.fromEntries(open.map((o, i) => [o.name, point[i]!])), sketch: found.imported.sketch });
  }
  const sketch = generalise(samples);
  if (typeof sketch === "string") return { reason: sketch, problems: null };
  const sizes = [samples[0]!, samples.at(-1)!].map((s) => s.sizes);
  return { result: { kind: "imported", imported: { ...first!, sketch } }, open, fixed: [], sizes };
}
/** A text: why it is impossible. What is wrong with the call is thrown. */
function attemptAt(model: OnnxModel, options: ImportOptions): Result | string {
  try {
    return importAt(model, options);
  } catch (error) {
    if (!(error instanceof CompileError) || error.diagnostics.some((d) => d.code === "flag")) throw error;
    return error.diagnostics[0]!.message;
  }
}
/** Calls are recovered for numbers, before numbers become what they follow from. */
function importAt(model: OnnxModel, options: ImportOptions): Result {
  const result = importModel(model, options);
  if (result.kind === "problems") return result;
  const { imported } = result;
  return { ...result, imported: { ...imported, sketch: recoverCalls(imported.sketch) } };
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/** `N` for the batch, `H` and `W` of images, `T` of sequences; else as in the file. */
function namesFor(free: readonly FreeDimension[], graph: OnnxGraph): readonly string[] {
  const ports = [...graph.inputs, ...graph.outputs].map((v) => identifierOf(v.name));
  const taken = new Set([...takenNames(), ...ports]);
  const names = newNames(taken);
  const used = new Set<string>();
  return free.map((d) => {
    const usual = d.isBatch ? "N" : (usualNames.find(([pattern]) => pattern.test(d.name))?.[1] ?? null);
    const isFree = usual !== null && !taken.has(usual) && !used.has(usual);
    const name = names.claim(isFree ? usual : identifierOf(d.name));
    used.add(name);
    return name;
  });
}
const usualNames: readonly (readonly [RegExp, string])[] = [
  [/^h$|height/i, "H"],
  [/^w$|width/i, "W"],
  [/^(t|s|l)$|seq|time|len/i, "T"],
];
