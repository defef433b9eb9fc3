/** The options that commands share, and their values. */
import { availableParallelism } from "node:os";
import { fail } from "../../ir/diagnostic.ts";
import { type ProfileName, profileNames } from "../../ir/limits.ts";
import type { Dims } from "../../ir/program.ts";
import { type Storage, storages } from "../../ir/type.ts";
import { mostBindings } from "../compile-options.ts";
import type { Normalisation } from "../formats/feed.ts";
import { type Io, note } from "./io.ts";
import type { Arguments, Options } from "./options.ts";

export const targets = ["wasm", "wgsl", "reference"] as const;
export type Target = (typeof targets)[number];

export const compileOptions: Options = {
  model: { value: "NAME", help: "the model, where the file has several" },
  "train-block": { value: "NAME", help: "the train block, where the file has several" },
  target: { value: "TARGET", help: "wasm, wgsl or reference (the interpreter); default wasm" },
  dim: { value: "N=8", repeat: true, help: "size of a named dimension; `compile`, `inspect` and `run` take several: N=1,64" },
  batch: { value: "B", help: "size of the batch dimension" },
  set: { value: "NAME=VALUE", repeat: true, help: "a hyper-parameter or `const`: --set classes=100" },
  seed: { value: "S", help: "for initial values and random numbers; default 0" },
  exact: { help: "no Winograd, no relaxed arithmetic" },
  reproducible: { help: "the same code on all machines: no relaxed SIMD, no subgroups; on wasm the same bits, GPUs may round differently" },
  relaxed: { help: "force relaxed SIMD" },
  limits: { value: "PROFILE", help: "what WebGPU devices must offer: default (all do), compat or desktop" },
  storage: { value: "f32|f16", help: "what WebGPU keeps large tensors as; f16 (half the memory) is for predicting; default f32" },
  tuning: { value: "FILE", help: "what `dlm tune` measured; default NAME.tuning.json beside the source, if there" },
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
  /** Of the first binding. */
  readonly dims: Dims;
  /** The cross product of what `--dim` gives, in its order. */
  readonly bindings: readonly Dims[];
  readonly batch?: number;
  readonly set: Readonly<Record<string, string>>;
  readonly seed?: number;
  readonly exact: boolean;
  readonly reproducible: boolean;
  readonly relaxed: boolean;
  readonly limits?: ProfileName;
  readonly storage?: Storage;
  /** A file of measured choices. */
  readonly tuning?: string;
}

/** `several`: whether the command takes several sizes for a dimension. */
export function compileSettings(args: Arguments, { several = false } = {}): CompileSettings {
  if (args.has("relaxed") && (args.has("reproducible") || args.has("exact")))
    fail("flag", `\`--relaxed\` and \`--${args.has("exact") ? "exact" : "reproducible"}\` exclude each other`, null);
  const bindings = bindingsOf(args, several);
  const [model, trainBlock, batch, seed] = [args.get("model"), args.get("train-block"), whole(args, "batch", 1), seedOf(args)];
  return {
    ...(model === undefined ? {} : { model }),
    ...(trainBlock === undefined ? {} : { trainBlock }),
    ...(batch === undefined ? {} : { batch }),
    ...(seed === undefined ? {} : { seed }),
    target: targetOf(args.get("target") ?? "wasm"),
    dims: bindings[0]!,
    bindings,
    set: Object.fromEntries(pairs(args, "set")),
    exact: args.has("exact"),
    reproducible: args.has("reproducible"),
    relaxed: args.has("relaxed"),
    ...(args.has("limits") ? { limits: limitsOf(args.get("limits")!) } : {}),
    ...(args.has("storage") ? { storage: oneOfStorages(args.get("storage")!) } : {}),
    ...(args.has("tuning") ? { tuning: args.get("tuning")! } : {}),
  };
}

export const targetOf = (text: string): Target => targets.find((t) => t === text) ?? noTarget(text);
function noTarget(text: string): never {
  const parts = text.split(",").map((t) => t.trim());
  if (parts.length > 1 && parts.every((part) => targets.some((t) => t === part)))
    fail("flag", `\`--target ${text}\` names several targets, here there is one`, null, {
      help: `write --target ${parts[0]}; \`dlm compile\` takes wasm,wgsl, \`dlm diff\` compares targets`,
    });
  const help = text.toLowerCase() === "webgpu" ? "did you mean `wgsl`?" : `targets are: ${targets.join(", ")}`;
  return fail("flag", `unknown target \`${text}\``, null, { help });
}
/** Targets of a list, each once. */
export function targetList(option: string, text: string): readonly Target[] {
  const list = text.split(",").map((t) => targetOf(t.trim()));
  const again = list.find((t, i) => list.indexOf(t) < i);
  return again ? fail("flag", `\`--${option} ${text}\` names ${again} twice`, null, { help: "name each target once" }) : list;
}

