/** Text as examples: windows of tokens for language models, pairs of neighbours for word vectors. */
import { fail } from "../../ir/diagnostic.ts";
import type { Field } from "../../ir/program.ts";
import { hash, uniforms } from "./random.ts";
import { type Data, type DataField, type DataSource, type Demand, type Disk, plainSource, type Split } from "./source.ts";
import { choiceOption, numberOption, type Spec } from "./spec.ts";
import { learnVocabulary, readVocabulary, type Unit, units, type Vocabulary } from "./vocabulary.ts";

const defaultWindow = 5;
const largestWindow = 1000;

interface TextFile {
  readonly spec: Spec;
  readonly text: string;
  readonly unit: Unit | undefined;
  /** Tokens of a window, as the user wants it. */
  readonly length: number | undefined;
  /** Words to either side that are neighbours. */
  readonly window: number;
}

export function openText(spec: Spec, { read }: Disk): Data {
  const unit = choiceOption(spec, "unit", units);
  const [length, window] = [numberOption(spec, "length", true), numberOption(spec, "window", true) ?? defaultWindow];
  if (window > largestWindow) fail("data", `\`window\` in \`${spec.text}\` must be at most ${largestWindow}`, null);
  const text = decode(read(spec.rest), spec.rest);
  if (text.trim() === "") fail("data", `${spec.rest} has no text`, null);
  return { spec: spec.text, fit: (demand) => sourceFor({ spec, text, unit, length, window }, demand) };
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return fail("file", `${path} is not text in UTF-8`, null);
  }
}

async function sourceFor(file: TextFile, demand: Demand): Promise<DataSource> {
  const pairs = takesPairs(demand.inputs, file.spec);
  const limit = Math.min(...demand.inputs.map((i) => (i.range ? i.range.max + 1 : Infinity)));
  const vocabulary = vocabularyOf(file, file.unit ?? (pairs ? "word" : "char"), limit, demand);
  const tokens = vocabulary.encode(file.text, file.spec.rest);
  const examples = pairs
    ? pairsOf(tokens, vocabulary, file, demand.inputs)
    : windowsOf(tokens, vocabulary, file, demand, await demand.streams());
  const room = roomOf(vocabulary, limit, demand);
  const notes = [`${file.spec.rest}: ${tokens.length} ${words[vocabulary.unit]}, ${vocabulary.size} different ones${room}`];
  const companions = [{ ending: ".vocab.json", text: vocabulary.file }] as const;
  return { ...plainSource, spec: file.spec.text, notes, companions, ...examples };
}
const words: Record<Unit, string> = { char: "characters", bpe: "byte pairs", word: "words" };

/** Pairs of words, else windows. */
function takesPairs(inputs: readonly Field[], spec: Spec): boolean {
  const has = (...names: readonly string[]) => inputs.some((i) => names.includes(i.name));
  if (has("ids", "next") || has("center", "context")) return !has("ids", "next");
  const [first] = inputs.filter((i) => i.dtype === "i32");
  if (first && first.shape.length <= 2) return first.shape.length === 1;
  return fail("data", `\`${spec.text}\` gives numbers of tokens, but no input takes such`, null, {
    help: "text is for inputs `ids` and `next` i32[N, T], or `center` and `context` i32[N]",
  });
}

/* ---- vocabulary ------------------------------------------------------------------------------------------------- */

function vocabularyOf({ spec, text, unit }: TextFile, wanted: Unit, limit: number, { companion, hints }: Demand): Vocabulary {
  const found = companion(".vocab.json");
  const known = found && readVocabulary(found.text, found.path);
  if (known && unit !== undefined && unit !== known.unit)
    fail("data", `the vocabulary of the weights, ${found.path}, has unit=${known.unit}, \`${spec.text}\` asks for another`, null, {
      help: `leave out unit=${unit}`,
    });
  const vocabulary = known ?? learnVocabulary(wanted, text, limit);
  if (vocabulary.size > limit) tooLarge(vocabulary, limit, found?.path ?? spec.rest, hints.extent(limit, vocabulary.size));
  return vocabulary;
}

/** How many times the vocabulary a model may take before it is worth a word. */
const roomy = 4;
/** Tokens that never occur cost parameters and time; weights that are there already are made for them. */
function roomOf({ size }: Vocabulary, limit: number, { fresh, companion, hints }: Demand): string {
  if (!Number.isFinite(limit) || limit <= size) return "";
  const less = limit >= roomy * size && fresh && !companion(".vocab.json") ? hints.extent(limit, size) : null;
  return `, of ${limit} that the model takes${less === null ? "" : `: ${less} makes a smaller model`}`;
}

function tooLarge({ unit, size }: Vocabulary, limit: number, where: string, hint: string | null): never {
  const smallest = unit === "bpe" ? `unit=bpe starts from ${size} bytes` : `${where} has ${size} different ${words[unit]}`;
  return fail("data", `${smallest}, but the model takes ${limit}`, null, hint === null ? {} : { help: `add ${hint}` });
}

/* ---- windows ---------------------------------------------------------------------------------------------------- */

type Examples = Pick<DataSource, "fields" | "train" | "cut" | "ordered">;

