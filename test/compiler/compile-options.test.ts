/** What callers without types may hand to `compile`. */
import { expect, test } from "vitest";
import { type CompileOptions, compile } from "../../compiler/compile.ts";
import { CompileError } from "../../ir/diagnostic.ts";

const source = "model M(x: f32[N, 2]) -> y {\n  y = relu(x)\n}\n";
async function mistake(options: unknown, text: unknown = source): Promise<string> {
  const error = await compile(text as string, options as CompileOptions).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(CompileError);
  return (error as CompileError).message;
}

test.each([
  [{ target: "cuda" }, 'error[flag]: `target` is "cuda", expected "wasm", "wgsl", "reference"'],
  [{ targets: "wasm" }, "error[flag]: there is no option `targets`\n  help: did you mean `target`?"],
  [{ Batch: 1 }, "error[flag]: there is no option `Batch`\n  help: did you mean `batch`?"],
  [{ batch: 0 }, "error[flag]: `batch` is 0, expected a positive whole number"],
  [{ dims: { N: 1.5 } }, "error[flag]: `dims.N` is 1.5, expected a positive whole number"],
  [{ dims: 3 }, "error[flag]: `dims` is 3, expected an object of positive whole numbers, or a list"],
  [{ dims: { M: 2 } }, "error[flag]: dimension M=2: the program has no open dimension of this name\n  help: there are N"],
  [{ set: { a: 1 } }, "error[flag]: `set` is an object, expected an object of strings"],
  [{ train: "yes" }, 'error[flag]: `train` is "yes", expected true or false'],
  [{ resolve: "lib" }, 'error[flag]: `resolve` is "lib", expected a function'],
  [null, "error[flag]: the options are null, expected an object"],
])("options %o", async (options, message) => {
  expect(await mistake(options)).toContain(message);
});
test("a limit that leaves too few workgroups is the caller's mistake", async () => {
  const limited = (most: number) => ({ target: "wgsl", batch: 4096, limits: { maxComputeWorkgroupsPerDimension: most } });
  const message = await mistake(limited(2));
  expect(message).toMatch(
    /error\[limit\]: forward needs (\d+) workgroups of a dimension \(kernel \w+\); maxComputeWorkgroupsPerDimension is 2, as given in `limits`\n(.*\n)*.*take a maxComputeWorkgroupsPerDimension of \1 or more, or `limits` "default" \(--limits default\), or the target wasm/,
  );
  const needed = Number(/needs (\d+)/.exec(message)![1]);
  expect(needed).toBeGreaterThan(2);
  expect((await compile(source, limited(needed) as CompileOptions)).target).toBe("wgsl");
  expect(await mistake(limited(needed - 1))).toContain(`needs ${needed} workgroups`);
});
test("who sets a limit is told", async () => {
  const crumbs = await mistake({ target: "wgsl", dims: { N: 40_000 }, limits: { maxBufferSize: 1024 } });
  expect(crumbs).toContain(
    "f32[40000,2] of 320000 bytes, is in 313 parts, of which a tensor has at most 256; maxBufferSize is 1024, as given in `limits`",
  );
  expect(crumbs).toContain('take a maxBufferSize of 2048 or more, or `limits` "default" (--limits default), or the target wasm');
  const table = "model M(ids: i32[8]) -> y {\n  use table = Embedding(2 ** 26, 16)\n  y = table(ids)\n}\n";
  const large = (limits?: string) => mistake({ target: "wgsl", limits }, table);
  expect(await large()).toContain("maxStorageBuffersPerShaderStage is 8, what every WebGPU device offers");
  expect(await large("compat")).toContain('maxStorageBuffersPerShaderStage is 8, what `limits` "compat" keeps to');
  expect(await large()).toContain('help: take `limits` "desktop" (--limits desktop), or the target wasm, which has no such limits');
});
test.each([
  [{ maxBindGroups: 4 }, "`limits` has maxBindGroups, which no program needs; known are maxStorageBuffersPerShaderStage, "],
  [{ maxBufferSize: 100 }, "`limits.maxBufferSize` is 100, expected a whole number of at least 256"],
  [{ maxComputeWorkgroupSizeX: "1" }, '`limits.maxComputeWorkgroupSizeX` is "1", expected a whole number of at least 1'],
  ["phone", '`limits` is "phone", expected "default", "compat", "desktop", or an object of limits of WebGPU'],
])("limits %o", async (limits, message) => {
  expect(await mistake({ target: "wgsl", limits })).toContain(message);
});
test("every mistake is listed", async () => {
  expect((await mistake({ target: 1, zzz: 2 })).match(/error\[flag\]/g)).toHaveLength(2);
});
test.each([
  [undefined, "undefined"],
  [new Uint8Array(2), "an object of type Uint8Array"],
])("the source %o", async (text, shown) => {
  expect(await mistake({}, text === undefined ? 0 : text)).toContain(
    `the source is ${text === undefined ? "0" : shown}, expected the text`,
  );
});
test("resolve gives text or null, at once", async () => {
  const importing = `import { f } from "./lib.dlm"\n${source}`;
  expect(await mistake({ resolve: async () => "fn f(x) = x" }, importing)).toMatch(
    /`resolve` gave a promise for .*lib\.dlm, expected its text, or null/,
  );
  expect(await mistake({ resolve: () => undefined }, importing)).toMatch(/`resolve` gave undefined for .*lib\.dlm/);
});
test("options that are undefined are not given", async () => {
  const options = { target: "reference", model: undefined, batch: undefined } as unknown as CompileOptions;
  expect((await compile(source, options)).target).toBe("reference");
});
