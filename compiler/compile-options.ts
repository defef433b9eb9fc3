/** The arguments of `compile`, checked as they come: callers may write JavaScript. */

import { CompileError, diagnostic, fail } from "../ir/diagnostic.ts";
import { profileNames, profiles } from "../ir/limits.ts";
import { type EntryId, entryOf } from "../ir/program.ts";
import { storages } from "../ir/type.ts";
import type { CompileOptions } from "./compile.ts";
import type { Graphs } from "./graphs.ts";

interface Check {
  readonly is: (value: unknown) => boolean;
  readonly expected: string;
  /** What is wrong inside of it; null: nothing. */
  readonly inside?: (value: unknown) => string | null;
}
const isRecord = (x: unknown): x is Record<string, unknown> => typeof x === "object" && x !== null && !Array.isArray(x);
const isSize = (x: unknown): boolean => Number.isInteger(x) && (x as number) >= 1 && (x as number) < 2 ** 31;
const valuesAre = (is: (x: unknown) => boolean) => (x: unknown) => isRecord(x) && Object.values(x).every(is);
const isText = (x: unknown): boolean => typeof x === "string";
const targets = ["wasm", "wgsl", "reference"];

/** Bindings of one program. */
export const mostBindings = 64;
const isListOfDims = (x: unknown): x is readonly Record<string, unknown>[] =>
  Array.isArray(x) && x.length >= 1 && x.length <= mostBindings && x.every(isRecord);
/** Null: all are sizes. */
function wrongSize(dims: unknown): string | null {
  const named = isListOfDims(dims) ? dims.map((d, i) => [`dims[${i}]`, d] as const) : isRecord(dims) ? [["dims", dims] as const] : [];
  for (const [path, sizes] of named)
    for (const [name, value] of Object.entries(sizes))
      if (!isSize(value)) return `\`${path}.${name}\` is ${describe(value)}, expected a positive whole number`;
  return null;
}

/** A buffer holds one tensor at least, however small its parts are. */
const leastBytes = 256;
const isProfile = (x: unknown): boolean => (profileNames as readonly unknown[]).includes(x);
/** Null: they are right. */
function wrongLimit(limits: Record<string, unknown>): string | null {
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(profiles.default, name))
      return `\`limits\` has ${name}, which no program needs; known are ${Object.keys(profiles.default).join(", ")}`;
    const least = name === "maxBufferSize" || name === "maxStorageBufferBindingSize" ? leastBytes : 1;
    if (!Number.isSafeInteger(value) || (value as number) < least)
      return `\`limits.${name}\` is ${describe(value)}, expected a whole number of at least ${least}`;
  }
  return null;
}

const text: Check = { is: isText, expected: "a string" };
const flag: Check = { is: (x) => typeof x === "boolean", expected: "true or false" };
const call: Check = { is: (x) => typeof x === "function", expected: "a function" };
const checks: Readonly<Record<keyof CompileOptions, Check>> = {
  target: { is: (x) => targets.includes(x as string), expected: targets.map((t) => `"${t}"`).join(", ") },
  file: text,
  model: text,
  trainBlock: text,
  dims: {
    is: (x) => isRecord(x) || isListOfDims(x),
    inside: wrongSize,
    expected: `an object of positive whole numbers, or a list of 1 to ${mostBindings} such objects`,
  },
  batch: { is: isSize, expected: "a positive whole number" },
  set: { is: valuesAre(isText), expected: 'an object of strings: source text, such as { classes: "100" }' },
  train: flag,
  exact: flag,
  reproducible: flag,
  relaxed: flag,
  profile: flag,
  limits: {
    is: (x) => isProfile(x) || isRecord(x),
    inside: (x) => (isRecord(x) ? wrongLimit(x) : null),
    expected: `${profileNames.map((n) => `"${n}"`).join(", ")}, or an object of limits of WebGPU, such as { maxBufferSize: 2 ** 30 }`,
  },
  storage: { is: (x) => (storages as readonly unknown[]).includes(x), expected: storages.map((s) => `"${s}"`).join(" or ") },
  tuning: { is: valuesAre(isText), expected: 'an object of strings: the "choices" of a file that `dlm tune` wrote' },
  resolve: call,
  onPass: call,
  onNote: call,
  onQuestion: call,
  onApplication: call,
  onSource: call,
};

/** Options that are undefined count as not given. */
export function checkArguments(source: unknown, options: unknown): void {
  if (typeof source !== "string") fail("flag", `the source is ${describe(source)}, expected the text of a .dlm file`, null);
  if (!isRecord(options)) fail("flag", `the options are ${describe(options)}, expected an object`, null);
  const wrong = Object.entries(options as object).flatMap(([name, value]) => (value === undefined ? [] : (mistake(name, value) ?? [])));
  if (wrong.length) throw new CompileError(wrong);
}
function mistake(name: string, value: unknown) {
  if (!Object.hasOwn(checks, name)) {
    const near = Object.keys(checks).find((k) => k.toLowerCase() === name.toLowerCase() || k.startsWith(name) || name.startsWith(k));
    const help = near ? `did you mean \`${near}\`?` : `the options are: ${Object.keys(checks).join(", ")}`;
    return diagnostic("flag", `there is no option \`${name}\``, null, { help });
  }
  const { is, expected, inside } = checks[name as keyof CompileOptions];
  const message = is(value) ? (inside?.(value) ?? null) : `\`${name}\` is ${describe(value)}, expected ${expected}`;
  return message === null ? null : diagnostic("flag", message, null);
}

/** Halves are for predicting on a GPU. */
export function checkStorage({ storage, target = "wasm" }: CompileOptions, graphs: Graphs): void {
  if (storage !== "f16") return;
  if (Object.keys(graphs).some((id) => entryOf(id as EntryId) === "step"))
    fail("flag", '`storage: "f16"` (--storage f16) is for programs that do not train: halves lose the small steps of training', null, {
      help: "train with f32, and compile without `train` to predict: weights are rounded when they are loaded",
    });
  if (target !== "wgsl")
    fail("flag", `\`storage: "f16"\` (--storage f16) is for the target wgsl, here the target is ${target}`, null, {
      help: `compile to wgsl, or leave \`storage\` out: ${target} computes with f32 in memory`,
    });
}

/** Imports are read while elaborating, which does not wait. */
export function checkedResolve(resolve: (path: string) => unknown): (path: string) => string | null {
  return (path) => {
    const found = resolve(path);
    if (found === null || typeof found === "string") return found;
    const later = found instanceof Promise;
    if (later) found.catch(() => undefined);
    return fail("flag", `\`resolve\` gave ${later ? "a promise" : describe(found)} for ${path}, expected its text, or null`, null, {
      help: later ? "read the files first, and look them up here" : "null says that there is no such file",
    });
  };
}

function describe(x: unknown): string {
  if (typeof x === "string") return JSON.stringify(x.length > 40 ? `${x.slice(0, 40)}...` : x);
  if (Array.isArray(x)) return "a list";
  if (typeof x === "function") return "a function";
  if (typeof x !== "object" || x === null) return String(x);
  const name = x.constructor?.name;
  return name === undefined || name === "Object" ? "an object" : `an object of type ${name}`;
}
