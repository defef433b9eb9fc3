/** What an app downloads before it knows its target: kilobytes, minified and compressed as servers send them. */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const app = 'import { load, programFromArtefact } from "./runtime/index.ts"; globalThis.app = { load, programFromArtefact };';

test("the runtime is under 10 KB; WebGPU, threads and pictures come when they are used", async () => {
  const { metafile, outputFiles } = await build({
    stdin: { contents: app, resolveDir: root, loader: "ts" },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    metafile: true,
    write: false,
    outdir: root,
    absWorkingDir: root,
  });
  const bytes = new Map(outputFiles.map((f) => [f.path, gzipSync(f.contents, { level: 9 }).length]));
  const first = new Set<string>(["stdin.js"]);
  for (const name of first) for (const { path, kind } of metafile.outputs[name]!.imports) if (kind === "import-statement") first.add(path);
  const sources = [...first].flatMap((name) => Object.keys(metafile.outputs[name]!.inputs));
  expect(sources.filter((s) => /webgpu|threads|foreign|several|choose/.test(s))).toEqual([]);
  const sum = [...first].reduce((n, name) => n + bytes.get(join(root, name))!, 0);
  expect(sum).toBeGreaterThan(5_000);
  expect(sum).toBeLessThan(10 * 1024);
});