function windowsOf(tokens: Int32Array, { unit }: Vocabulary, file: TextFile, { inputs, hints }: Demand, streams: boolean): Examples {
  const input = ["ids", "next"].map((n) => inputs.find((i) => i.name === n)).find((i) => i) ?? inputs.find((i) => i.dtype === "i32")!;
  const [batch, length] = input.shape;
  if (batch === undefined || length === undefined || input.shape.length !== 2)
    return fail("data", `\`${input.name}\` is ${input.dtype}[${input.shape.join(", ")}], but text comes in windows i32[N, T]`, null);
  checkLength(file, input.name, length, hints.size);
  const rows = streams ? batch : 1;
  const split = (part: Int32Array, what: string): Split => {
    if (part.length < rows * length + 1) tooShort(part.length, `${what} ${words[unit]}`, rows, length, file.spec.rest);
    return windowSplit(part, length, rows);
  };
  const field = (name: string): DataField => ({ name, dtype: "i32", shape: [length], factor: 1 });
  const cut: DataSource["cut"] = (fraction) => cutTokens(tokens, fraction, split);
  return { fields: [field("ids"), field("next")], train: split(tokens, ""), cut, ordered: streams };
}

function checkLength({ spec, length: wanted }: TextFile, input: string, length: number, hint: Demand["hints"]["size"]): void {
  if (wanted === undefined || wanted === length) return;
  const flags = hint(input, [length], [wanted]);
  fail("data", `\`length\` in \`${spec.text}\` is ${wanted}, but \`${input}\` takes windows of ${length}`, null, {
    help: flags === null ? "leave it out: the length is the program's" : `add ${flags}`,
  });
}

function tooShort(count: number, what: string, rows: number, length: number, path: string): never {
  const needed = rows * length + 1;
  const shape = rows > 1 ? `${rows} rows of ${length}` : `a window of ${length}`;
  return fail("data", `${path} has only ${count} ${what.trim()}: ${shape}, each with the next one, takes ${needed}`, null, {
    help: rows > 1 ? "use a smaller --batch or shorter windows, or more text" : "use shorter windows, or more text",
  });
}

/** Windows side by side; in `rows` streams, example i is the next window of stream i modulo `rows`. */
function windowSplit(tokens: Int32Array, length: number, rows: number): Split {
  const perRow = Math.floor((tokens.length - 1) / (rows * length));
  const values: Split["values"] = (field, example) => {
    const window = (example % rows) * perRow + Math.floor(example / rows);
    return tokens.subarray(window * length + field, (window + 1) * length + field);
  };
  return { count: rows * perRow, values };
}

/** The last fraction of the text is kept. */
function cutTokens(tokens: Int32Array, fraction: number, split: (part: Int32Array, what: string) => Split) {
  const at = tokens.length - Math.round(tokens.length * fraction);
  const kept = at < tokens.length ? split(tokens.subarray(at), "validation") : null;
  return { train: split(tokens.subarray(0, at), "training"), kept };
}

/* ---- pairs ------------------------------------------------------------------------------------------------------ */

/** `noise`: words that are drawn at random, for programs that take such. */
function pairsOf(tokens: Int32Array, vocabulary: Vocabulary, { spec, window }: TextFile, inputs: readonly Field[]): Examples {
  const noise = inputs.find((i) => i.name === "noise");
  const draw = noise && noiseOf(tokens, vocabulary.size, noise.shape[1] ?? 1);
  const field = (name: string, shape: readonly number[] = []): DataField => ({ name, dtype: "i32", shape, factor: 1 });
  const split = (part: Int32Array, what: string): Split => {
    if (part.length < 2) fail("data", `${spec.rest} has only ${part.length} ${what}words: a pair takes 2`.replace("  ", " "), null);
    const pairs = pairSplit(part, window);
    return { count: pairs.count, values: (f, example) => (f < 2 ? [pairs.word(f, example)] : draw!(example)) };
  };
  const fields = [field("center"), field("context"), ...(noise ? [field("noise", noise.shape.slice(1))] : [])];
  return {
    fields,
    train: split(tokens, ""),
    cut: (fraction) => cutTokens(tokens, fraction, (p, what) => split(p, `${what} `)),
    ordered: false,
  };
}

/** All pairs of words at most `window` apart, in the order of the text, each one way and then the other. */
function pairSplit(tokens: Int32Array, window: number): { readonly count: number; readonly word: (field: number, pair: number) => number } {
  const reach = Math.min(window, tokens.length - 1);
  // words with as many followers as the window has, and the places of the others' pairs
  const full = tokens.length - reach;
  const rest = Array.from({ length: reach }, (_, i) => full + i).flatMap((p) =>
    Array.from({ length: tokens.length - 1 - p }, (_, d): [number, number] => [p, p + 1 + d]),
  );
  const places = (i: number): readonly [number, number] => {
    const word = Math.floor(i / reach);
    return word < full ? [word, word + 1 + (i % reach)] : rest[i - full * reach]!;
  };
  const word = (field: number, pair: number) => tokens[places(pair >> 1)[(field + pair) & 1]!]!;
  return { count: 2 * (full * reach + rest.length), word };
}

/** Words by frequency to the power 0.75 (Mikolov et al. 2013); those of an example are always the same. */
function noiseOf(tokens: Int32Array, size: number, count: number): (example: number) => readonly number[] {
  const frequency = new Float64Array(size);
  for (const t of tokens) frequency[t]!++;
  let sum = 0;
  const upTo = frequency.map((f) => {
    sum += Math.sqrt(f) * Math.sqrt(Math.sqrt(f));
    return sum;
  });
  return (example) => {
    const random = uniforms(hash(noiseKey, example));
    return Array.from({ length: count }, () => firstAbove(upTo, random() * sum));
  };
}
const noiseKey = 3;

/** The first place whose value is above `x`; values grow. */
function firstAbove(values: Float64Array, x: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! > x) high = middle;
    else low = middle + 1;
  }
  return low;
}
