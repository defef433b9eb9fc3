/** Published numbers of parameters, for models written as their authors would. */
import { expect, test } from "vitest";
import { build, names, parameterCount } from "./elaborating.ts";

test("MobileNetV2 by hand", () => {
  const source = `
    fn divisible(v: float, by = 8) {
      n = max(by, int(v + by / 2) // by * by)
      return if n < 0.9 * v { n + by } else { n }
    }
    layer ConvBN(x: f32[N, C, H, W], out: int, kernel = 3, stride = 1, groups = 1) {
      return x |> 0: Conv2d(out, kernel, stride=stride, padding=(kernel - 1) // 2, groups=groups, bias=false) |> 1: BatchNorm |> relu6
    }
    layer Inverted(x: f32[N, C, H, W], out: int, stride: int, expand: int) {
      k, y = 0, x
      if expand != 1 {
        y = y |> conv.0: ConvBN(C * expand, kernel=1)
        k = 1
      }
      y = y |> conv.{k}: ConvBN(C * expand, stride=stride, groups=C * expand) |> conv.{k + 1}: Conv2d(out, kernel=1, bias=false)
            |> conv.{k + 2}: BatchNorm
      return if stride == 1 && C == out { x + y } else { y }
    }
    const settings = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    model MobileNetV2(image: f32[N, 3, 224, 224], width = 1.0, classes = 1000) -> logits {
      x = image |> features.0: ConvBN(divisible(32 * width), stride=2)
      k = 1
      for expand, c, n, s in settings {
        for j in range(n) {
          x = x |> features.{k}: Inverted(divisible(c * width), if j == 0 { s } else { 1 }, expand)
          k += 1
        }
      }
      x = x |> features.{k}: ConvBN(divisible(1280 * max(1.0, width)), kernel=1)
      logits = x |> global_avg_pool |> flatten |> dropout(0.2) |> classifier.1: Linear(classes)
    }`;
  const module = build(source);
  expect(parameterCount(module)).toBe(3_504_872);
  expect(names(module)).toContain("features.17.conv.1.1.running_mean");
  expect(parameterCount(build(source, { set: { width: "0.5" } }))).toBe(1_968_680);
});

test("a transformer by hand: tied embeddings, GPT-2's number of parameters", () => {
  const source = `
    layer Conv1D(x: f32[..., I], out: int) { param weight: f32[I, out] = normal(0.02); param bias: f32[out] = zeros; return x @ weight + bias }
    layer Attention(x: f32[N, T, D], heads: int) {
      q, k, v = x |> c_attn: Conv1D(3 * D) |> reshape([N, T, 3, heads, D // heads]) |> permute([2, 0, 3, 1, 4]) |> unstack
      return attention(q, k, v, causal=true) |> permute([0, 2, 1, 3]) |> reshape(x.shape) |> c_proj: Conv1D(D)
    }
    layer MLP(x: f32[..., D]) { return x |> c_fc: Conv1D(4 * D) |> gelu |> c_proj: Conv1D(D) }
    layer Block(x, heads: int) {
      x += x |> ln_1: LayerNorm |> attn: Attention(heads)
      x += x |> ln_2: LayerNorm |> mlp: MLP
      return x
    }
    model GPT(ids: i32[N, T = 16], vocab = 50257, context = 1024, width = 768, depth = 12, heads = 12) -> logits {
      use wte = Embedding(vocab, width)
      use wpe = Embedding(context, width)
      x = wte(ids) + wpe(arange(T))
      for i in range(depth) { x = x |> h.{i}: Block(heads) }
      logits = (x |> ln_f: LayerNorm) @ transpose(wte.weight)
    }`;
  const module = build(source);
  expect(parameterCount(module)).toBe(124_439_808);
  expect(module.forward.outputs[0]!.value.type.shape).toEqual([1, 16, 50257]);
});

test("VGG-16 by hand", () => {
  const module = build(`
    model VGG16(image: f32[N, 3, 224, 224], classes = 1000) -> logits {
      x, k = image, 0
      for width, count in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for j in range(count) {
          x = x |> features.{k}: Conv2d(width, kernel=3, padding=1) |> relu
          k += 2
        }
        x = x |> max_pool(2)
        k += 1
      }
      x = x |> flatten |> classifier.0: Linear(4096) |> relu |> dropout |> classifier.3: Linear(4096) |> relu |> dropout
      logits = x |> classifier.6: Linear(classes)
    }`);
  expect(parameterCount(module)).toBe(138_357_544);
  expect(names(module)).toContain("features.28.weight");
});

test("AlexNet by hand: two groups and local response normalisation", () => {
  const module = build(`
    model AlexNet(image: f32[N, 3, 227, 227], classes = 1000) -> logits {
      x = image |> conv1: Conv2d(96, 11, stride=4) |> relu |> lrn(5) |> max_pool(3, stride=2)
      x = x |> conv2: Conv2d(256, 5, padding=2, groups=2) |> relu |> lrn(5) |> max_pool(3, stride=2)
      x = x |> conv3: Conv2d(384, 3, padding=1) |> relu |> conv4: Conv2d(384, 3, padding="same", groups=2) |> relu
      x = x |> conv5: Conv2d(256, 3, padding=(1, 1), groups=2) |> relu |> max_pool(3, stride=2)
      x = x |> flatten |> fc6: Linear(4096) |> relu |> dropout(0.5) |> fc7: Linear(4096) |> relu |> dropout(0.5)
      logits = x |> fc8: Linear(classes)
    }`);
  expect(parameterCount(module)).toBe(60_965_224);
});

