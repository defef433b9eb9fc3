/** `train`, `eval` and `run` on text and pictures: what is written beside weights, and read again. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import jpeg from "jpeg-js";
import { describe, expect, test } from "vitest";
import { extentHint } from "../../../compiler/cli/extent-hint.ts";
import { writePng } from "../../../compiler/formats/png.ts";
import { dlm, folder } from "./harness.ts";

const bigram = `model Bigram(ids: i32[N, T = 8], vocab = 30) -> logits {
  logits = ids |> embed: Embedding(vocab, 8) |> head: Linear(vocab)
}
train Bigram {
  input next: i32[N, T]
  loss = cross_entropy(logits, next, axis=-1)
  optimizer = adam(lr=0.05)
}
`;
/** Adds what it has read so far, for each row: a state that follows the batch. */
const counting = `model Counting(ids: i32[N, T = 4]) -> y {
  y = cast(ids, f32)
  if training {
    state seen: f32[N] = 0
    update seen = seen + sum(y, axis=1)
    y = y + reshape(seen, [N, 1])
  }
}
train Counting {
  input next: i32[N, T]
  param scale: f32[] = 1
  loss = mean(y * scale) + 0 * mean(cast(next, f32))
  optimizer = sgd(lr=0)
}
`;
const text = "the quick brown fox jumps over the lazy dog and the dog sleeps on. ".repeat(30);
const logged = (path: string) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("text", () => {
  test("learns; the vocabulary lies beside the weights, and eval on another text reads it", async () => {
    const at = folder({ "net.dlm": bigram, "a.txt": text, "b.txt": "dog the quick fox and the lazy dog " });
    const trained = await dlm([
      "train",
      at("net.dlm"),
      "--data",
      `text:${at("a.txt")}`,
      "--epochs",
      "8",
      "--out",
      at("o/w.safetensors"),
      "--json",
    ]);
    expect(trained.code).toBe(0);
    expect(trained.err).toContain(`note: ${at("a.txt")}: ${text.length} characters, 28 different ones, of 30 that the model takes\n`);
    expect(JSON.parse(trained.out).loss).toBeLessThan(1.6);
    const { unit, tokens } = JSON.parse(readFileSync(at("o/w.vocab.json"), "utf8"));
    expect([unit, tokens.length, tokens[0]]).toEqual(["char", 28, " "]);
    const argv = ["eval", at("net.dlm"), "--data", `text:${at("b.txt")}`, "--weights", at("o/w.safetensors"), "--json"];
    const scored = await dlm(argv);
    expect([scored.code, JSON.parse(scored.out).examples]).toEqual([0, 4]);
    expect(JSON.parse(scored.out).loss).toBeLessThan(2);
    // with a vocabulary of its own the same weights are of no use
    writeFileSync(at("o/v.safetensors"), readFileSync(at("o/w.safetensors")));
    const lost = await dlm(argv.map((a) => a.replace("w.safetensors", "v.safetensors")));
    expect(lost.err).toContain("warning: no .vocab.json beside the weights");
    expect(JSON.parse(lost.out).loss).toBeGreaterThan(3);
  });
  test("a resumed run has the vocabulary of the checkpoint, and the same bits", async () => {
    const at = folder({ "net.dlm": bigram, "a.txt": text });
    const argv = ["train", at("net.dlm"), "--data", `text:${at("a.txt")}`, "--batch", "4"];
    await dlm([...argv, "--steps", "12", "--out", at("whole.safetensors")]);
    await dlm([...argv, "--steps", "5", "--checkpoint", at("c")]);
    expect(readFileSync(at("c/vocab.json"))).toEqual(readFileSync(at("whole.vocab.json")));
    const scored = await dlm(["eval", at("net.dlm"), "--data", `text:${at("a.txt")}`, "--weights", at("c/step-5.safetensors")]);
    expect([scored.code, scored.err]).toEqual([0, expect.not.stringContaining("warning")]);
    // another order than the text itself would give
    writeFileSync(at("c/vocab.json"), readFileSync(at("c/vocab.json"), "utf8").replace('"a","b"', '"b","a"'));
    const resumed = await dlm([...argv, "--resume", at("c"), "--steps", "12", "--out", at("parts.safetensors")]);
    expect(resumed.code).toBe(0);
    expect(readFileSync(at("parts.vocab.json"), "utf8")).toContain('"b","a"');
    await dlm([...argv, "--steps", "5", "--checkpoint", at("d")]);
    await dlm([...argv, "--resume", at("d"), "--steps", "12", "--out", at("parts.safetensors")]);
    expect(readFileSync(at("parts.safetensors"))).toEqual(readFileSync(at("whole.safetensors")));
  });
  test("a state that follows the batch, or --no-shuffle: rows continue the rows of the batch before", async () => {
    // characters a b c ... are 0 1 2 ...: two rows of two windows, "abcd efgh" and "ijkl mnop"
    const at = folder({ "net.dlm": counting, "a.txt": "abcdefghijklmnopq" });
    const argv = ["train", at("net.dlm"), "--data", `text:${at("a.txt")}`, "--batch", "2", "--steps", "4", "--log", at("l")];
    expect((await dlm(argv)).code).toBe(0);
    // loss: the mean of ids and of the sums seen by each row, from the first batch on
    const sums = [6, 38, 22, 54];
    const seen = [(sums[0]! + sums[1]!) / 2, (sums[0]! + sums[1]! + sums[2]! + sums[3]!) / 2];
    const ids = [(sums[0]! + sums[1]!) / 8, (sums[2]! + sums[3]!) / 8];
    const losses = logged(at("l")).map((r) => r.loss);
    expect(losses.slice(0, 2)).toEqual([ids[0]! + seen[0]!, ids[1]! + seen[1]!]);
    const plain = folder({ "net.dlm": bigram, "a.txt": text });
    await dlm([
      "train",
      plain("net.dlm"),
      "--data",
      `text:${plain("a.txt")}`,
      "--no-shuffle",
      "--batch",
      "4",
      "--checkpoint",
      plain("c"),
      "--epochs",
      "1",
    ]);
    expect(JSON.parse(readFileSync(plain("c/state.json"), "utf8"))).toMatchObject({
      shuffle: false,
      stored: 4 * Math.floor((text.length - 1) / 32),
    });
  });
  test("a vocabulary that is too large names what to set; nothing is written", async () => {
    const at = folder({ "net.dlm": bigram, "a.txt": text });
    const argv = ["train", at("net.dlm"), "--data", `text:${at("a.txt")}`, "--set", "vocab=20", "--out", at("w.safetensors")];
    expect(await dlm(argv)).toEqual({
      code: 1,
      out: "",
      err: `error[data]: ${at("a.txt")} has 28 different characters, but the model takes 20\n  help: add --set vocab=28\n`,
    });
    expect(existsSync(at("w.vocab.json")) || existsSync(at("w.safetensors"))).toBe(false);
    expect((await dlm(["train", at("net.dlm"), "--data", `text:${at("a.txt")}?length=16`])).err).toContain("\n  help: add --dim T=16\n");
  });
});

