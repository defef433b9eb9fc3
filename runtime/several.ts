/** Loads one of several programs of a model; apps with one program need none of this. */
import { entryOf, type Field, type Program } from "../ir/program.ts";
import { chooseDevice } from "./choose-device.ts";
import { DlmError, type ErrorCode, fail } from "./errors.ts";
import { typeOf } from "./field.ts";
import type { LoadOptions } from "./index.ts";
import type { Net } from "./session.ts";

type Open = (program: Program, options: LoadOptions, notes?: readonly string[]) => Promise<Net>;

/** The program for the device asked for, or the one that `chooseDevice` prefers, or the other where that one cannot start. */
export async function openOneOf(given: readonly Program[], options: LoadOptions, open: Open): Promise<Net> {
  const programs = checkPrograms(given);
  const { device = "auto" } = options;
  const [first] = programs;
  const [wasm, wgsl] = [programs.find((p) => p.code.kind === "wasm"), programs.find((p) => p.code.kind === "wgsl")];
  if (device !== "auto") return open((device === "webgpu" ? wgsl : wasm) ?? first, options);
  if (!wasm || !wgsl) return open(first, options);
  const choice = await chooseDevice(wasm, wgsl, options);
  try {
    return await open(choice.program, options, [choice.reason]);
  } catch (e) {
    if (!choice.otherwise || !(e instanceof DlmError) || !gpuProblems.includes(e.code)) throw e;
    return open(choice.otherwise, options, [`runs on WebAssembly: ${e.message}`]);
  }
}
/** That another device may not have. */
const gpuProblems: readonly ErrorCode[] = ["unsupported", "memory", "device"];

/** One for each target, of one model. */
function checkPrograms(given: readonly Program[]): readonly [Program, ...Program[]] {
  if (given.length === 0) fail("artefact", "load got an empty list, expected a program for each target");
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
