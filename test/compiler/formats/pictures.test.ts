import { encode } from "fast-png";
import jpeg from "jpeg-js";
import { describe, expect, test } from "vitest";
import { cached } from "../../../compiler/formats/cache.ts";
import { imageOf } from "../../../compiler/formats/image.ts";
import { isJpeg, jpegSize } from "../../../compiler/formats/jpeg.ts";
import { openData } from "../../../compiler/formats/open.ts";
import { readPicture } from "../../../compiler/formats/picture.ts";
import { writePng } from "../../../compiler/formats/png.ts";
import type { Hints } from "../../../compiler/formats/source.ts";
import { input, memoryDisk, sourceOf } from "./support.ts";

/** One colour all over. */
const flat = (width: number, height: number, rgb: readonly number[]): Uint8Array => {
  const data = Uint8Array.from({ length: 4 * width * height }, (_, i) => (i % 4 === 3 ? 255 : rgb[i % 4]!));
  return Uint8Array.from(jpeg.encode({ width, height, data }, 95).data);
};
const png = (width: number, height: number, ...grey: number[]): Uint8Array =>
  encode({ width, height, channels: 1, data: Uint8Array.from({ length: width * height }, (_, i) => grey[i % grey.length]!) });
const hints: Hints = { size: (name, now, wanted) => `${name} ${now} ${wanted}`, extent: (now, wanted) => `${now} to ${wanted}` };

describe("JPEG", () => {
  test("is decoded to values from 0 to 1", async () => {
    const bytes = flat(9, 5, [200, 100, 50]);
    expect(isJpeg(bytes)).toBe(true);
    expect(jpegSize(bytes)).toEqual([9, 5]);
    const { width, height, data } = imageOf(await readPicture(bytes, "a.jpg"), 3, "a.jpg");
    expect([width, height, data.length]).toEqual([9, 5, 135]);
    [200, 100, 50].forEach((value, c) => {
      for (const v of data.subarray(c * 45, (c + 1) * 45)) expect(Math.abs(v * 255 - value)).toBeLessThan(4);
    });
  });
  test("damage is told", async () => {
    const bytes = flat(9, 5, [1, 2, 3]);
    await expect(readPicture(bytes.subarray(0, -30), "a.jpg")).rejects.toThrow(
      "error[file]: a.jpg cannot be decoded: it is damaged or cut short",
    );
    expect(jpegSize(bytes.subarray(0, 40))).toBe(null);
  });
});

