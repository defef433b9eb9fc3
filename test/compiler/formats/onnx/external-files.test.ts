import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { externalFiles } from "../../../../compiler/formats/onnx/external-files.ts";

const root = mkdtempSync(join(tmpdir(), "onnx-"));
const folder = join(root, "model");
mkdirSync(join(folder, "sub"), { recursive: true });
writeFileSync(join(folder, "sub", "w.bin"), Uint8Array.of(1, 2, 3, 4, 5));
writeFileSync(join(root, "secret"), "secret");
symlinkSync("sub/w.bin", join(folder, "inside"));
symlinkSync("../secret", join(folder, "outside"));
symlinkSync(root, join(folder, "up"));
afterAll(() => rmSync(root, { recursive: true }));

const read = externalFiles(folder);

test("a part of a file, also through a link that stays in the folder", () => {
  expect(read("sub/w.bin", 1, 3)).toEqual(Uint8Array.of(2, 3, 4));
  expect(read("inside", 0, 1)).toEqual(Uint8Array.of(1));
});
test("no more than is there", () => {
  expect(read("sub/w.bin", 3, 2 ** 50)).toEqual(Uint8Array.of(4, 5));
  expect(read("sub/w.bin", 9, 1)).toEqual(new Uint8Array());
});
test.each(["outside", "up/secret", "../secret"])("%s leads out of the folder", (location) => {
  expect(() => read(location, 0, 6)).toThrow(
    `error[onnx]: "${location}", which holds weights of the model, is a link that leads out of the model's folder`,
  );
});
test("what is no file is refused", () => {
  expect(() => read("none", 0, 1)).toThrow('error[onnx]: cannot read "none", which holds weights of the model: there is no such file');
  expect(() => read("sub", 0, 1)).toThrow('error[onnx]: "sub", which holds weights of the model, is not a file');
});
