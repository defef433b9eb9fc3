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
const source = `model Next(image: f32[1, 3, ${height}, ${width}]) -> out { out = image + 1.0 }`;

test.skipIf(!chromium)("every kind of picture, on both targets (skipped without Chromium)", async () => {
  const programs = await Promise.all(
    (["wgsl", "wasm"] as const).map(async (target) => artefactOf(await compile(source, { target }), target)),
  );
  const files = { "task.json": JSON.stringify(task), ...programs[0], ...programs[1] };
  const { results } = await chromium!.visit<{ results: Readonly<Record<string, readonly number[]>> }>({ page: "pictures", files });
  const kinds = ["data", "canvas", "offscreen", "bitmap", "frame"];
  expect(Object.keys(results)).toEqual([...kinds.flatMap((k) => [`${k} on wgsl`, `${k} on wasm`]), "twice"]);
  for (const [name, values] of Object.entries(results)) {
    const far = wanted.filter((w, i) => !(Math.abs(values[i]! - (name === "twice" ? w + 1 : w)) < 1e-5));
    expect([name, values.length, far]).toEqual([name, wanted.length, []]);
  }
});
