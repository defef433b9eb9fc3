/** Changes to the tensors of a weight file: which of them, under which names, of which type. */
import { fail } from "../../ir/diagnostic.ts";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../../ir/float16.ts";
import type { Entry } from "../../runtime/index.ts";
import { bytesOf, numbersOf } from "../../runtime/safetensors.ts";
import type { Arguments } from "./options.ts";
import { pairs } from "./settings.ts";

/** `*` stands for any characters, dots included; each is a group, as short as can be. */
export const patternOf = (glob: string): RegExp => new RegExp(`^${glob.split("*").map(escaped).join("(.*?)")}$`, "s");
const escaped = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&");

/** `--only` and `--drop`, by the names of the files; each must match a tensor of one of them. */
export function selection(args: Arguments, files: readonly (readonly Entry[])[]): (entry: Entry) => boolean {
  const patterns = (option: string) =>
    args.all(option).map((glob) => {
      const pattern = patternOf(glob);
      if (!files.flat().some((e) => pattern.test(e.name))) matchesNothing(option, glob);
      return pattern;
    });
  const [only, drop] = [patterns("only"), patterns("drop")];
  return ({ name }) => (only.length === 0 || only.some((p) => p.test(name))) && !drop.some((p) => p.test(name));
}
const matchesNothing = (option: string, pattern: string): never =>
  fail("flag", `\`--${option} ${pattern}\` matches no tensor`, null, { help: "`dlm weights FILE` lists their names" });

/** `--rename`, one after the other, each on the names that the one before gave. */
export function renamed(args: Arguments, entries: readonly Entry[]): readonly Entry[] {
  const now = pairs(args, "rename").reduce((list, [from, to]) => renameAll(list, from, to), entries);
  const before = new Map<string, string>();
  for (const [i, { name }] of now.entries()) {
    const [first, second] = [before.get(name), entries[i]!.name];
    if (first !== undefined) fail("flag", `\`${first}\` and \`${second}\` would both be called \`${name}\``, null);
    if (name === "" || name === "__metadata__") fail("flag", `\`${second}\` cannot be called \`${name}\``, null);
    before.set(name, second);
  }
  return now;
}

function renameAll(entries: readonly Entry[], from: string, to: string): readonly Entry[] {
  const stars = (text: string) => text.split("*").length - 1;
  if (stars(to) > stars(from)) fail("flag", `\`--rename ${from}=${to}\` has more \`*\` behind the \`=\` than in front`, null);
  const pattern = patternOf(from);
  if (!entries.some((e) => pattern.test(e.name))) matchesNothing("rename", `${from}=${to}`);
  return entries.map((e) => {
    const found = pattern.exec(e.name);
    if (!found) return e;
    let star = 0;
    return { ...e, name: to.replace(/\*/g, () => found[++star]!) };
  });
}

const formats = {
  F32: { array: Float32Array, to: Math.fround, from: (x: number) => x },
  F16: { array: Uint16Array, to: toFloat16, from: fromFloat16 },
  BF16: { array: Uint16Array, to: toBfloat16, from: fromBfloat16 },
} as const;
type FloatType = keyof typeof formats;
const floats: readonly string[] = ["F64", "F32", "F16", "BF16"];

/** `--dtype`: floating-point tensors in another type, rounded to the nearest; others stay. */
export function converted(args: Arguments, entries: readonly Entry[]): readonly Entry[] {
  const text = args.get("dtype");
  if (text === undefined) return entries;
  const dtype = text.toUpperCase();
  if (text !== text.toLowerCase() || !Object.hasOwn(formats, dtype))
    return fail("flag", `\`--dtype\` cannot be \`${text}\``, null, { help: "it is f32, f16 or bf16" });
  return entries.map((e) => (floats.includes(e.dtype) && e.dtype !== dtype ? convert(e, dtype as FloatType) : e));
}

function convert(entry: Entry, dtype: FloatType): Entry {
  const { array, to, from } = formats[dtype];
  const numbers = numbersOf(entry);
  const out = new array(numbers.length);
  for (let i = 0; i < out.length; i++) {
    const value = numbers[i]!;
    out[i] = to(value);
    if (Number.isFinite(value) && !Number.isFinite(from(out[i]!))) tooLarge(entry, value, dtype);
  }
  return { ...entry, dtype, data: bytesOf(out) };
}
function tooLarge({ name }: Entry, value: number, dtype: FloatType): never {
  const help = dtype === "F16" ? { help: "bf16 has the range of f32" } : {};
  return fail("data", `\`${name}\` has the value ${value}, which is infinite in ${dtype.toLowerCase()}`, null, help);
}
