/** The arguments of `load`, checked as they come: callers may write JavaScript. */
import { type EntryId, entryNames, entryOf, type Field, type Program } from "../ir/program.ts";
import { fail } from "./errors.ts";
import type { LoadOptions } from "./index.ts";
import { typeOf } from "./tensor.ts";

/** One program, or a list of one for each target. */
export function checkPrograms(given: unknown): readonly [Program, ...Program[]] {
  if (!Array.isArray(given)) {
    checkProgram(given);
    return [given as Program];
  }
  if (given.length === 0) fail("artefact", "load got an empty list, expected a program for each target");
  given.forEach(checkProgram);
  const [first, ...others] = given as [Program, ...Program[]];
  for (const [i, { code, target }] of given.entries()) {
    if (code.kind === "host") fail("artefact", "a program of the reference target is loaded alone, not in a list");
    if (given.findIndex((p) => p.code.kind === code.kind) < i) fail("artefact", `load got two programs compiled to ${target}`);
  }
  for (const other of others) {
    const where = difference(first, other);
    if (where) fail("artefact", `load got programs of different models: ${where} differs; compile both with the same options`);
  }
  return [first, ...others];
}

/** What callers see has to be the same whatever is chosen; null: it is. */
function difference(a: Program, b: Program): string | null {
  if (a.name !== b.name) return `the name (${a.name}, ${b.name})`;
  const text = (fields: readonly Field[]) => fields.map((f) => `${f.name}: ${typeOf(f)}`).join(", ");
  const border = (p: Program, name: string) => {
    const entry = p.entries.find((e) => e.name === name);
    return entry && `${text(entry.inputs)} -> ${text(entry.outputs)}`;
  };
  const names = [...a.entries, ...b.entries].map((e) => e.name).filter((n) => entryOf(n) !== "prepare");
  const entry = names.find((n) => border(a, n) !== border(b, n));
  if (entry) return `"${entry}"`;
  const variables = ({ variables: all }: Program) => all.map((v) => `${v.kind} ${v.name}: ${typeOf(v)} ${v.frozen}`);
  const [own, its] = [variables(a), variables(b)];
  const at = own.findIndex((v, i) => v !== its[i]);
  return at >= 0 || its.length > own.length ? `${(a.variables[at] ?? b.variables[own.length])!.name}` : null;
}

function checkProgram(program: unknown): void {
  const help = "expected a program, as compile and programFromArtefact give";
  if (program instanceof Promise) fail("artefact", "load got a promise: await the program first");
  if (typeof program !== "object" || program === null) fail("artefact", `load got ${describe(program)}, ${help}`);
  const { format, entries, variables, code } = program as Record<string, unknown>;
  if (format !== "dlm" || !Array.isArray(entries) || !Array.isArray(variables) || typeof code !== "object" || code === null)
    fail("artefact", `load got ${describe(program)} that is no program, ${help}`);
  for (const { name } of entries)
    if (!entryNames.includes(entryOf(String(name) as EntryId))) fail("artefact", `the program has the unknown entry ${describe(name)}`);
}

interface Check {
  readonly is: (value: unknown) => boolean;
  readonly expected: string;
}
const isBytes = (x: unknown): boolean => x instanceof Uint8Array || x instanceof ArrayBuffer;
const isFile = (x: unknown): boolean =>
  typeof x === "object" && x !== null && "prefix" in x && typeof x.prefix === "string" && "data" in x && isBytes(x.data);
const devices = ["auto", "wasm", "webgpu"];
const recoveries = ["auto", "checkpoint", "never"];
const oneOf = (texts: readonly string[]): string => texts.map((t) => `"${t}"`).join(", ");
const isObject = (x: unknown): boolean => typeof x === "object" && x !== null;
const isNumber = (x: unknown): boolean => typeof x === "number";

const checks: Readonly<Record<keyof LoadOptions, Check>> = {
  weights: {
    is: (x) => isBytes(x) || (Array.isArray(x) && x.every(isFile)),
    expected: "the bytes of a safetensors file (Uint8Array or ArrayBuffer), or a list of { prefix, data }",
  },
  checkpoint: { is: isBytes, expected: "the bytes that checkpoint() gave (Uint8Array or ArrayBuffer)" },
  seed: { is: isNumber, expected: "a number" },
  threads: { is: isNumber, expected: "a number" },
  device: { is: (x) => devices.includes(x as string), expected: oneOf(devices) },
  allowMissing: { is: (x) => Array.isArray(x) && x.every((g) => typeof g === "string"), expected: "a list of names" },
  missing: { is: (x) => x === "error" || x === "init", expected: '"error" or "init"' },
  gpu: { is: isObject, expected: "an object like navigator.gpu" },
  gpuDevice: { is: (x) => isObject(x) && "queue" in (x as object), expected: "a GPUDevice" },
  onProgress: { is: (x) => typeof x === "function", expected: "a function" },
  recover: { is: (x) => recoveries.includes(x as string), expected: oneOf(recoveries) },
};

/** Options that are undefined count as not given. */
export function checkOptions(options: unknown): void {
  if (typeof options !== "object" || options === null) fail("option", `the options of load are ${describe(options)}, expected an object`);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(checks, name)) unknownOption(name);
    const { is, expected } = checks[name as keyof LoadOptions];
    if (!is(value)) fail("option", `${name} is ${describe(value)}, expected ${expected}`);
  }
  const { weights, checkpoint } = options as LoadOptions;
  if (weights && checkpoint) fail("option", "weights and checkpoint exclude each other: a checkpoint holds the weights");
}

function unknownOption(name: string): never {
  const known = Object.keys(checks);
  const near = known.find((k) => k.toLowerCase() === name.toLowerCase() || k.startsWith(name) || name.startsWith(k));
  return fail("option", `load has no option ${name}; ${near ? `did you mean ${near}?` : `its options are ${known.join(", ")}`}`);
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
