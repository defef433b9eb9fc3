import { describe, expect, test } from "vitest";
import { encodeBytePairs, learnMerges } from "../../../compiler/formats/bpe.ts";
import { openData } from "../../../compiler/formats/open.ts";
import { learnVocabulary, readVocabulary, type Vocabulary } from "../../../compiler/formats/vocabulary.ts";
import { input, memoryDisk, sourceOf } from "./support.ts";

/** The text of byte-pair tokens, by undoing the merges. */
function decoded(tokens: Int32Array, merges: readonly (readonly [number, number])[]): string {
  const bytes = (t: number): number[] => (t < 256 ? [t] : merges[t - 256]!.flatMap(bytes));
  return new TextDecoder().decode(Uint8Array.from([...tokens].flatMap(bytes)));
}

describe("byte pairs", () => {
  test("the commonest pair first; among equals the smaller tokens; none that occurs once", () => {
    // ab is there 3 times; then a space before ab, ab before c and c before d, twice each
    expect(learnMerges("abcd abcd ab", 257)).toEqual([[97, 98]]);
    expect(learnMerges("abcd abcd ab", 258)[1]).toEqual([32, 256]);
    expect(learnMerges("cdcd", 300)).toEqual([[99, 100]]);
    expect(learnMerges("cd", 300)).toEqual([]);
  });
  test("merges stay within words, the space before a word belongs to it", () => {
    const merges = learnMerges("to be to be to be to be", 1000);
    const pieces = merges.map((_, i) => decoded(Int32Array.of(256 + i), merges));
    expect(pieces).toContain(" be");
    expect(pieces.some((p) => p.trim().includes(" "))).toBe(false);
  });
  test("the count of a pair follows the merges around it", () => {
    const text = "banana bandana cabana ".repeat(7);
    const merges = learnMerges(text, 270);
    // each merge is the commonest pair of what the ones before it left, counted anew
    let words = [...text.matchAll(/ ?\S+/g)].map(([w]) => [...new TextEncoder().encode(w)]);
    merges.forEach(([a, b], i) => {
      const counts = new Map<string, number>();
      for (const w of words)
        for (let k = 0; k + 1 < w.length; k++) counts.set(`${w[k]},${w[k + 1]}`, (counts.get(`${w[k]},${w[k + 1]}`) ?? 0) + 1);
      expect(counts.get(`${a},${b}`)).toBe(Math.max(...counts.values()));
      words = words.map((w) => {
        const out: number[] = [];
        for (let k = 0; k < w.length; k++) {
          const found = w[k] === a && w[k + 1] === b;
          out.push(found ? 256 + i : w[k]!);
          if (found) k++;
        }
        return out;
      });
    });
    expect([...encodeBytePairs(text.trimEnd(), merges)]).toEqual(words.flat());
  });
  test("any text can be spelt and is read back", () => {
    const merges = learnMerges("the cat sat on the mat, the cat", 280);
    for (const text of ["the mat sat", "  züge\t日本\n\n🙂 don't 12345", "x".repeat(200)])
      expect(decoded(encodeBytePairs(text, merges), merges)).toBe(text);
    expect(encodeBytePairs("the cat", merges).length).toBeLessThan(7);
  });
});

describe("vocabularies", () => {
  const again = (v: Vocabulary) => readVocabulary(v.file, "v.json");
  test("characters are sorted by code point", () => {
    const v = learnVocabulary("char", "b🙂a\nb", Infinity);
    expect(JSON.parse(v.file)).toEqual({ format: "dlm-vocabulary", version: 1, unit: "char", tokens: ["\n", "a", "b", "🙂"] });
    expect([...again(v).encode("ab🙂", "t")]).toEqual([1, 2, 3]);
    expect(() => v.encode("ab\nac", "t.txt")).toThrow('error[data]: t.txt:2: the character "c" is not in the vocabulary of the weights');
  });
  test("words: lower case, the commonest first, cut behind <unk>", () => {
    const v = learnVocabulary("word", "The cat; the CAT, the dog. Don't a", 4);
    expect(JSON.parse(v.file).tokens).toEqual(["<unk>", "the", "cat", "a"]);
    expect([...again(v).encode("A cat, don't the", "t")]).toEqual([3, 2, 0, 1]);
  });
  test("byte pairs", () => {
    const v = learnVocabulary("bpe", "abab abab", 258);
    expect(v.size).toBe(258);
    expect([...again(v).encode("abab", "t")]).toEqual([...v.encode("abab", "t")]);
  });
  test.each([
    "{",
    "{}",
    '{"format":"dlm-vocabulary","version":1,"unit":"char","tokens":["a","a"]}',
    '{"format":"dlm-vocabulary","version":1,"unit":"bpe","merges":[[1,256]]}',
  ])("%s is none", (text) =>
    expect(() => readVocabulary(text, "v.json")).toThrow("error[file]: v.json is not a vocabulary that this version knows"),
  );
});

