/** Damaged files: whatever the damage, a model or a CompileError comes out. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { readOnnx, readTensorFile } from "../../../../compiler/formats/onnx/read.ts";
import { writeOnnx } from "../../../../compiler/formats/onnx/write.ts";
import { CompileError } from "../../../../ir/diagnostic.ts";
import { everything } from "./build.ts";

const valid = writeOnnx(everything());
const runs = { numRuns: 1500 };

function refusesOrNot(read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    expect(error.diagnostics[0]!.code).toBe("onnx");
  }
}
/** A file that can be read can be written, and is then the same model. */
const survives = (bytes: Uint8Array): void =>
  refusesOrNot(() => {
    const model = readOnnx(bytes, "m.onnx");
    expect(readOnnx(writeOnnx(model), "m.onnx")).toEqual(model);
  });

const place = fc.nat(valid.length - 1);
const damage = fc.oneof(
  fc.record({ kind: fc.constant("set" as const), at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }) }),
  fc.record({ kind: fc.constant("insert" as const), at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }) }),
  fc.record({ kind: fc.constant("remove" as const), at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }) }),
  // a number that becomes a long one, as lengths do
  fc.record({ kind: fc.constant("set" as const), at: place, bytes: fc.constant(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07)) }),
);
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;
function damaged(bytes: Uint8Array, all: readonly Damage[]): Uint8Array {
  return all.reduce((file, { kind, at, bytes: part }) => {
    const rest = kind === "insert" ? at : at + part.length;
    return Uint8Array.from([...file.subarray(0, at), ...(kind === "remove" ? [] : part), ...file.subarray(rest)]);
  }, bytes);
}

test("bytes that were changed, put in and taken out", () => {
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (all) => survives(damaged(valid, all))),
    runs,
  );
});
test("every truncation", () => {
  for (let length = 0; length < valid.length; length++) survives(valid.subarray(0, length));
});
test("one bit of every byte", () => {
  const file = valid.slice();
  for (let at = 0; at < file.length; at++) {
    file[at]! ^= 1 << (at % 8);
    survives(file);
    file[at] = valid[at]!;
  }
});
test("bytes of no meaning, as models and tensors", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      survives(bytes);
      refusesOrNot(() => readTensorFile(bytes, "t.pb"));
    }),
    runs,
  );
});
