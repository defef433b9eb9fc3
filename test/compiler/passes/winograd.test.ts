/** Transformed convolutions give what direct ones give, but for rounding: prediction, and a step through all gradients. */
import { expect, test } from "vitest";
import { compile } from "../../../compiler/compile.ts";
import { load } from "../../../runtime/index.ts";
import { rms } from "../../ir/ops/agree.ts";
import { noise } from "../lower/run.ts";
import { furthest } from "../schedule/comparing.ts";

const net = (convolution: string): string => `model Net(x: f32[2, 32, 11, 13]) -> y {
  h = x |> first: Conv2d(32, kernel=3, padding=1) |> relu
  y = h |> second: ${convolution} |> tanh |> third: Conv2d(16, kernel=3)
}
train Net {
  input t: f32[2, 16, 9, 11]
  loss = sum((y - t) ** 2)
  optimizer = sgd(lr=0.1)
}
`;
const x = Float32Array.from(noise(2 * 32 * 11 * 13, 1));
const t = Float32Array.from(noise(2 * 16 * 9 * 11, 2));

/** The prediction, and all parameters after a step. */
async function resultsOf(source: string, exact: boolean): Promise<Readonly<Record<string, ArrayLike<number>>>> {
  const program = await compile(source, { train: true, exact });
  const trainer = await load(program, { seed: 3 });
  const { y } = await trainer.run({ x });
  await trainer.step({ x, t });
  const parameters = await trainer.parameters();
  await trainer.dispose();
  return { y: y!, ...Object.fromEntries(parameters.map((p) => [p.name, p.values])) };
}

test.each([["Conv2d(32, kernel=3, padding=1)"], ["Conv2d(32, kernel=5, padding=2)"], ["Conv2d(32, kernel=3, padding=1, groups=2)"]])(
  "through %s",
  async (convolution) => {
    const [exact, tiled] = [await resultsOf(net(convolution), true), await resultsOf(net(convolution), false)];
    expect(Object.keys(exact)).toHaveLength(7);
    for (const [name, want] of Object.entries(exact)) {
      expect(furthest(tiled[name]!, want) / rms(want), name).toBeLessThan(1e-4);
      // Other roundings: it was not the same program.
      if (name === "y") expect(furthest(tiled[name]!, want)).toBeGreaterThan(0);
    }
  },
);
