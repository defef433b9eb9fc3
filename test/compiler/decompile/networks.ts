/** Well-known convolutional networks as sketches, labelled as torchvision and timm label them. */
import { binary, bool, float, int, ints, list, type Sketch, value } from "../../../compiler/decompile/sketch.ts";
import { f32 } from "../../../ir/type.ts";
import { type Pen, type Plan, sketchOf } from "./sketching.ts";

export type Options = Pick<Plan, "unlabelled" | "untyped">;
type Net = (options?: Options) => Sketch;
const image = { image: f32(1, 3, 224, 224) };
const off = bool(false);
const sum = (a: string, b: string) => binary("+", value(a), value(b));
const concat = (p: Pen, xs: readonly string[]) => p.fn("concat", [list(xs.map(value))], { axis: int(1) });
const optional = (v: number, usual: number) => (v === usual ? undefined : int(v));

interface Conv {
  readonly out: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
}
const conv = (p: Pen, x: string, label: string, { out, kernel, stride = 1, padding = 0, groups = 1 }: Conv) =>
  p.layer(label, "Conv2d", [x, int(out)], {
    kernel: int(kernel),
    stride: optional(stride, 1),
    padding: optional(padding, 0),
    groups: optional(groups, 1),
    bias: off,
  });
const normed = (p: Pen, x: string, [c, b]: readonly [string, string], geometry: Conv) => p.layer(b, "BatchNorm", [conv(p, x, c, geometry)]);
const relu = (p: Pen, x: string) => p.fn("relu", [x]);
const head = (p: Pen, x: string, label: string, classes: number) => {
  const pooled = p.fn("flatten", [p.fn("global_avg_pool", [x])]);
  return { logits: p.layer(label, "Linear", [pooled, int(classes)]) };
};

function stem(p: Pen): string {
  const x = relu(p, normed(p, "image", ["conv1", "bn1"], { out: 64, kernel: 7, stride: 2, padding: 3 }));
  return p.fn("max_pool", [x, int(3)], { stride: int(2), padding: int(1) });
}
export const resnet50: Net = (options) =>
  sketchOf({ name: "ResNet50", doc: "Imported from resnet50.onnx.", inputs: image, ...options }, (p) => {
    let x = stem(p);
    [3, 4, 6, 3].forEach((depth, i) => {
      for (let j = 0; j < depth; j++) {
        const at = (name: string) => `layer${i + 1}.${j}.${name}`;
        const width = 64 << i;
        const stride = j === 0 && i > 0 ? 2 : 1;
        let y = relu(p, normed(p, x, [at("conv1"), at("bn1")], { out: width, kernel: 1 }));
        y = relu(p, normed(p, y, [at("conv2"), at("bn2")], { out: width, kernel: 3, stride, padding: 1 }));
        y = normed(p, y, [at("conv3"), at("bn3")], { out: 4 * width, kernel: 1 });
        const skip = j > 0 ? x : normed(p, x, [at("downsample.0"), at("downsample.1")], { out: 4 * width, kernel: 1, stride });
        x = relu(p, p.term(sum(y, skip)));
      }
    });
    return head(p, x, "fc", 1000);
  });

export const resnet18: Net = (options) =>
  sketchOf({ name: "ResNet18", inputs: image, ...options }, (p) => {
    let x = stem(p);
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 2; j++) {
        const at = (name: string) => `layer${i + 1}.${j}.${name}`;
        const out = 64 << i;
        const stride = j === 0 && i > 0 ? 2 : 1;
        let y = relu(p, normed(p, x, [at("conv1"), at("bn1")], { out, kernel: 3, stride, padding: 1 }));
        y = normed(p, y, [at("conv2"), at("bn2")], { out, kernel: 3, padding: 1 });
        const skip = stride === 1 ? x : normed(p, x, [at("downsample.0"), at("downsample.1")], { out, kernel: 1, stride });
        x = relu(p, p.term(sum(y, skip)));
      }
    }
    return head(p, x, "fc", 1000);
  });