/** Flags that are about one target. */
const targetFlags: readonly (readonly [flag: string, target: Target])[] = [
  ["threads", "wasm"],
  ["relaxed", "wasm"],
  ["limits", "wgsl"],
];
export function noteUselessFlags(args: Arguments, used: readonly Target[], io: Io): void {
  for (const [flag, target] of targetFlags)
    if (args.has(flag) && !used.includes(target)) note(io, `--${flag} is about ${target} and does nothing on ${used.join(" or ")}`);
}

const limitsOf = (text: string): ProfileName =>
  profileNames.find((p) => p === text) ??
  fail("flag", `unknown limits \`${text}\``, null, { help: `limits are: ${profileNames.join(", ")}` });

const oneOfStorages = (text: string): Storage =>
  storages.find((s) => s === text) ??
  fail("flag", `\`--storage\` cannot be \`${text}\``, null, { help: `it is one of: ${storages.join(", ")}` });

/** For a command with programs for several targets: the others of what `--storage f16` is for. */
export const settingsFor = ({ storage, ...settings }: CompileSettings, target: Target, all: readonly Target[]): CompileSettings => ({
  ...settings,
  ...(storage && (target === "wgsl" || !all.includes("wgsl")) ? { storage } : {}),
  target,
});

/** `--name NAME=VALUE`, as often as given, without texts of another form. */
export const pairs = (args: Arguments, option: string, otherForm?: RegExp): readonly (readonly [string, string])[] => {
  const texts = args.all(option).filter((text) => !otherForm?.test(text));
  return texts.map((text) => {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? fail("flag", `\`--${option} ${text}\` must be NAME=VALUE`, null);
    return [name!, value!];
  });
};

/** The same, where a name that is given twice would be a contradiction. */
export function pairsOnce(args: Arguments, option: string, otherForm?: RegExp): readonly (readonly [string, string])[] {
  const all = pairs(args, option, otherForm);
  const again = all.find(([name], i) => all.findIndex(([other]) => other === name) < i);
  return again ? fail("flag", `\`--${option} ${again[0]}\` is given twice`, null, { help: "keep one of them" }) : all;
}

function bindingsOf(args: Arguments, several: boolean): readonly Dims[] {
  const sizes = new Map(pairsOnce(args, "dim").map(([name, text]) => [name, sizesOf(name, text)]));
  const count = [...sizes.values()].reduce((n, list) => n * list.length, 1);
  if (count > 1 && !several)
    fail("flag", "this command takes one size for each `--dim`", null, { help: "`dlm compile`, `dlm inspect` and `dlm run` take several" });
  if (count > mostBindings) {
    const each = [...sizes].map(([name, list]) => `${list.length} of ${name}`).join(" times ");
    fail("flag", `\`--dim\` gives ${count} bindings (${each}), a program has at most ${mostBindings}`, null);
  }
  return [...sizes].reduce<readonly Dims[]>((all, [name, list]) => all.flatMap((b) => list.map((n) => ({ ...b, [name]: n }))), [{}]);
}
function sizesOf(name: string, text: string): readonly number[] {
  const [flag, parts] = [`--dim ${name}`, text.split(",")];
  if (parts.length > 1 && !parts.every((part) => /^\d+$/.test(part)))
    fail("flag", `\`${flag}\` must be whole numbers separated by commas, found \`${text}\``, null);
  const sizes = parts.map((part) => wholeNumber(flag, part, 1, 2 ** 31 - 1));
  const again = sizes.find((n, i) => sizes.indexOf(n) < i);
  return again === undefined ? sizes : fail("flag", `\`${flag}=${text}\` has the size ${again} twice`, null);
}
/** As `compile` takes them. */
export const dimsOption = (bindings: readonly Dims[]): Dims | readonly Dims[] => (bindings.length === 1 ? bindings[0]! : bindings);

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
