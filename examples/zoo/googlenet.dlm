## GoogLeNet, Inception v1 (Szegedy et al. 2014, "Going Deeper with Convolutions"): every module looks at its input in four
## ways at once, and 1x1 convolutions keep that cheap. Two auxiliary heads feed gradients into the middle while training.
##
## As in torchvision, whose parameter names these are, so that its weights load as they are: batch normalisation behind every
## convolution (Inception v2), 3x3 where the paper has 5x5, auxiliary heads with 0.3 of the loss and 0.7 dropout. torchvision's
## weights expect pictures in the range -1..1 (`transform_input` there).

## Convolution without bias, batch normalisation, relu.
layer BasicConv(x: f32[N, C, H, W], out: int, kernel = 1, stride = 1) {
  return x |> conv: Conv2d(out, kernel, stride=stride, padding=kernel // 2, bias=false)
           |> bn: BatchNorm(eps=0.001) |> relu
}

## Channels: of the 1x1 branch, (reduced, out) of the two 3x3 branches, behind the pool.
layer Inception(x: f32[N, C, H, W], one: int, three: list, five: list, pool: int) {
  return concat(
    [
      x |> branch1: BasicConv(one),
      x |> branch2.0: BasicConv(three[0]) |> branch2.1: BasicConv(three[1], kernel=3),
      x |> branch3.0: BasicConv(five[0]) |> branch3.1: BasicConv(five[1], kernel=3),
      x |> max_pool(3, stride=1, padding=1) |> branch4.1: BasicConv(pool),
    ],
    axis=1,
  )
}

layer AuxiliaryHead(x: f32[N, C, H, W], channels: int, hidden: int, drop: float, classes: int) {
  x = x |> adaptive_avg_pool(4) |> conv: BasicConv(channels) |> flatten
  return x |> fc1: Linear(hidden) |> relu |> dropout(drop) |> fc2: Linear(classes)
}

## Modules between pools, by the names of the paper's table 1.
const modules = [
  [("3a", 64, (96, 128), (16, 32), 32), ("3b", 128, (128, 192), (32, 96), 64)],
  [
    ("4a", 192, (96, 208), (16, 48), 64),
    ("4b", 160, (112, 224), (24, 64), 64),
    ("4c", 128, (128, 256), (24, 64), 64),
    ("4d", 112, (144, 288), (32, 64), 64),
    ("4e", 256, (160, 320), (32, 128), 128),
  ],
  [("5a", 256, (160, 320), (32, 128), 128), ("5b", 384, (192, 384), (48, 128), 128)],
]

## GoogLeNet with batch normalisation, as torchvision has it; `width` scales all channels.
model GoogLeNet(
  image: f32[N, 3, H = 224, W = 224],
  width = 1.0,
  drop = 0.2,
  aux_drop = 0.7,
  classes = 1000,
) -> logits {
  x = image |> conv1: BasicConv(int(64 * width), kernel=7, stride=2) |> max_pool(3, stride=2, ceil=true)
            |> conv2: BasicConv(int(64 * width)) |> conv3: BasicConv(int(192 * width), kernel=3)
  for i, stage in enumerate(modules) {
    x = x |> max_pool(if i == 2 { 2 } else { 3 }, stride=2, ceil=true)
    for name, one, three, five, pool in stage {
      x = x
        |> inception{name}: Inception(
          int(one * width),
          [int(c * width) for c in three],
          [int(c * width) for c in five],
          int(pool * width),
        )
      if training && name == "4a" {
        aux1 = x |> aux1: AuxiliaryHead(int(128 * width), int(1024 * width), aux_drop, classes)
      }
      if training && name == "4d" {
        aux2 = x |> aux2: AuxiliaryHead(int(128 * width), int(1024 * width), aux_drop, classes)
      }
    }
  }
  logits = x |> global_avg_pool |> flatten |> dropout(drop) |> fc: Linear(classes)
}

## The rate falls by 4 % every eight epochs of batches of 256.
train GoogLeNet {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  if training { loss += 0.3 * (cross_entropy(aux1, label) + cross_entropy(aux2, label)) }
  metric top1 = mean(argmax(logits) == label)
  metric top5 = mean(in_top_k(logits, label, 5))
  optimizer = sgd(lr=step_decay(0.01, every=40_000, factor=0.96), momentum=0.9)
}