export const vgg16: Net = (options) =>
  sketchOf({ name: "VGG16", inputs: image, ...options }, (p) => {
    let x = "image";
    let k = 0;
    for (const out of [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0]) {
      if (out === 0) x = p.fn("max_pool", [x, int(2)]);
      else x = relu(p, p.layer(`features.${k++}`, "Conv2d", [x, int(out)], { kernel: int(3), padding: int(1) }));
      k++;
    }
    x = p.fn("flatten", [x]);
    x = p.fn("dropout", [relu(p, p.layer("classifier.0", "Linear", [x, int(4096)]))]);
    x = p.fn("dropout", [relu(p, p.layer("classifier.3", "Linear", [x, int(4096)]))]);
    return { logits: p.layer("classifier.6", "Linear", [x, int(1000)]) };
  });

export const mobilenet: Net = (options) =>
  sketchOf({ name: "MobileNetV2", inputs: image, ...options }, (p) => {
    const block = (x: string, at: string, geometry: Conv) => p.fn("relu6", [normed(p, x, [`${at}.0`, `${at}.1`], geometry)]);
    let x = block("image", "features.0", { out: 32, kernel: 3, stride: 2, padding: 1 });
    let channels = 32;
    let k = 1;
    const plan = [
      [1, 16, 1, 1],
      [6, 24, 2, 2],
      [6, 32, 3, 2],
      [6, 64, 4, 2],
      [6, 96, 3, 1],
      [6, 160, 3, 2],
      [6, 320, 1, 1],
    ] as const;
    for (const [expand, out, count, first] of plan) {
      for (let j = 0; j < count; j++, k++) {
        const at = `features.${k}.conv`;
        const hidden = channels * expand;
        const stride = j === 0 ? first : 1;
        let y = x;
        let n = 0;
        if (expand > 1) y = block(y, `${at}.${n++}`, { out: hidden, kernel: 1 });
        y = block(y, `${at}.${n++}`, { out: hidden, kernel: 3, stride, padding: 1, groups: hidden });
        y = normed(p, y, [`${at}.${n}`, `${at}.${n + 1}`], { out, kernel: 1 });
        x = stride === 1 && channels === out ? p.term(sum(x, y)) : y;
        channels = out;
      }
    }
    x = block(x, "features.18", { out: 1280, kernel: 1 });
    return head(p, x, "classifier.1", 1000);
  });

export const googlenet: Net = (options) =>
  sketchOf({ name: "GoogLeNet", inputs: image, ...options }, (p) => {
    const block = (x: string, at: string, geometry: Conv) =>
      relu(p, p.layer(`${at}.bn`, "BatchNorm", [conv(p, x, `${at}.conv`, geometry)], { eps: float(0.001) }));
    const pool = (x: string, kernel: number) => p.fn("max_pool", [x, int(kernel)], { stride: int(2), ceil: bool(true) });
    let x = pool(block("image", "conv1", { out: 64, kernel: 7, stride: 2, padding: 3 }), 3);
    x = block(block(x, "conv2", { out: 64, kernel: 1 }), "conv3", { out: 192, kernel: 3, padding: 1 });
    const plan: readonly (readonly [string, number, number, number, number, number, number])[] = [
      ["3a", 64, 96, 128, 16, 32, 32],
      ["3b", 128, 128, 192, 32, 96, 64],
      ["4a", 192, 96, 208, 16, 48, 64],
      ["4b", 160, 112, 224, 24, 64, 64],
      ["4c", 128, 128, 256, 24, 64, 64],
      ["4d", 112, 144, 288, 32, 64, 64],
      ["4e", 256, 160, 320, 32, 128, 128],
      ["5a", 256, 160, 320, 32, 128, 128],
      ["5b", 384, 192, 384, 48, 128, 128],
    ];
    for (const [name, one, three0, three1, five0, five1, pooled] of plan) {
      if (name.endsWith("a")) x = pool(x, name === "5a" ? 2 : 3);
      const at = `inception${name}`;
      const a = block(x, `${at}.branch1`, { out: one, kernel: 1 });
      const b = block(block(x, `${at}.branch2.0`, { out: three0, kernel: 1 }), `${at}.branch2.1`, { out: three1, kernel: 3, padding: 1 });
      const c = block(block(x, `${at}.branch3.0`, { out: five0, kernel: 1 }), `${at}.branch3.1`, { out: five1, kernel: 3, padding: 1 });
      const d = block(p.fn("max_pool", [x, int(3)], { stride: int(1), padding: int(1) }), `${at}.branch4.1`, { out: pooled, kernel: 1 });
      x = concat(p, [a, b, c, d]);
    }
    return head(p, x, "fc", 1000);
  });

