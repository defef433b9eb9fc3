/** Gradients by the kernels are decided by asking too, so that a tuning of a training step reaches them. */
import { expect, test } from "vitest";
import { compileStages } from "../../../compiler/compile.ts";
import { keyOf, type Question } from "../../../ir/choice.ts";

const net = (channels: number, convolution: string, size: number): string => `model Net(x: f32[N, ${channels}, ${size}, ${size}]) -> y {
  y = x |> a: ${convolution}
}
train Net {
  loss = mean(y ** 2)
  optimizer = sgd(lr=0.1)
}
`;
async function compiled(text: string, tuning: Readonly<Record<string, string>>) {
  const questions: Question[] = [];
  const stages = await compileStages(text, { train: true, batch: 32, tuning, onQuestion: (q) => questions.push(q) });
  return { questions, kernels: stages.plan.kernels.map((k) => k.name).join(" ") };
}

test.each([
  ["winograd of a gradient by kernels", net(32, "Conv2d(32, kernel=3, padding=1)", 8), "direct", "winograd_conv2d_weight_grad"],
  ["parts of a gradient", net(1, "Conv2d(6, kernel=5, padding=2)", 28), "all at once", "conv2d_weight_grad_parts"],
])("%s", async (kind, text, other, kernel) => {
  const { questions, kernels } = await compiled(text, {});
  expect(kernels).toContain(kernel);
  const question = questions.find((q) => q.kind === kind)!;
  expect(question.about).toContain("conv2d_weight_grad(");
  expect(question.options[0]).not.toBe(other);
  expect(question.options).toContain(other);
  expect((await compiled(text, { [keyOf(question)]: other })).kernels).not.toContain(kernel);
});
