/** The options that commands share, and their values. */
import { availableParallelism } from "node:os";
import { fail } from "../../ir/diagnostic.ts";
import type { Normalisation } from "../formats/feed.ts";
import type { Arguments, Options } from "./options.ts";

export const targets = ["wasm", "wgsl", "reference"] as const;
export type Target = (typeof targets)[number];

export const compileOptions: Options = {
  model: { value: "NAME", help: "the model, where the file has several" },
  "train-block": { value: "NAME", help: "the train block, where the file has several" },
  target: { value: "TARGET", help: "wasm, wgsl or reference (the interpreter); default wasm" },
  dim: { value: "N=8", repeat: true, help: "size of a named dimension" },
  batch: { value: "B", help: "size of the batch dimension" },
  set: { value: "NAME=VALUE", repeat: true, help: "a hyper-parameter or `const`: --set classes=100" },
  seed: { value: "S", help: "for initial values and random numbers; default 0" },
  exact: { help: "no Winograd, no relaxed arithmetic" },
  reproducible: { help: "the same bits everywhere: no relaxed SIMD" },
  relaxed: { help: "force relaxed SIMD" },
};
export const loadOptions: Options = {
  weights: { value: "FILE", repeat: true, help: "safetensors; PREFIX=FILE puts its names under a path" },
  "allow-missing": { value: "GLOB", repeat: true, help: "parameters that the weights need not have" },
  threads: { value: "T", help: "threads of WebAssembly" },
};
export const imageOptions: Options = {
  mean: { value: "M[,M,M]", help: "subtracted from images, after scaling to 0..1; one value or one per channel" },
  std: { value: "S[,S,S]", help: "images are divided by it after --mean" },
};
export const jsonOption: Options = { json: { help: "print one JSON object on standard output" } };

/** Flags of compilation, as `compile` takes them. */
export interface CompileSettings {
  readonly model?: string;
  readonly trainBlock?: string;
  readonly target: Target;
  readonly dims: Readonly<Record<string, number>>;
  readonly batch?: number;
  readonly set: Readonly<Record<string, string>>;
  readonly seed?: number;
  readonly exact: boolean;
  readonly reproducible: boolean;
  readonly relaxed: boolean;
}

export function compileSettings(args: Arguments): CompileSettings {
  if (args.has("relaxed") && (args.has("reproducible") || args.has("exact")))
    fail("flag", `\`--relaxed\` and \`--${args.has("exact") ? "exact" : "reproducible"}\` exclude each other`, null);
  const [model, trainBlock, batch, seed] = [args.get("model"), args.get("train-block"), whole(args, "batch", 1), seedOf(args)];
  return {
    ...(model === undefined ? {} : { model }),
    ...(trainBlock === undefined ? {} : { trainBlock }),
    ...(batch === undefined ? {} : { batch }),
    ...(seed === undefined ? {} : { seed }),
    target: targetOf(args.get("target") ?? "wasm"),
    dims: Object.fromEntries(pairs(args, "dim").map(([name, value]) => [name, extent(name, value)])),
    set: Object.fromEntries(pairs(args, "set")),
    exact: args.has("exact"),
    reproducible: args.has("reproducible"),
    relaxed: args.has("relaxed"),
  };
}

export const targetOf = (text: string): Target =>
  targets.find((t) => t === text) ?? fail("flag", `unknown target \`${text}\``, null, { help: `targets are: ${targets.join(", ")}` });

/** `--name NAME=VALUE`, as often as given. */
export const pairs = (args: Arguments, option: string): readonly (readonly [string, string])[] =>
  args.all(option).map((text) => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? fail("flag", `\`--${option} ${text}\` must be NAME=VALUE`, null);
    return [name!, value!];
  });

function extent(name: string, text: string): number {
  if (/^\d+(,\d+)+$/.test(text))
    return fail("flag", `several sizes for one dimension (\`--dim ${name}=${text}\`) are not available yet`, null, {
      help: "compile once for each",
    });
  return wholeNumber(`--dim ${name}`, text, 1, 2 ** 31 - 1);
}

/** A whole number from `min`; undefined when not given. */
export function whole(args: Arguments, option: string, min: number, max = 2 ** 31 - 1): number | undefined {
  const text = args.get(option);
  return text === undefined ? undefined : wholeNumber(`--${option}`, text, min, max);
}
function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max
    ? value
    : fail("flag", `\`${flag}\` must be a whole number from ${min} to ${max}, found \`${text}\``, null);
}
const seedOf = (args: Arguments) => whole(args, "seed", -(2 ** 31), 2 ** 32 - 1);
export const threadsOf = (args: Arguments, fallback: number): number => whole(args, "threads", 1, 256) ?? fallback;

/** Null when neither `--mean` nor `--std` is given. */
export function normalisationOf(args: Arguments): Normalisation | null {
  const [mean, std] = [numbersOf(args, "mean"), numbersOf(args, "std")];
  if (!mean && !std) return null;
  if (std?.includes(0)) fail("flag", "`--std` must not be 0", null);
  return { mean: mean ?? [0], std: std ?? [1] };
}
function numbersOf(args: Arguments, option: string): readonly number[] | undefined {
  const text = args.get(option);
  return text?.split(",").map((part) => {
    const value = part.trim() === "" ? Number.NaN : Number(part);
    return Number.isFinite(value) ? value : fail("flag", `\`--${option}\` must be numbers separated by commas, found \`${text}\``, null);
  });
}

/** Threads where nothing is said: the cores, but not more than small models can use. */
export const defaultThreads = (): number => Math.min(4, availableParallelism());