export const densenet: Net = (options) =>
  sketchOf({ name: "DenseNet121", inputs: image, ...options }, (p) => {
    const before = (x: string, label: string) => relu(p, p.layer(label, "BatchNorm", [x]));
    let x = conv(p, "image", "features.conv0", { out: 64, kernel: 7, stride: 2, padding: 3 });
    x = p.fn("max_pool", [before(x, "features.norm0"), int(3)], { stride: int(2), padding: int(1) });
    [6, 12, 24, 16].forEach((depth, i) => {
      const maps = [x];
      for (let j = 1; j <= depth; j++) {
        const at = (name: string) => `features.denseblock${i + 1}.denselayer${j}.${name}`;
        const y = conv(p, before(j === 1 ? maps[0]! : concat(p, maps), at("norm1")), at("conv1"), { out: 128, kernel: 1 });
        maps.push(conv(p, before(y, at("norm2")), at("conv2"), { out: 32, kernel: 3, padding: 1 }));
      }
      x = concat(p, maps);
      if (i === 3) return;
      const at = `features.transition${i + 1}`;
      x = conv(p, before(x, `${at}.norm`), `${at}.conv`, { out: p.typeOf(x).shape[1]! / 2, kernel: 1 });
      x = p.fn("avg_pool", [x, int(2)]);
    });
    return head(p, before(x, "features.norm5"), "classifier", 1000);
  });

export const unet: Net = (options) =>
  sketchOf({ name: "UNet", inputs: { image: f32(1, 3, 256, 256) }, ...options }, (p) => {
    const double = (x: string, at: string, out: number) => {
      const y = relu(p, normed(p, x, [`${at}.conv1`, `${at}.bn1`], { out, kernel: 3, padding: 1 }));
      return relu(p, normed(p, y, [`${at}.conv2`, `${at}.bn2`], { out, kernel: 3, padding: 1 }));
    };
    const skips: string[] = [];
    let x = "image";
    [64, 128, 256, 512].forEach((out, i) => {
      skips.push(double(x, `down${i + 1}`, out));
      x = p.fn("max_pool", [skips.at(-1)!, int(2)]);
    });
    x = double(x, "bottom", 1024);
    for (let i = 3; i >= 0; i--) {
      const out = 64 << i;
      const grown = p.layer(`up${i + 1}.grow`, "ConvTranspose2d", [x, int(out)], { kernel: int(2), stride: int(2) });
      x = double(concat(p, [skips[i]!, grown]), `up${i + 1}.double`, out);
    }
    return { logits: p.layer("head", "Conv2d", [x, int(2)], { kernel: int(1) }) };
  });

