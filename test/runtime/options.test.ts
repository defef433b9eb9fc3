/** What callers without types may hand to `load` and the calls of a net. */
import { expect, test } from "vitest";
import { type LoadOptions, load, type Program } from "../../runtime/index.ts";
import { failure, programOf, recorder } from "./fixtures.ts";

test.each([
  [null, "load got null, expected a program, as compile and programFromArtefact give"],
  [{}, "load got an object, expected a program, as compile and programFromArtefact give"],
  ["net.json", 'load got "net.json", expected a program, as compile and programFromArtefact give'],
  [Promise.resolve(), "load got a promise: await the program first"],
])("a program that is %o", async (program, message) => {
  expect(await failure(() => load(program as unknown as Program))).toMatchObject({ name: "DlmError", code: "artefact", message });
});

test.each([
  [null, "the options of load are null, expected an object"],
  [
    { weights: "w.safetensors" },
    'weights is "w.safetensors", expected the bytes of a safetensors file (Uint8Array or ArrayBuffer), or a list of { prefix, data }',
  ],
  [
    { weights: [new Uint8Array(8)] },
    "weights is a list, expected the bytes of a safetensors file (Uint8Array or ArrayBuffer), or a list of { prefix, data }",
  ],
  [{ checkpoint: {} }, "checkpoint is an object, expected the bytes that checkpoint() gave (Uint8Array or ArrayBuffer)"],
  [{ device: "gpu" }, 'device is "gpu", expected "auto", "wasm", "webgpu"'],
  [{ seed: "1" }, 'seed is "1", expected a number'],
  [{ allowMissing: "*" }, 'allowMissing is "*", expected a list of names'],
  [{ missing: "no" }, 'missing is "no", expected "error", "init"'],
  [{ weight: 1 }, "load has no option weight; did you mean weights?"],
  [{ Device: "wasm" }, "load has no option Device; did you mean device?"],
  [{ gpuDevice: {} }, "gpuDevice is an object, expected a GPUDevice"],
  [{ device: "wasm", gpuDevice: { queue: {} } }, 'gpuDevice and device "wasm" exclude each other'],
  [{ warm: ["forward"] }, 'warm is a list, expected a list of "run", "step", "evaluate"'],
  [{ recover: true }, 'recover is true, expected "auto", "checkpoint", "never"'],
  [
    { colour: 1 },
    "load has no option colour; its options are weights, checkpoint, seed, threads, device, allowMissing, missing, gpu, gpuDevice, onProgress, warm, recover",
  ],
])("options %o", async (options, message) => {
  const call = () => load(programOf(recorder().code), options as unknown as LoadOptions);
  expect(await failure(call)).toMatchObject({ name: "DlmError", code: "option", message });
});
test("an option that is undefined is not given", async () => {
  const options = { seed: undefined, device: undefined } as unknown as LoadOptions;
  expect((await load(programOf(recorder().code), options)).threads).toBe(1);
});

test("a run without inputs", async () => {
  const net = await load(programOf(recorder().code));
  const run = net.run as (inputs?: unknown) => Promise<unknown>;
  for (const [inputs, shown] of [
    [undefined, "undefined"],
    [null, "null"],
    [new Float32Array(4), "Float32Array"],
  ] as const)
    expect(await failure(() => run(inputs))).toMatchObject({
      code: "input",
      message: `the inputs are ${shown}, expected an object with a value for each input`,
    });
});

test.each([
  [{ output: "gpu" }, "run has no option output; did you mean outputs?"],
  [{ sed: 1 }, "run has no option sed; its options are seed, outputs"],
])("options of run %o", async (options, message) => {
  const net = await load(programOf(recorder().code));
  expect(await failure(() => net.run({}, options as object))).toMatchObject({ name: "DlmError", code: "option", message });
});
