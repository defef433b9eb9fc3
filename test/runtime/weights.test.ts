/** Which weight files fit which programs. */
import { expect, test } from "vitest";
import type { LoadOptions } from "../../runtime/index.ts";
import { load, writeSafetensors } from "../../runtime/index.ts";
import type { Entry } from "../../runtime/safetensors.ts";
import { floatEntry } from "./entries.ts";
import { bias, failure, gain, momentum, programOf, recorder, seed, seen, teacher, trainable, updates } from "./fixtures.ts";

const gains = floatEntry("layer.gain", [4], Float32Array.of(1, 2, 3, 4));
const biases = floatEntry("layer.bias", [], Float32Array.of(10));
const predict = (weights: readonly Entry[], options: LoadOptions = {}) =>
  load(programOf(recorder().code), { weights: writeSafetensors(weights), ...options });
const train = (weights: readonly Entry[], options: LoadOptions = {}) =>
  load(trainable(recorder().code, { variables: [gain, bias, teacher, seen, momentum, seed, updates] }), {
    weights: writeSafetensors(weights),
    ...options,
  });
const valuesOf = async (net: Awaited<ReturnType<typeof predict>>, name: string) =>
  (await net.parameters()).find((p) => p.name === name)?.values;

test("extra tensors are noted", async () => {
  const net = await predict([gains, biases, floatEntry("head.weight", [1], Float32Array.of(1))]);
  expect(net.notes).toEqual(["in the weights, not used: head.weight"]);
});

test("what does not fit is listed", async () => {
  const e = await failure(() =>
    predict([floatEntry("layer.gains", [4], new Float32Array(4)), floatEntry("layer.bias", [2], new Float32Array(2))]),
  );
  expect(e).toMatchObject({ code: "weights" });
  expect(e.message).toBe(
    [
      "the weights do not fit tiny:",
      "  missing: layer.gain f32[4]",
      "  mis-shaped: layer.bias f32[], in the file F32[2]",
      "  note: in the file, not used: layer.gains",
      '  help: allowMissing (--allow-missing) names what may stay as initialised: "layer.gain", or "*" for all',
    ].join("\n"),
  );
});

test("the batch counts that PyTorch keeps are not worth a note", async () => {
  const count: Entry = { name: "bn1.num_batches_tracked", dtype: "I64", shape: [], data: new Uint8Array(8) };
  expect((await predict([gains, biases, count])).notes).toEqual([]);
  expect((await failure(() => predict([gains, count]))).message).not.toContain("num_batches_tracked");
});

test("why frozen parameters are needed is said", async () => {
  const e = await failure(() => train([gains, biases]));
  expect(e.message).toContain("  note: frozen parameters are needed: training would leave them at their initial values\n  help: ");
});

test("long lists are cut", async () => {
  const many = Array.from({ length: 40 }, (_, i) => floatEntry(`other.${i}`, [1], new Float32Array(1)));
  const e = await failure(() => predict(many));
  expect(e.message).toContain("  note: in the file, not used: other.0, other.1, ");
  expect(e.message).toContain(", other.11, ... and 28 more\n");
  expect(e.message.split("\n").length).toBe(1 + 2 + 2);
});

test("a missing parameter is an error for prediction unless it is allowed", async () => {
  expect(await failure(() => predict([gains]))).toMatchObject({ code: "weights" });
  expect((await predict([gains], { allowMissing: ["*.bias"] })).notes).toEqual(["not in the weights, initialised: layer.bias"]);
  expect(await failure(() => predict([gains], { allowMissing: ["bias", "layer?bias"] }))).toMatchObject({ code: "weights" });
});

test("training initialises what is missing and says so; evaluation can ask for an error", async () => {
  const frozen = floatEntry("teacher.gain", [4], Float32Array.of(4, 3, 2, 1));
  const net = await train([frozen]);
  expect(net.notes).toEqual(["not in the weights, initialised: layer.gain, layer.bias, layer.seen"]);
  expect(await valuesOf(net, "teacher.gain")).toEqual(Float32Array.of(4, 3, 2, 1));
  const e = await failure(() => train([frozen], { missing: "error" }));
  expect(e.message).toContain("missing: layer.gain");
});

test("a missing frozen parameter is an error, unless there are no weights at all or it is allowed", async () => {
  const e = await failure(() => train([gains, biases]));
  expect(e.message).toContain("missing: teacher.gain f32[4]");
  expect((await train([gains, biases], { allowMissing: ["teacher.*"] })).notes[0]).toContain("teacher.gain");
  const none = trainable(recorder().code, { variables: [gain, bias, teacher, seen, momentum, seed, updates] });
  expect((await load(none)).notes).toEqual([]);
  expect((await load(none, { weights: [] })).notes).toEqual([]);
});

test("files get prefixes, and of equal names the last counts", async () => {
  const own = floatEntry("gain", [4], Float32Array.of(5, 6, 7, 8));
  const weights = [
    { prefix: "", data: writeSafetensors([gains, biases]) },
    { prefix: "teacher", data: writeSafetensors([own]) },
    { prefix: "layer.", data: writeSafetensors([own]).buffer },
  ];
  const net = await load(trainable(recorder().code, { variables: [gain, bias, teacher, momentum, seed, updates] }), { weights });
  expect(await valuesOf(net, "teacher.gain")).toEqual(Float32Array.of(5, 6, 7, 8));
  expect(await valuesOf(net, "layer.gain")).toEqual(Float32Array.of(5, 6, 7, 8));
  expect(net.notes).toEqual(["in several weight files, the last counts: layer.gain"]);
});

test("element types are converted where every value fits", async () => {
  const half = (dtype: "F16" | "BF16") => floatEntry("layer.gain", [4], Float32Array.of(1, -2, 0.5, 1024), dtype);
  for (const dtype of ["F16", "BF16"] as const)
    expect(await valuesOf(await predict([half(dtype), biases]), "layer.gain")).toEqual(Float32Array.of(1, -2, 0.5, 1024));
  const long = (value: bigint): Entry => ({
    name: "layer.seen",
    dtype: "I64",
    shape: [],
    data: new Uint8Array(BigInt64Array.of(value).buffer),
  });
  const variables = [gain, bias, seen];
  const load64 = (value: bigint) =>
    load(programOf(recorder().code, { variables }), { weights: writeSafetensors([gains, biases, long(value)]) });
  expect(await valuesOf(await load64(-5n), "layer.seen")).toEqual(Int32Array.of(-5));
  expect(await failure(() => load64(2n ** 40n))).toMatchObject({
    code: "weights",
    message: "layer.seen is 1099511627776, expected -2147483648..2147483647; the file has I64[]",
  });
  const loadFloat = (value: number) =>
    load(programOf(recorder().code, { variables }), {
      weights: writeSafetensors([gains, biases, floatEntry("layer.seen", [], Float32Array.of(value))]),
    });
  expect(await valuesOf(await loadFloat(7), "layer.seen")).toEqual(Int32Array.of(7));
  expect((await failure(() => loadFloat(0.5))).message).toBe("layer.seen is 0.5, expected an integer; the file has F32[]");
});