/** Squeeze and excitation, kernels of several sizes. */
export const efficientnet: Net = (options) =>
  sketchOf({ name: "EfficientNet", inputs: { image: f32(1, 3, 64, 64) }, ...options }, (p) => {
    const silu = (x: string) => p.fn("silu", [x]);
    let x = silu(normed(p, "image", ["conv_stem", "bn1"], { out: 32, kernel: 3, stride: 2, padding: 1 }));
    let channels = 32;
    const plan = [
      [1, 16, 1, 1, 3],
      [6, 24, 2, 2, 3],
      [6, 40, 2, 2, 5],
      [6, 80, 3, 2, 3],
      [6, 112, 3, 1, 5],
      [6, 192, 4, 2, 5],
      [6, 320, 1, 1, 3],
    ] as const;
    plan.forEach(([expand, out, count, first, kernel], i) => {
      for (let j = 0; j < count; j++) {
        const at = (name: string) => `blocks.${i}.${j}.${name}`;
        const hidden = channels * expand;
        const stride = j === 0 ? first : 1;
        const [narrow, ...norms] = expand > 1 ? (["conv_pwl", "bn2", "bn3"] as const) : (["conv_pw", "bn1", "bn2"] as const);
        let y = expand > 1 ? silu(normed(p, x, [at("conv_pw"), at("bn1")], { out: hidden, kernel: 1 })) : x;
        y = silu(normed(p, y, [at("conv_dw"), at(norms[0])], { out: hidden, kernel, stride, padding: kernel >> 1, groups: hidden }));
        const pooled = p.fn("mean", [y, ints([2, 3])], { keepdims: bool(true) });
        const squeezed = silu(p.layer(at("se.conv_reduce"), "Conv2d", [pooled, int(channels / 4)], { kernel: int(1) }));
        const gate = p.fn("sigmoid", [p.layer(at("se.conv_expand"), "Conv2d", [squeezed, int(hidden)], { kernel: int(1) })]);
        y = normed(p, p.term(binary("*", value(y), value(gate))), [at(narrow), at(norms[1])], { out, kernel: 1 });
        x = stride === 1 && channels === out ? p.term(sum(y, x)) : y;
        channels = out;
      }
    });
    return head(p, silu(normed(p, x, ["conv_head", "bn2"], { out: 1280, kernel: 1 })), "classifier", 1000);
  });

/** Channels last inside of blocks; a parameter that no layer owns. */
export const convnext: Net = (options) =>
  sketchOf({ name: "ConvNeXt", inputs: { image: f32(1, 3, 64, 64) }, ...options }, (p) => {
    const permuted = (x: string, ...axes: number[]) => p.fn("permute", [x, ints(axes)]);
    const layerNorm = (x: string, label: string) => p.layer(label, "LayerNorm", [x], { eps: float(1e-6) });
    const channelNorm = (x: string, label: string) => permuted(layerNorm(permuted(x, 0, 2, 3, 1), label), 0, 3, 1, 2);
    const patches = (x: string, label: string, out: number, k: number) =>
      p.layer(label, "Conv2d", [x, int(out)], { kernel: int(k), stride: int(k) });
    let x = channelNorm(patches("image", "stem.0", 96, 4), "stem.1");
    [3, 3, 9, 3].forEach((depth, i) => {
      const channels = 96 << i;
      if (i > 0) x = patches(channelNorm(x, `stages.${i}.downsample.0`), `stages.${i}.downsample.1`, channels, 2);
      for (let j = 0; j < depth; j++) {
        const at = (name: string) => `stages.${i}.blocks.${j}.${name}`;
        const around = { kernel: int(7), padding: int(3), groups: int(channels) };
        let y = layerNorm(permuted(p.layer(at("conv_dw"), "Conv2d", [x, int(channels)], around), 0, 2, 3, 1), at("norm"));
        y = p.fn("gelu", [p.layer(at("mlp.fc1"), "Linear", [y, int(4 * channels)])]);
        y = p.term(binary("*", value(p.layer(at("mlp.fc2"), "Linear", [y, int(channels)])), value(p.variable(at("gamma"), f32(channels)))));
        x = p.term(sum(permuted(y, 0, 3, 1, 2), x));
      }
    });
    return head(p, x, "head.fc", 1000);
  });
