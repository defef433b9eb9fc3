/** Files of named tensors: what is read, and what is said of files of other kinds. */
import { expect, test } from "vitest";
import { readTensors, tensorBytes } from "../../../compiler/cli/tensor-files.ts";
import { writeNpz } from "../../../compiler/formats/npz.ts";
import { type Entry, writeSafetensors } from "../../../runtime/index.ts";
import { numbersOf } from "../../../runtime/safetensors.ts";
import { folder } from "./harness.ts";

test.each([
  ["a PyTorch archive", "PK\u0003\u0004    \0\0archive/data.pkl", "is a PyTorch file", "safetensors.torch.save_file"],
  ["an older PyTorch file", "\u0080\u0002\u008a\nl\u00fc\u009cF\u00f9 j", "is a PyTorch file", "safetensors.torch.save_file"],
  ["one array", "\u0093NUMPY\u0001\u0000v\u0000", "is an .npy file", "numpy.savez"],
  ["an ONNX model", "\b\b\u0012\u0003dlm:\u0010", "is an ONNX model", "dlm import"],
  ["GGUF", "GGUF\u0003\0\0\0 ", "is a GGUF file", "safetensors.numpy.save_file"],
  ["HDF5", "\u0089HDF\r\n\u001a\n", "is an HDF5 file", "safetensors.numpy.save_file"],
])("%s is named", (_, text, kind, help) => {
  const at = folder({ w: Uint8Array.from(text, (c) => c.charCodeAt(0)) });
  const call = () => readTensors(at("w"));
  expect(call).toThrow(`${at("w")} ${kind}`);
  expect(call).toThrow(help);
});

/** A file whose header has this length. */
function withHeader(length: number): Uint8Array {
  const empty = writeSafetensors([{ name: "", dtype: "U8", shape: [0], data: new Uint8Array(0) }]);
  const text = new TextDecoder().decode(empty.subarray(8)).trimEnd();
  const file = new Uint8Array(8 + length).fill(0x20);
  file.set(new TextEncoder().encode(text), 8);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  return file;
}

test.each([0x0280, 0x4b50, 0x4e93])("a header of %i bytes does not make it another kind", (length) => {
  const at = folder({ w: withHeader(length) });
  expect(readTensors(at("w")).entries).toHaveLength(1);
});

test("archives give each array its type, whatever the bytes around it", () => {
  const at = folder({
    "w.npz": writeNpz(
      new Map([
        ["conv.weight", { type: "f8", shape: [1, 2], data: Float64Array.of(0.5, -3) }],
        ["steps", { type: "i8", shape: [], data: BigInt64Array.of(7n) }],
        ["mask", { type: "b1", shape: [2], data: Uint8Array.of(0, 1) }],
      ]),
    ),
  });
  expect(readTensors(at("w.npz")).entries.map((e) => [e.name, e.dtype, e.shape, ...numbersOf(e)])).toEqual([
    ["conv.weight", "F64", [1, 2], 0.5, -3],
    ["steps", "I64", [], 7],
    ["mask", "BOOL", [2], 0, 1],
  ]);
});

test("files that break the format are named, with keys that are hidden from JSON.parse", () => {
  const entry: Entry = { name: "abc", dtype: "U8", shape: [0], data: new Uint8Array(0) };
  const good = writeSafetensors([entry, { ...entry, name: "abd" }]);
  const twice = good.map((byte, i) => (byte === 0x64 && good[i - 1] === 0x62 ? 0x63 : byte));
  const at = folder({ good, twice, cut: good.subarray(0, 20) });
  expect(tensorBytes(at("good"))).toEqual(good);
  expect(() => tensorBytes(at("twice"))).toThrow(`${at("twice")}: not a safetensors file: its header has the key "abc" twice`);
  expect(() => tensorBytes(at("cut"))).toThrow(`${at("cut")}: not a safetensors file: its header has`);
});
