/** Convolutions through products of matrices on a GPU give what direct ones give, but for rounding; so do their gradients by images. */
import { expect, test } from "vitest";
import { type CompileOptions, compile } from "../../../compiler/compile.ts";
import { keyOf } from "../../../ir/choice.ts";
import { load, type Program } from "../../../runtime/index.ts";
import { adapter } from "../../gpu.ts";
import { rms } from "../../ir/ops/agree.ts";
import { noise } from "../lower/run.ts";
import { furthest } from "../schedule/comparing.ts";

const gpu = await adapter();

const net = `model Net(x: f32[2, 64, 6, 5]) -> y, dx {
  h = x |> first: Conv2d(64, kernel=3, padding=1) |> relu
  y = (x |> second: Conv2d(64, kernel=3, padding=1)) + h |> relu
  dx = grad(sum(h), x)
}
`;
const x = Float32Array.from(noise(2 * 64 * 6 * 5, 1));

async function resultsOf(program: Program) {
  const session = await load(program, { seed: 3, ...(gpu && program.target === "wgsl" ? { gpu, device: "webgpu" } : {}) });
  const outputs = await session.run({ x });
  await session.dispose();
  return outputs;
}
/** With this answer wherever it is an option. */
async function compileWith(option: string, options: CompileOptions): Promise<Program> {
  const tuning: Record<string, string> = {};
  await compile(net, {
    ...options,
    onQuestion: (q) => {
      if (q.options.includes(option)) tuning[keyOf(q)] = option;
    },
  });
  return compile(net, { ...options, tuning });
}
const shadersOf = ({ code }: Program): string => (code.kind === "wgsl" ? code.shaders.map((s) => s.name).join(" ") : "");

test.each(["products of 4x4", "products of 2x2"])("%s", async (option) => {
  const options = { target: "wgsl" } as const;
  const tiled = await compileWith(option, options);
  expect(shadersOf(tiled)).toMatch(/winograd_tiles.*winograd_image_add_add_relu/);
  expect(shadersOf(await compile(net, { ...options, exact: true }))).not.toMatch(/winograd/);
  if (!gpu) return;
  const want = await resultsOf(await compile(net, { exact: true }));
  const got = await resultsOf(tiled);
  expect(Object.keys(got)).toEqual(["y", "dx"]);
  for (const [name, values] of Object.entries(want)) expect(furthest(got[name]!, values) / rms(values), name).toBeLessThan(1e-4);
});
