import { expect, test } from "vitest";
import { readOnnx } from "../../../../compiler/formats/onnx/read.ts";
import { writeOnnx } from "../../../../compiler/formats/onnx/write.ts";
import { everything, floats, model, node, value } from "./build.ts";

test("everything is read back", () => {
  const bytes = writeOnnx(everything());
  expect(readOnnx(bytes, "a.onnx")).toEqual(everything());
  expect(writeOnnx(readOnnx(bytes, "a.onnx"))).toEqual(bytes);
});

test("the bytes are those of Protocol Buffers", () => {
  const small = model(
    { name: "", nodes: [node("Neg", ["x"], ["y"])], initializers: [floats("x", [1], [1])], outputs: [{ name: "y", type: null }] },
    { producer: { name: "", version: "" } },
  );
  const tensor = [0x08, 1, 0x10, 1, 0x42, 1, 0x78, 0x4a, 4, 0, 0, 0x80, 0x3f];
  const negate = [0x0a, 1, 0x78, 0x12, 1, 0x79, 0x22, 3, 0x4e, 0x65, 0x67];
  const body = [0x0a, negate.length, ...negate, 0x2a, tensor.length, ...tensor, 0x62, 3, 0x0a, 1, 0x79];
  expect([...writeOnnx(small)]).toEqual([0x08, 8, 0x3a, body.length, ...body, 0x42, 2, 0x10, 17]);
});

test("numbers that a field cannot hold are our mistake", () => {
  const attribute = { name: "axis", kind: "int", value: 0.5 } as const;
  expect(() => writeOnnx(model({ nodes: [node("Softmax", ["x"], ["y"], [attribute])], inputs: [value("x")] }))).toThrow();
  expect(() => writeOnnx(model({ initializers: [floats("w", [3], [1])] }))).toThrow("internal error: w float[3] has 4 bytes");
});

test("2 GB are the most", () => {
  const bytes = new Uint8Array(2 ** 28);
  const initializers = Array.from(
    { length: 8 },
    (_, i) => ({ name: `w${i}`, dtype: "uint8", dims: [2 ** 28], data: { kind: "bytes", bytes } }) as const,
  );
  expect(() => writeOnnx(model({ initializers }))).toThrow(
    /^error\[onnx\]: the model takes 21474\d+ bytes, but an ONNX file holds at most 2147483647\n {2}help/,
  );
});
