/** From text to numbers: tokens that a text is made of, learnt from it or read from a file. */
import { fail } from "../../ir/diagnostic.ts";
import { byteTokens, encodeBytePairs, learnMerges, type Merge } from "./bpe.ts";

export const units = ["char", "bpe", "word"] as const;
export type Unit = (typeof units)[number];

export interface Vocabulary {
  readonly unit: Unit;
  readonly size: number;
  /** `name` is the text's, for messages. */
  readonly encode: (text: string, name: string) => Int32Array<ArrayBuffer>;
  /** What `readVocabulary` reads. */
  readonly file: string;
}

/**
 * char: the distinct characters, sorted. word: the commonest words in lower case behind `<unk>`, at most `limit`.
 * bpe: byte pairs, up to `limit` tokens. The others may turn out larger than `limit`.
 */
export function learnVocabulary(unit: Unit, text: string, limit: number): Vocabulary {
  switch (unit) {
    case "char":
      return charVocabulary([...new Set(text)].sort(byCodePoint));
    case "bpe":
      return bpeVocabulary(learnMerges(text, limit));
    case "word":
      return wordVocabulary([unknownWord, ...commonWords(text).slice(0, Math.max(0, limit - 1))]);
  }
}
const byCodePoint = (a: string, b: string): number => a.codePointAt(0)! - b.codePointAt(0)!;

/* ---- characters ---- */

function charVocabulary(characters: readonly string[]): Vocabulary {
  const places = new Map(characters.map((c, i) => [c, i]));
  const encode: Vocabulary["encode"] = (text, name) => {
    const out = new Int32Array(text.length);
    let count = 0;
    let line = 1;
    for (const character of text) {
      out[count++] = places.get(character) ?? unknownCharacter(character, `${name}:${line}`);
      if (character === "\n") line++;
    }
    return out.subarray(0, count);
  };
  return { unit: "char", size: characters.length, encode, file: fileOf("char", { tokens: characters }) };
}
const unknownCharacter = (character: string, where: string): never =>
  fail("data", `${where}: the character ${JSON.stringify(character)} is not in the vocabulary of the weights`, null, {
    help: "unit=bpe can spell every text: train with it, or leave such characters out",
  });

/* ---- words ---- */

const unknownWord = "<unk>";
const wordPattern = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*/gu;
const wordsOf = (text: string): IterableIterator<RegExpExecArray> => text.toLowerCase().matchAll(wordPattern);

/** The commonest first, then in order of their characters. */
function commonWords(text: string): readonly string[] {
  const counts = new Map<string, number>();
  for (const [word] of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([word]) => word);
}

function wordVocabulary(words: readonly string[]): Vocabulary {
  const places = new Map(words.map((w, i) => [w, i]));
  const encode = (text: string) => Int32Array.from(wordsOf(text), ([word]) => places.get(word) ?? 0);
  return { unit: "word", size: words.length, encode, file: fileOf("word", { tokens: words }) };
}

/* ---- byte pairs ---- */

const bpeVocabulary = (merges: readonly Merge[]): Vocabulary => ({
  unit: "bpe",
  size: byteTokens + merges.length,
  encode: (text) => encodeBytePairs(text, merges),
  file: fileOf("bpe", { merges }),
});

/* ---- files ---- */

const format = "dlm-vocabulary";
const version = 1;
const fileOf = (unit: Unit, content: object): string => `${JSON.stringify({ format, version, unit, ...content })}\n`;

/** `path` is for messages. */
export function readVocabulary(text: string, path: string): Vocabulary {
  const { unit, tokens, merges } = parseFile(text, path);
  if (unit === "bpe" && isMerges(merges)) return bpeVocabulary(merges);
  if (unit === "char" && isWords(tokens)) return charVocabulary(tokens);
  if (unit === "word" && isWords(tokens) && tokens[0] === unknownWord) return wordVocabulary(tokens);
  return refuse(path);
}
interface FileContent {
  readonly unit: unknown;
  readonly tokens: unknown;
  readonly merges: unknown;
}
function parseFile(text: string, path: string): FileContent {
  try {
    const value = JSON.parse(text);
    if (value?.format === format && value.version === version) return value;
  } catch {
    // told below
  }
  return refuse(path);
}
const refuse = (path: string): never => fail("file", `${path} is not a vocabulary that this version knows`, null);
const isWords = (x: unknown): x is string[] =>
  Array.isArray(x) && x.length > 0 && x.every((t) => typeof t === "string") && new Set(x).size === x.length;
const isMerges = (x: unknown): x is Merge[] =>
  Array.isArray(x) &&
  x.every((m, i) => Array.isArray(m) && m.length === 2 && m.every((t) => Number.isInteger(t) && t >= 0 && t < byteTokens + i));