describe("pictures", () => {
  const net = `model Net(image: f32[N, 3, H = 4, W = 4], classes = 2) -> logits {
  logits = image |> flatten |> fc: Linear(classes)
}
train Net {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(lr=0.5)
}
`;
  const rgba = (size: number, colour: readonly number[]) =>
    Uint8Array.from({ length: 4 * size * size }, (_, i) => (i % 4 === 3 ? 255 : colour[i % 4]!));
  const jpg = (size: number, colour: readonly number[]) =>
    Uint8Array.from(jpeg.encode({ width: size, height: size, data: rgba(size, colour) }, 95).data);
  const png = (size: number, value: number) =>
    writePng({ channels: 3, height: size, width: size, data: new Float32Array(3 * size * size).fill(value) });
  /** Folders `dark` and `red` of ten pictures each. */
  const pictures = (size = 4) => {
    const at = folder({ "net.dlm": net });
    for (let i = 0; i < 10; i++)
      for (const [path, bytes] of [
        [`d/dark/${i}.png`, png(size, i / 40)],
        [`d/red/${i}.jpg`, jpg(size, [200 + 5 * i, 30, 30])],
      ] as const) {
        mkdirSync(dirname(at(path)), { recursive: true });
        writeFileSync(at(path), bytes);
      }
    return at;
  };
  test("learns; run knows the classes by the labels beside the weights, also of a JPEG", async () => {
    const at = pictures();
    const argv = ["train", at("net.dlm"), "--data", `images:${at("d")}`, "--val", "0.2", "--batch", "8", "--epochs", "10"];
    const trained = await dlm([...argv, "--out", at("w.safetensors"), "--json"]);
    expect(JSON.parse(trained.out)).toMatchObject({ metrics: { accuracy: 1 }, examples: 4 });
    expect(readFileSync(at("w.labels.txt"), "utf8")).toBe("dark\nred\n");
    const run = (file: string) => dlm(["run", at("net.dlm"), "--weights", at("w.safetensors"), "--input", `image=${at(file)}`]);
    expect((await run("d/red/3.jpg")).out.split("\n")[1]).toMatch(/^ {2}red /);
    expect((await run("d/dark/3.png")).out.split("\n")[1]).toMatch(/^ {2}dark /);
    const scored = await dlm(["eval", at("net.dlm"), "--data", `images:${at("d")}`, "--weights", at("w.safetensors"), "--json"]);
    expect(JSON.parse(scored.out)).toMatchObject({ examples: 20, metrics: { accuracy: 1 } });
  });
  test("another size is refused, or resized", async () => {
    const at = pictures(6);
    const argv = ["train", at("net.dlm"), "--data", `images:${at("d")}`, "--batch", "8"];
    const refused = await dlm(argv);
    expect([refused.code, refused.err]).toEqual([
      1,
      `error[data]: ${at("d")}/dark/0.png is 6x6 pixels, the input \`image\` takes 4x4\n  help: add --dim H=6 --dim W=6, or --resize\n`,
    ]);
    expect((await dlm([...argv, "--resize"])).code).toBe(0);
    expect((await dlm([...argv, "--dim", "H=6", "--dim", "W=6"])).code).toBe(0);
    expect((await dlm(["train", at("net.dlm"), "--data", "synthetic:shapes", "--resize"])).err).toBe(
      "error[flag]: `--resize` is for pictures: --data images:DIR\n",
    );
  });
  test("more classes than the model has", async () => {
    const at = pictures();
    mkdirSync(at("d/green"));
    writeFileSync(at("d/green/1.png"), png(4, 1));
    const { code, err } = await dlm(["train", at("net.dlm"), "--data", `images:${at("d")}`]);
    expect([code, err]).toEqual([1, `error[data]: ${at("d")} has 3 classes, but the model takes 2\n  help: add --set classes=3\n`]);
    expect((await dlm(["train", at("net.dlm"), "--data", `images:${at("none")}`])).err).toBe(
      `error[file]: cannot read ${at("none")}: there is no such file or folder\n`,
    );
  });
});

test("what to set so that a model tells more apart", () => {
  const source =
    "const vocab = 9\nmodel A(x: f32[N], width = 9, depth = 3) -> y {\n  y = x\n}\nmodel B(x: f32[N], classes = 4, heads = 4) -> y {\n  y = x\n}\n";
  const hint = (model: string, now: number, set = {}) => extentHint(source, "m.dlm", { model, set }, now, 50);
  expect(hint("A", 9)).toBe("--set vocab=50");
  expect(hint("A", 3)).toBe("--set depth=50");
  expect(hint("B", 4)).toBe("--set classes=50");
  expect(hint("B", 7, { heads: "7" })).toBe("--set heads=50");
  expect(hint("B", 5)).toBe(null);
});
