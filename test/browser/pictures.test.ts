/** Pictures of a page are inputs: on WebGPU they never come to the host. */
import { afterAll, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { artefactOf } from "../../runtime/index.ts";
import { openChromium } from "./chromium.ts";
import type { PicturesTask } from "./pages/pictures.ts";

const chromium = await openChromium();
afterAll(() => chromium?.close());

const [width, height] = [6, 4];
const pixels = Array.from({ length: 4 * width * height }, (_, i) => (i % 4 === 3 ? 255 : (i * 89) % 256));
const task: PicturesTask = { width, height, pixels };
const wanted = [0, 1, 2].flatMap((c) => pixels.filter((_, i) => i % 4 === c).map((v) => v / 255 + 1));
const kinds = ["data", "canvas", "offscreen", "bitmap", "frame"];
const source = (n: number) => `model Next(image: f32[${n}, 3, ${height}, ${width}]) -> out { out = image + 1.0 }`;
const artefact = async (n: number, target: "wgsl" | "wasm", stem: string) => artefactOf(await compile(source(n), { target }), stem);

test.skipIf(!chromium)("every kind of picture, on both targets (skipped without Chromium)", async () => {
  const files: Record<string, string | Uint8Array<ArrayBuffer>> = { "task.json": JSON.stringify(task) };
  for (const target of ["wgsl", "wasm"] as const)
    Object.assign(files, await artefact(1, target, target), await artefact(kinds.length, target, `batch-${target}`));
  const { results } = await chromium!.visit<{ results: Readonly<Record<string, readonly number[]>> }>({ page: "pictures", files });
  const single = kinds.flatMap((k) => [`${k} on wgsl`, `${k} on wasm`]);
  expect(Object.keys(results)).toEqual([...single, "all on wgsl", "all on wasm", "twice"]);
  for (const [name, values] of Object.entries(results)) {
    const expected = name.startsWith("all") ? kinds.flatMap(() => wanted) : name === "twice" ? wanted.map((w) => w + 1) : wanted;
    const far = expected.filter((w, i) => !(Math.abs(values[i]! - w) < 1e-5));
    expect([name, values.length, far]).toEqual([name, expected.length, []]);
  }
});
