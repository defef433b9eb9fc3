/** CIFAR-10, the binary version (https://www.cs.toronto.edu/~kriz/cifar.html): a byte for the class, then 3072 for the picture. */
import { fail } from "../../ir/diagnostic.ts";
import { classesOf } from "./labels.ts";
import { type Data, type Disk, pixelFactor, plainSource, type Split } from "./source.ts";
import type { Spec } from "./spec.ts";

const shape = [3, 32, 32];
const pictureBytes = 3 * 32 * 32;
const recordBytes = 1 + pictureBytes;
const classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const trainFiles = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);
const testFile = "test_batch.bin";

export function openCifar10(spec: Spec, disk: Disk): Data {
  const folder = spec.rest.replace(/\/+$/, "") || "/";
  checkFolder(folder, disk);
  const batch = (file: string) => readBatch(disk.read(`${folder}/${file}`), `${folder}/${file}`);
  const [train, heldOut] = [trainFiles.map(batch), [batch(testFile)]];
  return {
    spec: spec.text,
    fit: async (demand) => {
      const { number, companion } = classesOf(classes, "CIFAR-10", demand);
      const fields = [
        { name: "image", dtype: "u8", shape, factor: pixelFactor },
        { name: "label", dtype: "i32", shape: [], factor: 1 },
      ] as const;
      const [own, test] = [splitOf(train, number), splitOf(heldOut, number)];
      return { ...plainSource, spec: spec.text, fields, train: own, heldOut: test, companions: [companion] };
    },
  };
}

function checkFolder(folder: string, { list }: Disk): void {
  const names = list(folder).map((e) => e.name);
  const missing = [...trainFiles, testFile].filter((f) => !names.includes(f));
  if (missing.length === 0) return;
  const inner = names.find((n) => n === "cifar-10-batches-bin");
  const python = names.includes("data_batch_1") || names.includes("cifar-10-batches-py");
  const help = inner
    ? `write cifar10:${folder}/${inner}`
    : python
      ? "this is the version for Python: get the binary version, cifar-10-binary.tar.gz"
      : `it must hold ${trainFiles[0]} to ${trainFiles.at(-1)} and ${testFile}`;
  fail("file", `${folder} has no ${missing.join(", ")}`, null, { help });
}

function readBatch(bytes: Uint8Array, path: string): Uint8Array {
  const damaged = { help: "it is cut short, or no binary CIFAR-10: get it again" };
  if (bytes.length === 0 || bytes.length % recordBytes !== 0)
    fail("file", `${path} has ${bytes.length} bytes, expected a multiple of ${recordBytes} (a class and 32x32 pixels)`, null, damaged);
  for (let at = 0; at < bytes.length; at += recordBytes)
    if (bytes[at]! >= classes.length)
      fail("file", `${path}: example ${at / recordBytes} has the class ${bytes[at]}, expected 0 to ${classes.length - 1}`, null, damaged);
  return bytes;
}

function splitOf(files: readonly Uint8Array[], number: (own: number) => number): Split {
  const records = files.flatMap((bytes) =>
    Array.from({ length: bytes.length / recordBytes }, (_, i) => bytes.subarray(i * recordBytes, (i + 1) * recordBytes)),
  );
  const values: Split["values"] = (field, i) => (field === 0 ? records[i]!.subarray(1) : [number(records[i]![0]!)]);
  return { count: records.length, values };
}
