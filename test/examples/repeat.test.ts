/** Training repeats: the same seed gives the same bytes, on any number of threads; another seed gives others. */
import { beforeAll, describe, expect, test } from "vitest";
import type { LoadOptions, Program } from "../../runtime/index.ts";
import { batch } from "./formula.ts";
import type { Example } from "./golden.ts";
import { compileExample, withNet } from "./support.ts";

const size = 4;
const steps = 5;
/** With dropout, where the masks come from the seed as well; and with running statistics. */
const cases: readonly { readonly example: Example; readonly set: Readonly<Record<string, string>> }[] = [
  { example: "lenet", set: { channels: "[6, 16]", hidden: "20" } },
  { example: "tiny-resnet", set: { widths: "[8, 12]", depth: "1" } },
];

/** The saved weights and the checkpoint after a few steps from the seed's initial weights, as text. */
const train = (program: Program, options: LoadOptions): Promise<{ readonly weights: string; readonly checkpoint: string }> =>
  withNet(program, options, async (net) => {
    for (let k = 0; k < steps; k++) await net.step(batch(k, size));
    return { weights: hex(await net.save()), checkpoint: hex(await net.checkpoint()) };
  });
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

for (const { example, set } of cases) {
  describe(example, () => {
    let program: Program;
    let once: Awaited<ReturnType<typeof train>>;
    beforeAll(async () => {
      program = await compileExample(example, { set, dims: { N: size } });
      once = await train(program, { seed: 7 });
    });
    // `toBe` on long strings prints them: compare first.
    test("the same seed gives the same bytes", async () => {
      const again = await train(program, { seed: 7 });
      expect(again.weights === once.weights).toBe(true);
      expect(again.checkpoint === once.checkpoint).toBe(true);
    });
    test("two compilations give the same bytes", async () => {
      const other = await compileExample(example, { set, dims: { N: size } });
      expect((await train(other, { seed: 7 })).weights === once.weights).toBe(true);
    });
    test("threads change nothing", async () => {
      const two = await train(program, { seed: 7, threads: 2 });
      expect(two.weights === once.weights).toBe(true);
      expect(two.checkpoint === once.checkpoint).toBe(true);
    });
    test("another seed gives other weights", async () => {
      expect((await train(program, { seed: 8 })).weights === once.weights).toBe(false);
    });
    test("a resumed run ends with the same bytes", async () => {
      const half = await withNet(program, { seed: 7 }, async (net) => {
        for (let k = 0; k < 2; k++) await net.step(batch(k, size));
        return net.checkpoint();
      });
      const rest = await withNet(program, { checkpoint: half, threads: 2 }, async (net) => {
        for (let k = 2; k < steps; k++) await net.step(batch(k, size));
        return hex(await net.save());
      });
      expect(rest === once.weights).toBe(true);
    });
  });
}