describe("a folder per class", () => {
  const files = {
    "d/dog/a.jpg": flat(4, 4, [255, 0, 0]),
    "d/cat/1.png": png(4, 4, 51),
    "d/cat/2.PNG": png(4, 4, 102),
    "d/cat/3.png": png(4, 4, 153),
    "d/cat/4.png": png(4, 4, 204),
    "d/cat/notes.txt": "",
    "d/cat/.hidden.png": "",
    "d/.git/x.png": "",
    "d/readme.md": "",
  };
  const inputs = [input("image", "f32", [2, 3, 4, 4]), input("label", "i32", [2], 5)];
  test("sorted names are the classes, each spread over the whole; labels lie beside the weights", async () => {
    const { train, fields, companions, notes } = await sourceOf("images:d/", files, inputs);
    expect(fields.map((f) => [f.name, f.dtype, f.shape, f.factor])).toEqual([
      ["image", "f32", [3, 4, 4], 1],
      ["label", "i32", [], 1],
    ]);
    const labels = Array.from({ length: train.count }, (_, i) => train.values(1, i)[0]);
    expect(labels).toEqual([0, 0, 1, 0, 0]);
    const [first, dog] = [train.values(0, 0), train.values(0, 2)];
    expect([first.length, first[0], first[47]]).toEqual([48, Math.fround(0.2), Math.fround(0.2)]);
    expect([dog[0]! > 0.9, dog[16]! < 0.1]).toEqual([true, true]);
    expect(companions).toEqual([{ ending: ".labels.txt", text: "cat\ndog\n" }]);
    expect(notes).toEqual(["1 files that are not .png, .jpg or .jpeg are left out, such as d/cat/notes.txt"]);
  });
  test("inputs of bytes, flat ones, grey ones", async () => {
    const read = async (...shape: number[]) =>
      (await sourceOf("images:d", files, [input("image", "u8", [1, ...shape])])).train.values(0, 0);
    expect([...Array.from(await read(1, 4, 4))]).toEqual(new Array(16).fill(51));
    expect((await read(16)).length).toBe(16);
    expect((await read(48)).length).toBe(48);
  });
  test("the classes of the weights keep their numbers", async () => {
    const companion = () => ({ path: "w.labels.txt", text: "bird\ncat\ndog\n" });
    const { train, companions } = await sourceOf("images:d", files, inputs, { companion });
    expect([train.values(1, 0)[0], train.values(1, 2)[0]]).toEqual([1, 2]);
    expect(companions[0]!.text).toBe("bird\ncat\ndog\n");
    const other = () => ({ path: "w.labels.txt", text: "bird\ncat\n" });
    await expect(sourceOf("images:d", files, inputs, { companion: other })).rejects.toThrow(
      "error[data]: d has the class `dog`, which the weights do not know\n  help: w.labels.txt has: bird, cat",
    );
    const started = await sourceOf("images:d", files, inputs, { companion: other, fresh: true });
    expect(started.companions[0]!.text).toBe("cat\ndog\n");
  });
  test("sizes: as they are, resized, or refused with what to do", async () => {
    const small = [input("image", "f32", [2, 3, 2, 2])];
    await expect(sourceOf("images:d", files, small, { hints })).rejects.toThrow(
      "error[data]: d/cat/1.png is 4x4 pixels, the input `image` takes 2x2\n  help: add image 3,2,2 3,4,4, or --resize",
    );
    const mixed = { ...files, "d/dog/b.png": png(2, 3, 0) };
    await expect(sourceOf("images:d", mixed, inputs, { hints })).rejects.toThrow(
      "error[data]: d has pictures of several sizes: d/dog/b.png is 2x3 pixels, the input `image` takes 4x4\n  help: add --resize",
    );
    const { train } = await sourceOf("images:d", mixed, small, { resize: true });
    expect([...Array.from(train.values(0, 0))].map((v) => Number(v.toFixed(3)))).toEqual(new Array(12).fill(0.2));
  });
  test("what is written is what is read, exactly", async () => {
    const data = Float32Array.from({ length: 12 }, (_, i) => i / 255);
    const one = { "d/a/x.png": writePng({ channels: 3, height: 2, width: 2, data }) };
    const { train } = await sourceOf("images:d", one, [input("image", "f32", [1, 3, 2, 2])]);
    expect(Float32Array.from(train.values(0, 0))).toEqual(data);
  });
  test("mistakes of the folder", async () => {
    const open = (some: Record<string, string | Uint8Array>) => () => openData("images:d", memoryDisk(some));
    expect(open({ "d/a.png": "" })).toThrow(
      "error[data]: d has no folders, expected one for each class\n  help: move the pictures into folders",
    );
    expect(open({ "d/cat/a.gif": "" })).toThrow(
      "error[data]: d/cat has no pictures, expected files .png, .jpg or .jpeg\n  help: it has other files, such as d/cat/a.gif",
    );
    await expect(sourceOf("images:d", { "d/cat/a.png": "GIF89a" }, inputs)).rejects.toThrow(
      "error[file]: d/cat/a.png is neither a PNG nor a JPEG file",
    );
    await expect(
      sourceOf("images:d", files, [input("image", "f32", [2, 3, 4, 4]), input("label", "i32", [2], 1)], { hints }),
    ).rejects.toThrow("error[data]: d has 2 classes, but the model takes 1\n  help: add 1 to 2");
    await expect(sourceOf("images:d", files, [input("ids", "i32", [2, 4])])).rejects.toThrow(
      "error[data]: `images:d` gives pictures, but no input takes such",
    );
  });
});

