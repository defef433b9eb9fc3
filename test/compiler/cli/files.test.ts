import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { expect, test } from "vitest";
import { readCheckpoint, writeCheckpoint } from "../../../compiler/cli/checkpoint-folder.ts";
import { appendLines, readText, writeAtomically } from "../../../compiler/cli/files.ts";
import { folder } from "./harness.ts";

test("a file is replaced as a whole, and nothing else is left", () => {
  const at = folder({ "a.txt": "old" });
  writeAtomically(at("a.txt"), "new, and longer");
  writeAtomically(at("b.bin"), Uint8Array.of(1, 2));
  expect(readdirSync(at("")).sort()).toEqual(["a.txt", "b.bin"]);
  expect(readText(at("a.txt"))).toBe("new, and longer");
});
test("a file that cannot be written stays as it was", () => {
  const at = folder();
  mkdirSync(at("a.txt"));
  writeFileSync(`${at("a.txt")}/inside`, "kept");
  expect(() => writeAtomically(at("a.txt"), "new")).toThrow(`error[file]: cannot write ${at("a.txt")}: `);
  expect(readdirSync(at(""))).toEqual(["a.txt"]);
  expect(readFileSync(`${at("a.txt")}/inside`, "utf8")).toBe("kept");
  expect(() => writeAtomically(at("none/a.txt"), "new")).toThrow("there is no such file or folder");
  expect(() => appendLines(at("none/a.txt"))).toThrow(`error[file]: cannot write ${at("none/a.txt")}: there is no such file or folder`);
});
test("links are followed and stay, permissions too", () => {
  const at = folder({ "real.txt": "old" });
  chmodSync(at("real.txt"), 0o640);
  symlinkSync("real.txt", at("link"));
  symlinkSync(at("new.txt"), at("dangling"));
  symlinkSync("circle", at("circle"));
  writeAtomically(at("link"), "new");
  writeAtomically(at("dangling"), "made");
  expect(lstatSync(at("link")).isSymbolicLink() && lstatSync(at("dangling")).isSymbolicLink()).toBe(true);
  expect([readText(at("real.txt")), readText(at("new.txt"))]).toEqual(["new", "made"]);
  expect(statSync(at("real.txt")).mode & 0o777).toBe(0o640);
  expect(() => writeAtomically(at("circle"), "x")).toThrow(`error[file]: cannot write ${at("circle")}: its links go in circles`);
  expect(readdirSync(at("")).sort()).toEqual(["circle", "dangling", "link", "new.txt", "real.txt"]);
});
test("devices and pipes are written in place", ({ skip }) => {
  if (process.platform !== "linux") return skip("needs /dev/full and mkfifo");
  expect(() => writeAtomically("/dev/full", "x")).toThrow("error[file]: cannot write /dev/full: the disk is full");
  writeAtomically("/dev/null", "x");
  const at = folder();
  execFileSync("mkfifo", [at("pipe")]);
  const reader = openSync(at("pipe"), constants.O_RDONLY | constants.O_NONBLOCK);
  writeAtomically(at("pipe"), "through");
  const bytes = Buffer.alloc(20);
  expect(bytes.toString("utf8", 0, readSync(reader, bytes))).toBe("through");
  closeSync(reader);
  expect(lstatSync(at("pipe")).isFIFO()).toBe(true);
});
test("a full disk is named", ({ skip }) => {
  if (process.platform !== "linux") return skip("needs /dev/full");
  const lines = appendLines("/dev/full");
  expect(() => lines.write("x")).toThrow("error[file]: cannot write /dev/full: the disk is full");
});
test("missing permission is named", ({ skip }) => {
  if (process.getuid?.() === 0) return skip("root may write everywhere");
  const at = folder();
  chmodSync(at(""), 0o500);
  expect(() => writeAtomically(at("a.txt"), "x")).toThrow(`error[file]: cannot write ${at("a.txt")}: no permission`);
});

const counted = { step: 3, steps: 9, seed: -1, batch: 2, examples: 18, shuffle: true, program: "Line" };
const state = { ...counted, trainBlock: "Line", set: {}, dims: { N: 2 }, fields: ["x", "y"], stored: 20 };
test("a checkpoint folder holds one checkpoint, the newest", () => {
  const at = folder();
  writeCheckpoint(at("c"), state, Uint8Array.of(1), []);
  writeCheckpoint(at("c"), { ...state, step: 6 }, Uint8Array.of(2), [{ ending: ".labels.txt", text: "a\n" }]);
  expect(readdirSync(at("c")).sort()).toEqual(["labels.txt", "state.json", "step-6.safetensors"]);
  const { state: back, variables } = readCheckpoint(at("c"));
  expect(back).toMatchObject({ ...state, step: 6 });
  expect([...variables]).toEqual([2]);
});
test.each([
  ["no JSON", "{"],
  ["an earlier version", JSON.stringify({ format: "dlm-checkpoint", version: 1, file: "a.safetensors", ...counted })],
  [
    "no fields",
    JSON.stringify({ format: "dlm-checkpoint", version: 2, file: "a.safetensors", ...counted, set: {}, dims: {}, trainBlock: "" }),
  ],
  ["another format", JSON.stringify({ format: "other", version: 2, file: "a.safetensors", ...state })],
  ["a path outside", JSON.stringify({ format: "dlm-checkpoint", version: 2, file: "../a.safetensors", ...state })],
  ["a missing number", JSON.stringify({ format: "dlm-checkpoint", version: 2, file: "a.safetensors", ...state, step: null })],
])("a state with %s is refused", (_, text) => {
  const at = folder({ "state.json": text });
  expect(() => readCheckpoint(at(""))).toThrow("is not the state of a checkpoint that this version knows");
});
test("a folder without a state is no checkpoint", () => {
  const at = folder();
  expect(() => readCheckpoint(at(""))).toThrow("is not a checkpoint: it has no state.json");
});