const sequence = (batch: number, length: number, vocab?: number) => [
  input("ids", "i32", [batch, length], vocab),
  input("next", "i32", [batch, length], vocab),
];
const all = (count: number, values: (i: number) => ArrayLike<number>) =>
  Array.from({ length: count }, (_, i) => [...Array.from(values(i))]);

describe("windows", () => {
  const letters = "abcdefghijk";
  test("side by side; `next` is one further", async () => {
    const { train, fields, notes } = await sourceOf("text:t", { t: letters }, sequence(2, 3, 20));
    expect(fields.map((f) => [f.name, f.dtype, f.shape])).toEqual([
      ["ids", "i32", [3]],
      ["next", "i32", [3]],
    ]);
    expect(all(train.count, (i) => train.values(0, i))).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 8],
    ]);
    expect(all(train.count, (i) => train.values(1, i))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
    expect(notes).toEqual(["t: 11 characters, 11 different ones, of 20 that the model takes"]);
  });
  test("how to make a model smaller that takes many more tokens, where no vocabulary is set yet", async () => {
    const hints = { size: () => null, extent: (now: number, wanted: number) => `--set vocab=${wanted} (${now})` };
    const notesFor = async (limit: number, more: object) =>
      (await sourceOf("text:t", { t: letters }, sequence(2, 3, limit), { hints, ...more })).notes;
    const plain = (limit: number) => [`t: 11 characters, 11 different ones, of ${limit} that the model takes`];
    expect(await notesFor(44, { fresh: true })).toEqual([`${plain(44)}: --set vocab=11 (44) makes a smaller model`]);
    expect(await notesFor(43, { fresh: true })).toEqual(plain(43));
    expect(await notesFor(44, { fresh: false })).toEqual(plain(44));
    const text = learnVocabulary("char", letters, 44).file;
    expect(await notesFor(44, { fresh: true, companion: () => ({ path: "v", text }) })).toEqual(plain(44));
  });
  test("streams: row i of a batch goes on where row i of the batch before ended", async () => {
    const { train, ordered } = await sourceOf("text:t", { t: "abcdefghijklmnop" }, sequence(2, 3), { streams: async () => true });
    expect(ordered).toBe(true);
    // two streams of two windows; batches are examples 0, 1 and 2, 3
    expect(all(train.count, (i) => train.values(0, i))).toEqual([
      [0, 1, 2],
      [6, 7, 8],
      [3, 4, 5],
      [9, 10, 11],
    ]);
    expect(all(train.count, (i) => train.values(1, i))[3]).toEqual([10, 11, 12]);
  });
  test("the last fraction of the text is kept", async () => {
    const { cut } = await sourceOf("text:t", { t: letters }, sequence(1, 3));
    const { train, kept } = cut!(0.4);
    expect(all(train.count, (i) => train.values(1, i))).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(all(kept!.count, (i) => kept!.values(0, i))).toEqual([[7, 8, 9]]);
    expect(cut!(0).kept).toBe(null);
    expect(() => cut!(0.1)).toThrow("error[data]: t has only 1 validation characters: a window of 3, each with the next one, takes 4");
  });
  test("the vocabulary of the weights is used, and handed on", async () => {
    const file = learnVocabulary("char", "abc", Infinity).file;
    const companion = (ending: string) => (ending === ".vocab.json" ? { path: "w.vocab.json", text: file } : null);
    const { train, companions } = await sourceOf("text:t", { t: "cbab" }, sequence(1, 3), { companion });
    expect(all(1, (i) => train.values(0, i))).toEqual([[2, 1, 0]]);
    expect(companions).toEqual([{ ending: ".vocab.json", text: file }]);
    await expect(sourceOf("text:t?unit=word", { t: "cbab" }, sequence(1, 3), { companion })).rejects.toThrow(
      "error[data]: the vocabulary of the weights, w.vocab.json, has unit=char, `text:t?unit=word` asks for another\n  help: leave out unit=word",
    );
  });
  test("inputs of other names are matched by their shapes", async () => {
    const { fields } = await sourceOf("text:t", { t: letters }, [input("tokens", "i32", [1, 4])]);
    expect(fields[0]!.shape).toEqual([4]);
  });
});

