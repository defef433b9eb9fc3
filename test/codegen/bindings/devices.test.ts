/** A binding of programs for several devices: `load` gets all of them, or the one that is asked for. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { emitBindings } from "../../../codegen/bindings/emit.ts";
import { compile } from "../../../compiler/compile.ts";
import { dlm, folder } from "../../compiler/cli/harness.ts";

const root = resolve(import.meta.dirname, "../../..");
const source = "model Double(x: f32[4]) -> y { y = 2.0 * x }\n";

test("both programs are read, and one is chosen; with `device` only that one is read", async () => {
  const at = folder({ "net.dlm": source, "package.json": '{"type":"module"}' });
  expect((await dlm(["compile", at("net.dlm"), "-o", at("."), "--target", "wasm,wgsl"])).code).toBe(0);
  const programs = await Promise.all((["wasm", "wgsl"] as const).map((target) => compile(source, { target })));
  const { js } = await emitBindings([programs[0]!, programs[1]!], { runtime: join(root, "runtime/index.ts") });
  writeFileSync(at("net.js"), js);
  // without the shaders a program for WebGPU cannot be read
  const run = `import { Double } from "./net.js";
import { renameSync } from "node:fs";
const kinds = [(await Double.program("wasm")).code.kind, (await Double.program("webgpu")).code.kind];
const unknown = await Double.program("cuda").catch((e) => [e.code, e.message]);
const net = await Double.load();
const { y } = await net.run({ x: [1, 2, 3, 4] });
const refusal = await Double.load({ device: "webgpu" }).catch((e) => e.code);
renameSync("net.wgsl.json", "gone.json");
const again = await import("./net.js?again");
const alone = await again.Double.load({ device: "wasm" });
const missing = await again.Double.load().catch((e) => e.code);
renameSync("gone.json", "net.wgsl.json");
const found = await again.Double.load();
console.log(JSON.stringify([[...y], net.device, net.notes.length, refusal, alone.device, alone.notes, missing, found.device, kinds, unknown]));
`;
  writeFileSync(at("run.mjs"), run);
  const out = execFileSync(join(root, "node_modules/.bin/tsx"), ["run.mjs"], { encoding: "utf8", cwd: at(".") });
  expect(JSON.parse(out)).toEqual([
    [2, 4, 6, 8],
    "wasm",
    1,
    "unsupported",
    "wasm",
    [],
    "ENOENT",
    "wasm",
    ["wasm", "wgsl"],
    ["option", 'there is no program for the device "cuda": there are "wasm" and "webgpu"'],
  ]);
});
