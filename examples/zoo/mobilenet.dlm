## MobileNets: convolutions taken apart into one that looks around within each channel (depthwise, groups = channels) and one
## that mixes channels (1x1): eight to nine times fewer multiplications than 3x3 convolutions of the same width.
##
## `MobileNetV1` (Howard et al. 2017) has names of its own: `conv{k}.depthwise`, `conv{k}.pointwise`. `MobileNetV2` (Sandler
## et al. 2018) has torchvision's, whose weights load as they are; `divisible` is the rounding of the authors' code.

## Convolution without bias, batch normalisation, activation.
layer ConvBN(x: f32[N, C, H, W], out: int, kernel = 3, stride = 1, groups = 1, act = relu6) {
  return x |> 0: Conv2d(out, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=false)
           |> 1: BatchNorm |> act
}

layer Separable(x: f32[N, C, H, W], out: int, stride = 1) {
  return x |> depthwise: ConvBN(C, stride=stride, groups=C, act=relu)
           |> pointwise: ConvBN(out, kernel=1, act=relu)
}

## Channels and strides of the blocks of MobileNetV1.
const plan = [
  (64, 1),
  (128, 2),
  (128, 1),
  (256, 2),
  (256, 1),
  (512, 2),
  (512, 1),
  (512, 1),
  (512, 1),
  (512, 1),
  (512, 1),
  (1024, 2),
  (1024, 1),
]

## Thirteen separable convolutions, depthwise then 1x1; `width` is the paper's multiplier alpha.
model MobileNetV1(image: f32[N, 3, H = 224, W = 224], width = 1.0, blocks = plan, classes = 1000) -> logits {
  x = image |> conv0: ConvBN(int(32 * width), stride=2, act=relu)
  for k, (channels, stride) in enumerate(blocks) {
    x = x |> conv{k + 1}: Separable(int(channels * width), stride)
  }
  logits = x |> global_avg_pool |> flatten |> fc: Linear(classes)
}

## The multiple of `by` nearest to v, but at most a tenth below it.
fn divisible(v: float, by = 8) {
  n = max(by, int(v + by / 2) // by * by)
  return if n < 0.9 * v { n + by } else { n }
}

## Widens, looks around, narrows again without activation, and adds its input where the shapes agree.
layer InvertedResidual(x: f32[N, C, H, W], out: int, stride: int, expand: int) {
  k = 0
  y = x
  if expand > 1 {
    y = y |> conv.0: ConvBN(C * expand, kernel=1)
    k = 1
  }
  y = y |> conv.{k}: ConvBN(C * expand, stride=stride, groups=C * expand)
        |> conv.{k + 1}: Conv2d(out, kernel=1, bias=false) |> conv.{k + 2}: BatchNorm
  return if stride == 1 && C == out { x + y } else { y }
}

## Expansion, channels, repetitions, stride of the first: the paper's table 2.
const inverted = [
  (1, 16, 1, 1),
  (6, 24, 2, 2),
  (6, 32, 3, 2),
  (6, 64, 4, 2),
  (6, 96, 3, 1),
  (6, 160, 3, 2),
  (6, 320, 1, 1),
]

## Inverted residuals: blocks that widen, look around and narrow again; `width` as in the first.
model MobileNetV2(
  image: f32[N, 3, H = 224, W = 224],
  width = 1.0,
  blocks = inverted,
  last = 1280,
  drop = 0.2,
  classes = 1000,
) -> logits {
  x = image |> features.0: ConvBN(divisible(32 * width), stride=2)
  k = 1
  for expand, channels, count, stride in blocks {
    for j in range(count) {
      x = x
        |> features.{k}: InvertedResidual(
          divisible(channels * width),
          if j == 0 { stride } else { 1 },
          expand,
        )
      k += 1
    }
  }
  x = x |> features.{k}: ConvBN(divisible(last * max(1.0, width)), kernel=1)
  logits = x |> global_avg_pool |> flatten |> dropout(drop) |> classifier.1: Linear(classes)
}

## Depthwise filters have few weights: the first paper decays them little or not at all.
train MobileNetV1 {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  optimizer = rmsprop(
    lr=exponential_decay(0.01, factor=0.98, every=10_000),
    alpha=0.9,
    momentum=0.9,
    weight_decay=4e-5,
  )
  optimizer "*.depthwise.*" = rmsprop(
    lr=exponential_decay(0.01, factor=0.98, every=10_000),
    alpha=0.9,
    momentum=0.9,
  )
}

train MobileNetV2 {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  optimizer = sgd(lr=cosine(0.05, steps=1_500_000), momentum=0.9, weight_decay=4e-5)
}
