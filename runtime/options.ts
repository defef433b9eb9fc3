/** The arguments of `load`, checked as they come: callers may write JavaScript. */
import { type EntryId, entryNames, entryOf } from "../ir/program.ts";
import { fail } from "./errors.ts";
import type { LoadOptions } from "./index.ts";

export function checkProgram(program: unknown): void {
  if (program instanceof Promise) fail("artefact", "load got a promise: await the program first");
  const { format, entries, variables, code }: Readonly<Record<string, unknown>> = isObject(program) ? program : {};
  if (format !== "dlm" || !Array.isArray(entries) || !Array.isArray(variables) || !isObject(code))
    fail("artefact", `load got ${describe(program)}, expected a program, as compile and programFromArtefact give`);
  for (const { name } of entries)
    if (!entryNames.includes(entryOf(String(name) as EntryId))) fail("artefact", `the program has the unknown entry ${describe(name)}`);
}

interface Check {
  readonly is: (value: unknown) => boolean;
  readonly expected: string;
}
const isBytes = (x: unknown): boolean => x instanceof Uint8Array || x instanceof ArrayBuffer;
const isFile = (x: unknown): boolean => isObject(x) && typeof x.prefix === "string" && isBytes(x.data);
const oneOf = (...texts: readonly string[]): Check => ({
  is: (x) => texts.includes(x as string),
  expected: texts.map((t) => `"${t}"`).join(", "),
});
const call = oneOf("run", "step", "evaluate");
const isObject = (x: unknown): x is Readonly<Record<string, unknown>> => typeof x === "object" && x !== null;
const isNumber = (x: unknown): boolean => typeof x === "number";

const checks: Readonly<Record<keyof LoadOptions, Check>> = {
  weights: {
    is: (x) => isBytes(x) || (Array.isArray(x) && x.every(isFile)),
    expected: "the bytes of a safetensors file (Uint8Array or ArrayBuffer), or a list of { prefix, data }",
  },
  checkpoint: { is: isBytes, expected: "the bytes that checkpoint() gave (Uint8Array or ArrayBuffer)" },
  seed: { is: isNumber, expected: "a number" },
  threads: { is: isNumber, expected: "a number" },
  device: oneOf("auto", "wasm", "webgpu"),
  allowMissing: { is: (x) => Array.isArray(x) && x.every((g) => typeof g === "string"), expected: "a list of names" },
  missing: oneOf("error", "init"),
  gpu: { is: isObject, expected: "an object like navigator.gpu" },
  gpuDevice: { is: (x) => isObject(x) && "queue" in x, expected: "a GPUDevice" },
  onProgress: { is: (x) => typeof x === "function", expected: "a function" },
  warm: { is: (x) => Array.isArray(x) && x.every(call.is), expected: `a list of ${call.expected}` },
  recover: oneOf("auto", "checkpoint", "never"),
};

/** Options that are undefined count as not given. */
export function checkOptions(options: unknown): void {
  if (!isObject(options)) fail("option", `the options of load are ${describe(options)}, expected an object`);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    checkName("load", name, Object.keys(checks));
    const { is, expected } = checks[name as keyof LoadOptions];
    if (!is(value)) fail("option", `${name} is ${describe(value)}, expected ${expected}`);
  }
  const { weights, checkpoint, device, gpuDevice } = options as LoadOptions;
  if (gpuDevice && device === "wasm") fail("option", 'gpuDevice and device "wasm" exclude each other');
  if (weights && checkpoint) fail("option", "weights and checkpoint exclude each other");
}

/** `of` takes options by the names `known`. */
export function checkName(of: string, name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  const near = known.find((k) => k.toLowerCase() === name.toLowerCase() || k.startsWith(name) || name.startsWith(k));
  fail("option", `${of} has no option ${name}; ${near ? `did you mean ${near}?` : `its options are ${known.join(", ")}`}`);
}

/** A value in a message: short, and with its kind. */
export function describe(x: unknown): string {
  if (typeof x === "string") return JSON.stringify(x.length > 40 ? `${x.slice(0, 40)}...` : x);
  if (Array.isArray(x)) return "a list";
  if (typeof x === "function") return "a function";
  if (typeof x !== "object" || x === null) return String(x);
  const name = x.constructor?.name;
  return name === undefined || name === "Object" ? "an object" : `an object of type ${name}`;
}