describe("mistakes", () => {
  const hints = { size: () => "--dim T=5", extent: (now: number, wanted: number) => `--set vocab=${wanted} (${now})` };
  const take = (spec: string, text: string, inputs = sequence(2, 3, 4), more = {}) =>
    sourceOf(spec, { t: text }, inputs, { hints, ...more });
  test("of the text itself, before a program is known", () => {
    expect(() => openData("text:t", memoryDisk({ t: " \n" }))).toThrow("error[data]: t has no text");
    expect(() => openData("text:t", memoryDisk({ t: Uint8Array.of(0xff, 0xfe, 65) }))).toThrow("error[file]: t is not text in UTF-8");
    expect(() => openData("text:t?unit=line", memoryDisk({ t: "a" }))).toThrow(
      "error[data]: `unit` in `text:t?unit=line` must be char, bpe or word, found `line`",
    );
    expect(() => openData("text:t?window=5000", memoryDisk({ t: "a" }))).toThrow("must be at most 1000");
  });
  test("too many tokens for the program", async () => {
    await expect(take("text:t", "abcdefg")).rejects.toThrow(
      "error[data]: t has 7 different characters, but the model takes 4\n  help: add --set vocab=7 (4)",
    );
    await expect(take("text:t?unit=bpe", "abcdefg")).rejects.toThrow("error[data]: unit=bpe starts from 256 bytes, but the model takes 4");
  });
  test("lengths", async () => {
    await expect(take("text:t", "abc")).rejects.toThrow(
      "error[data]: t has only 3 characters: a window of 3, each with the next one, takes 4",
    );
    await expect(take("text:t", "abcabc", sequence(2, 3), { streams: async () => true })).rejects.toThrow(
      "error[data]: t has only 6 characters: 2 rows of 3, each with the next one, takes 7\n  help: use a smaller --batch",
    );
    await expect(take("text:t?length=5", "abcabc")).rejects.toThrow(
      "error[data]: `length` in `text:t?length=5` is 5, but `ids` takes windows of 3\n  help: add --dim T=5",
    );
  });
  test("a program that takes no tokens", async () => {
    await expect(take("text:t", "abc", [input("image", "f32", [1, 3])])).rejects.toThrow(
      "error[data]: `text:t` gives numbers of tokens, but no input takes such",
    );
  });
});

describe("pairs", () => {
  const inputs = [input("center", "i32", [4], 100), input("context", "i32", [4])];
  test("every two words at most `window` apart, both ways", async () => {
    const { train, fields } = await sourceOf("text:t?window=2", { t: "A b c, d" }, inputs);
    expect(fields.map((f) => f.name)).toEqual(["center", "context"]);
    // a b c d are 1 2 3 4
    const pairs = Array.from({ length: train.count }, (_, i) => [train.values(0, i)[0], train.values(1, i)[0]].join(""));
    expect(pairs).toEqual(["12", "21", "13", "31", "23", "32", "24", "42", "34", "43"]);
  });
  test("a window longer than the text", async () => {
    const { train } = await sourceOf("text:t?window=50", { t: "a b c d" }, inputs);
    expect(train.count).toBe(12);
    expect(new Set(Array.from({ length: 12 }, (_, i) => `${train.values(0, i)[0]}${train.values(1, i)[0]}`)).size).toBe(12);
    await expect(sourceOf("text:t", { t: "alone" }, inputs)).rejects.toThrow("error[data]: t has only 1 words: a pair takes 2");
  });
  test("noise is drawn by frequency to the power 0.75, the same every time", async () => {
    const text = `${"a ".repeat(810)}${"b ".repeat(10)}`;
    const { train, fields } = await sourceOf("text:t", { t: text }, [...inputs, input("noise", "i32", [4, 5])]);
    expect(fields[2]).toMatchObject({ name: "noise", shape: [5] });
    const drawn = all(2000, (i) => train.values(2, i)).flat();
    expect(all(2000, (i) => train.values(2, i)).flat()).toEqual(drawn);
    // 81 ** 0.75 = 27 to 1
    const share = drawn.filter((w) => w === 2).length / drawn.length;
    expect(share).toBeGreaterThan(0.8 / 28);
    expect(share).toBeLessThan(1.2 / 28);
    expect(drawn.every((w) => w === 1 || w === 2)).toBe(true);
  });
});
