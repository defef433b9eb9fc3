/** Tensors that are halves on the device and singles on the host. */
import { expect, test } from "vitest";
import { fromFloat16, toFloat16 } from "../../ir/float16.ts";
import { type Field, type Region, regions } from "../../ir/program.ts";
import { load, parseSafetensors, writeSafetensors } from "../../runtime/index.ts";
import { numbersOf } from "../../runtime/safetensors.ts";
import { fromHalves, toHalves } from "../../runtime/webgpu/halves.ts";
import { type Buffers, bytesOn } from "../../runtime/webgpu/memory.ts";
import { writer } from "../../runtime/webgpu/writing.ts";
import { floatEntry } from "./entries.ts";
import { field, programOf, variable } from "./fixtures.ts";
import { dispatch, gpu, kernel, onGpu, wgsl } from "./webgpu-fixtures.ts";

const halvesOf = (singles: Float32Array): number[] => {
  const halves = new Uint16Array(singles.length);
  toHalves(new Uint32Array(singles.buffer), halves);
  return [...halves];
};

test("all halves become singles", () => {
  const singles = new Float32Array(65536);
  fromHalves(
    Uint16Array.from(singles, (_, bits) => bits),
    singles,
  );
  expect(singles).toEqual(Float32Array.from(singles, (_, bits) => fromFloat16(bits)));
});
test("singles become the nearest halves: each half, its middles to the next ones, and what lies beside these", () => {
  const near = new Float32Array(65536 * 6);
  const words = new Uint32Array(near.buffer);
  for (let bits = 0; bits < 65536; bits++) {
    const [here, next] = [fromFloat16(bits), fromFloat16(bits ^ 1)];
    near.set([here, here, (here + next) / 2, (here + next) / 2, (here + next) / 2, here], 6 * bits);
    words[6 * bits + 1]!++;
    words[6 * bits + 3]!++;
    words[6 * bits + 4]!--;
    words[6 * bits + 5]!--;
  }
  expect(halvesOf(near)).toEqual(Array.from(near, toFloat16));
  const some = Float32Array.of(65519, 65520, -1e30, Number.POSITIVE_INFINITY, Number.NaN, -0, 2 ** -25, 2 ** -24, 2 ** -14, 1e-45);
  expect(halvesOf(some)).toEqual([0x7bff, 0x7c00, 0xfc00, 0x7c00, 0x7e00, 0x8000, 0, 1, 0x0400, 0]);
});

/** A device that keeps what is written. */
function recorder() {
  const written: [label: string, offset: number, bytes: number[]][] = [];
  const queue = {
    writeBuffer: (buffer: { label: string }, offset: number, data: Uint8Array, at: number, size: number) =>
      void written.push([buffer.label, offset, [...data.subarray(at, at + size)]]),
  };
  const page = (start: number, end: number) => ({ start, end, buffer: { label: `page ${start}` } });
  const buffers = Object.fromEntries(regions.map((r: Region) => [r, [page(0, 4), page(4, 16)]])) as unknown as Buffers;
  const { add, rest } = writer(program, { queue } as unknown as GPUDevice, buffers);
  const write = (f: Field, bytes: Uint8Array): void => {
    add(f, bytes);
    rest();
  };
  return { written, write };
}
test("finite values that no half holds are refused: whose, how many, the largest, and what to do; infinite ones are not", () => {
  const { written, write } = recorder();
  const w = field("fc.weight", "parameters", 0, [2, 2], { stored: "f16" });
  const writing = (...values: number[]) => {
    return () => write(w, new Uint8Array(Float32Array.from(values).buffer));
  };
  const help = 'storage "f16" holds values up to 65504; compile it with storage "f32" (option storage, of dlm --storage)';
  const [infinite, nan] = [Number.NEGATIVE_INFINITY, Number.NaN];
  expect(writing(1, 65520, infinite, nan)).toThrow(`a value of fc.weight (65520) is too large for a half: ${help}`);
  expect(writing(70000, infinite, -1e6, 7)).toThrow(`2 values of fc.weight (the largest -1000000) are too large for a half: ${help}`);
  expect(written).toEqual([]);
  writing(65519, infinite, nan, -65504)();
  expect(written.flatMap(([, , bytes]) => bytes)).toEqual([0xff, 0x7b, 0x00, 0xfc, 0x00, 0x7e, 0xff, 0xfb]);
});

test("bytes that begin anywhere are written as whole words, page by page", () => {
  const { written, write } = recorder();
  const odd = field("w", "parameters", 0, [3], { stored: "f16" });
  expect(bytesOn(odd)).toBe(8);
  const bytes = new Uint8Array(13);
  bytes.set(new Uint8Array(Float32Array.of(1, -2, 0.1).buffer), 1);
  write(odd, bytes.subarray(1));
  expect(written).toEqual([
    ["page 0", 0, [0x00, 0x3c, 0x00, 0xc0]],
    ["page 4", 0, [0x66, 0x2e, 0, 0]],
  ]);
});

/* ---- on a device ------------------------------------------------------------------------------------------------ */

const words = kernel(
  "words",
  ["var<storage, read_write> stored: array<u32, 3>", "var<storage, read_write> y: array<u32, 3>"],
  "for (var n = 0; n < 3; n++) { y[n] = stored[n]; }",
);
const values = Float32Array.of(0.1, -1 / 3, Number.POSITIVE_INFINITY, 2049, 3e-8);
const program = programOf(
  wgsl([words], {
    forward: [
      dispatch(0, [
        ["parameters", 0, 12],
        ["io", 0, 12],
      ]),
    ],
  }),
  {
    entries: [{ name: "forward", inputs: [], outputs: [field("y", "io", 0, [3], { dtype: "i32" })] }],
    variables: [variable("param", field("w", "parameters", 0, [5], { stored: "f16" }))],
  },
);

onGpu("weights are halves on the device; what is saved is what they are", async () => {
  const net = await load(program, { weights: writeSafetensors([floatEntry("w", [5], values)]), gpu });
  const bits = Array.from(values, toFloat16);
  const { y } = await net.run({});
  expect([...y!]).toEqual([0, 2, 4].map((i) => bits[i]! | ((bits[i + 1] ?? 0) << 16)));
  for (const file of [await net.save(), await net.checkpoint()]) {
    const [w] = parseSafetensors(file).entries;
    expect([w!.dtype, ...numbersOf(w!)]).toEqual(["F32", ...bits.map(fromFloat16)]);
  }
  await net.dispose();
});
