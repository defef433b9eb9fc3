/** Well-known networks: the text as a person reads it, and that it is the same network. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { build, parameterCount } from "../frontend/elaborating.ts";
import { checked } from "./checking.ts";
import * as networks from "./networks.ts";
import * as transformers from "./transformers.ts";

const goldens = join(import.meta.dirname, "goldens");

for (const [name, network] of Object.entries({ ...networks, ...transformers })) {
  test(`${name} with its labels`, async () => {
    const { text } = checked(network());
    await expect(text).toMatchFileSnapshot(join(goldens, `${name}.dlm`));
  });
  test(`${name} without labels`, async () => {
    const { text } = checked(network({ unlabelled: true }));
    await expect(text).toMatchFileSnapshot(join(goldens, `${name}-unlabelled.dlm`));
  });
}

test("labels that fit are kept, all of them", () => {
  for (const network of Object.values({ ...networks, ...transformers })) {
    const sketch = network();
    const wanted = sketch.steps.flatMap(({ term, weights }) =>
      [...weights.keys()].map((path) => `${term.kind === "call" ? term.label : ""}.${path}`),
    );
    const free = sketch.variables.map((v) => v.label);
    expect([...checked(sketch).weights.keys()].sort()).toEqual([...wanted, ...free].sort());
  }
});

test("ResNet-50 without labels has as many parameters as with them, in few lines", () => {
  const { text } = checked(networks.resnet50({ unlabelled: true }));
  expect(parameterCount(build(text))).toBe(25_557_032);
  expect(text.split("\n").length).toBeLessThan(40);
});

test("without types of values, layers say in parameters what they would say in extents", () => {
  expect(checked(networks.resnet50({ untyped: true })).text).toContain("layer Bottleneck(x, channels: int) {");
});