test("a cache keeps what was used last, as far as there is room", () => {
  const made: number[] = [];
  const value = cached((key) => {
    made.push(key);
    return { value: key * 10, bytes: 4 };
  }, 8);
  expect([1, 2, 1, 3, 1, 2].map(value)).toEqual([10, 20, 10, 30, 10, 20]);
  expect(made).toEqual([1, 2, 3, 2]);
  const large = cached((key) => ({ value: key, bytes: 100 }), 8);
  expect([large(1), large(1)]).toEqual([1, 1]);
});

describe("CIFAR-10", () => {
  /** One record: the class, then a red, a green and a blue plane. */
  const record = (label: number, ...rgb: number[]) => [label, ...rgb.flatMap((v) => new Array(1024).fill(v))];
  /** `null`: not there. */
  const batches = (more: Record<string, Uint8Array | null> = {}): Record<string, Uint8Array> => {
    const train = Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`c/data_batch_${i}.bin`, Uint8Array.from(record(i, i, 20, 30))]));
    const all = { ...train, "c/test_batch.bin": Uint8Array.from([...record(9, 1, 2, 3), ...record(0, 4, 5, 6)]), ...more };
    return Object.fromEntries(Object.entries(all).flatMap(([path, bytes]) => (bytes === null ? [] : [[path, bytes]])));
  };
  const inputs = [input("image", "f32", [1, 3, 32, 32]), input("label", "i32", [1], 10)];
  test("five batches to train on, the test batch held out", async () => {
    const { train, heldOut, fields, companions } = await sourceOf("cifar10:c/", batches(), inputs);
    expect(fields[0]).toEqual({ name: "image", dtype: "u8", shape: [3, 32, 32], factor: 1 / 255 });
    expect([train.count, heldOut!.count]).toEqual([5, 2]);
    expect([0, 4].map((i) => train.values(1, i)[0])).toEqual([1, 5]);
    const image = train.values(0, 2);
    expect([image.length, image[0], image[1024], image[3071]]).toEqual([3072, 3, 20, 30]);
    expect([heldOut!.values(1, 1)[0], heldOut!.values(0, 1)[0]]).toEqual([0, 4]);
    expect(companions[0]!.text.split("\n").slice(0, 2)).toEqual(["airplane", "automobile"]);
  });
  test.each([
    ["a missing file", { "c/data_batch_3.bin": null }, "error[file]: c has no data_batch_3.bin\n  help: it must hold data_batch_1.bin to"],
    [
      "the version for Python",
      { ...Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`c/data_batch_${i}.bin`, null])), "c/data_batch_1": Uint8Array.of(0) },
      "this is the version for Python: get the binary version",
    ],
    [
      "a truncated file",
      { "c/data_batch_2.bin": Uint8Array.from(record(0, 1, 2, 3).slice(0, -1)) },
      "error[file]: c/data_batch_2.bin has 3072 bytes, expected a multiple of 3073 (a class and 32x32 pixels)",
    ],
    ["an empty file", { "c/test_batch.bin": Uint8Array.of() }, "error[file]: c/test_batch.bin has 0 bytes"],
    [
      "another content",
      { "c/data_batch_1.bin": Uint8Array.from(record(10, 1, 2, 3)) },
      "error[file]: c/data_batch_1.bin: example 0 has the class 10, expected 0 to 9",
    ],
  ])("%s", (_, more, message) => {
    expect(() => openData("cifar10:c", memoryDisk(batches(more)))).toThrow(message);
  });
  test("a model of fewer classes", async () => {
    await expect(sourceOf("cifar10:c", batches(), [input("label", "i32", [1], 5)], { hints })).rejects.toThrow(
      "error[data]: CIFAR-10 has 10 classes, but the model takes 5\n  help: add 5 to 10",
    );
  });
});
