/** Whole models, at their published sizes: parameters, multiply-adds. */
import { describe, expect, test } from "vitest";
import { elaborate } from "../../compiler/frontend/elaborate.ts";
import type { Module } from "../../compiler/frontend/module.ts";
import { zooFiles } from "../../compiler/prelude/text.ts";
import { type Node, topological } from "../../ir/graph/graph.ts";
import { sizeOf } from "../../ir/type.ts";
import { compileZoo } from "./support.ts";

interface Published {
  readonly name: string;
  readonly parameters: number;
  /** Of convolutions and matrix products, for one picture: to three or four digits; null: not published. */
  readonly multiplyAdds: number | null;
}
/** torchvision's documentation of its weights, the papers, and arithmetic on their tables for the first and the last three. */
const published: Readonly<Record<string, Published>> = {
  AlexNet: { name: "alexnet", parameters: 60_965_224, multiplyAdds: 724_406_816 },
  AlexNetOneTower: { name: "alexnet", parameters: 61_100_840, multiplyAdds: 0.714e9 },
  VGG11: { name: "vgg", parameters: 132_863_336, multiplyAdds: 7.609e9 },
  VGG16: { name: "vgg", parameters: 138_357_544, multiplyAdds: 15.47e9 },
  VGG19: { name: "vgg", parameters: 143_667_240, multiplyAdds: 19.632e9 },
  GoogLeNet: { name: "googlenet", parameters: 6_624_904, multiplyAdds: 1.498e9 },
  ResNet18: { name: "resnet", parameters: 11_689_512, multiplyAdds: 1.814e9 },
  ResNet34: { name: "resnet", parameters: 21_797_672, multiplyAdds: 3.664e9 },
  ResNet50: { name: "resnet", parameters: 25_557_032, multiplyAdds: 4.089e9 },
  MobileNetV1: { name: "mobilenet", parameters: 4_231_976, multiplyAdds: 0.569e9 },
  MobileNetV2: { name: "mobilenet", parameters: 3_504_872, multiplyAdds: 0.301e9 },
  DenseNet121: { name: "densenet", parameters: 7_978_856, multiplyAdds: 2.834e9 },
  UNet: { name: "unet", parameters: 31_037_698, multiplyAdds: null },
  GPT: { name: "gpt", parameters: 124_439_808, multiplyAdds: null },
  ResNet20: { name: "resnet", parameters: 269_722, multiplyAdds: 40_551_808 },
  LeNet5: { name: "lenet", parameters: 61_706, multiplyAdds: 416_520 },
  Logistic: { name: "mlp", parameters: 7_850, multiplyAdds: 7_840 },
};

function build(name: string, model: string, train = false): Module {
  const open = { trainBlock: null, dims: {}, batch: train ? 2 : null, set: {}, train };
  return elaborate({ path: `std/${name}.dlm`, text: zooFiles[`${name}.dlm`]!, resolve: () => null, model, ...open });
}
const parameters = (module: Module): number =>
  module.variables.filter((v) => v.kind === "param" && v.saved).reduce((n, v) => n + sizeOf(v.type.shape), 0);
const flops = (v: Node): number => {
  const types = v.inputs.map((x) => x.type);
  return v.op.flops(types, v.attrs, v.type);
};
const contractions = (module: Module): number =>
  topological(module.forward).reduce((n, v) => n + (["conv2d", "matmul"].includes(v.op.schema.name) ? flops(v) / 2 : 0), 0);

describe("parameters and multiply-adds", () => {
  for (const [model, { name, ...want }] of Object.entries(published)) {
    test(model, () => {
      const module = build(name, model);
      expect(parameters(module)).toBe(want.parameters);
      if (want.multiplyAdds !== null) expect(Math.abs(contractions(module) / want.multiplyAdds - 1)).toBeLessThan(1e-3);
    });
  }
});

test("the auxiliary heads of GoogLeNet are parameters of training", () => {
  expect(parameters(build("googlenet", "GoogLeNet", true))).toBe(13_004_888);
});

/** Additions of biases, activations and pools count as well: a few percent. */
test.each(["AlexNet", "ResNet18", "MobileNetV2"])("a program's statistics: %s", async (model) => {
  const { name, parameters, multiplyAdds } = published[model]!;
  const { stats } = await compileZoo({ name, model, target: "reference" });
  expect(stats.parameters).toBe(parameters);
  expect(stats.flops / 2).toBeGreaterThan(multiplyAdds! * 0.999);
  expect(stats.flops / 2).toBeLessThan(multiplyAdds! * 1.05);
});