test("ResNet-50 by hand", () => {
  const module = build(`
    layer ConvBN(x, out: int, kernel = 1, stride = 1) {
      return x |> conv: Conv2d(out, kernel, stride=stride, padding=kernel // 2, bias=false) |> bn: BatchNorm
    }
    layer Bottleneck(x: f32[N, C, H, W], width: int, stride = 1) {
      y = x |> a: ConvBN(width) |> relu |> b: ConvBN(width, 3, stride) |> relu |> c: ConvBN(4 * width)
      skip = if stride != 1 || C != 4 * width { x |> down: ConvBN(4 * width, stride=stride) } else { x }
      return relu(y + skip)
    }
    model ResNet50(image: f32[N, 3, 224, 224], depths = [3, 4, 6, 3]) -> logits: f32[N, 1000] {
      x = image |> stem: ConvBN(64, 7, 2) |> relu |> max_pool(3, stride=2, padding=1)
      for i, depth in enumerate(depths) {
        for j in range(depth) { x = x |> layer{i + 1}.{j}: Bottleneck(64 * 2 ** i, if j == 0 && i > 0 { 2 } else { 1 }) }
      }
      logits = x |> global_avg_pool |> flatten |> fc: Linear(1000)
    }`);
  expect(parameterCount(module)).toBe(25_557_032);
});

test("DenseNet-121 by hand: lists of tensors", () => {
  const module = build(`
    layer DenseLayer(x, growth: int) {
      return x |> norm1: BatchNorm |> relu |> conv1: Conv2d(4 * growth, kernel=1, bias=false)
               |> norm2: BatchNorm |> relu |> conv2: Conv2d(growth, kernel=3, padding=1, bias=false)
    }
    model DenseNet(image: f32[N, 3, 224, 224], growth = 32, depths = [6, 12, 24, 16]) -> logits {
      x = image |> conv0: Conv2d(2 * growth, kernel=7, stride=2, padding=3, bias=false) |> norm0: BatchNorm |> relu
      x = x |> max_pool(3, stride=2, padding=1)
      for i, depth in enumerate(depths) {
        maps = [x]
        for j in range(depth) { maps += [concat(maps, axis=1) |> block{i}.{j}: DenseLayer(growth)] }
        x = concat(maps, axis=1)
        if i + 1 < len(depths) {
          x = x |> norm{i + 1}: BatchNorm |> relu |> conv{i + 1}: Conv2d(x.shape[1] // 2, kernel=1, bias=false) |> avg_pool(2)
        }
      }
      logits = x |> norm: BatchNorm |> relu |> global_avg_pool |> flatten |> classifier: Linear(1000)
    }`);
  expect(parameterCount(module)).toBe(7_978_856);
});

test("GoogLeNet by hand: branches, ceil pooling, heads in training only", () => {
  const source = `
    layer Unit(x, out: int, kernel = 1, stride = 1) {
      return x |> conv: Conv2d(out, kernel, stride=stride, padding=kernel // 2, bias=false) |> bn: BatchNorm(eps=0.001) |> relu
    }
    layer Inception(x, plan: list) {
      c1, (r3, c3), (r5, c5), pool = plan
      return concat([
        x |> branch1: Unit(c1),
        x |> branch2.0: Unit(r3) |> branch2.1: Unit(c3, 3),
        x |> branch3.0: Unit(r5) |> branch3.1: Unit(c5, 3),
        x |> max_pool(3, stride=1, padding=1, ceil=true) |> branch4: Unit(pool),
      ], axis=1)
    }
    layer Head(x, classes: int) {
      return x |> adaptive_avg_pool(4) |> conv: Unit(128) |> flatten |> fc1: Linear(1024) |> relu |> dropout(0.7) |> fc2: Linear(classes)
    }
    const a = [(64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)]
    const b = [(192, (96, 208), (16, 48), 64), (160, (112, 224), (24, 64), 64), (128, (128, 256), (24, 64), 64),
               (112, (144, 288), (32, 64), 64), (256, (160, 320), (32, 128), 128)]
    const c = [(256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)]
    model GoogLeNet(image: f32[N, 3, 224, 224], classes = 1000) -> logits {
      x = image |> conv1: Unit(64, 7, 2) |> max_pool(3, stride=2, ceil=true) |> conv2: Unit(64) |> conv3: Unit(192, 3)
      for s, stage in enumerate([a, b, c]) {
        x = x |> max_pool(if s < 2 { 3 } else { 2 }, stride=2, ceil=true)
        for j, plan in enumerate(stage) {
          x = x |> stage{s}.{j}: Inception(plan)
          if training && s == 1 && (j == 0 || j == 3) { aux = x |> aux{j}: Head(classes) }
        }
      }
      logits = x |> global_avg_pool |> flatten |> dropout(0.2) |> fc: Linear(classes)
    }
    train GoogLeNet {
      input label: i32[N]
      loss = cross_entropy(logits, label)
      if training { loss += 0.3 * cross_entropy(aux, label) }
      metric top5 = mean(in_top_k(logits, label, 5))
      optimizer = sgd(lr=0.1, momentum=0.9)
    }`;
  const module = build(source);
  expect(parameterCount(module)).toBe(6_624_904);
  expect(module.forward.outputs[0]!.value.type.shape).toEqual([1, 1000]);
  const trained = build(source, { train: true, batch: 2 });
  expect(parameterCount(trained)).toBe(13_004_888);
});
