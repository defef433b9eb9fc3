## Residual networks (He et al. 2015, "Deep Residual Learning for Image Recognition"): layers learn what to add to their
## input, so that very deep networks train.
##
## Parameter names are torchvision's, whose weights load as they are. torchvision strides in the 3x3 convolution of a
## bottleneck, the paper in the first 1x1 (same parameters, 5 % fewer multiplications); this file follows torchvision.

## Two 3x3 convolutions: ResNet-18 and -34.
layer BasicBlock(x: f32[N, C, H, W], width: int, stride = 1) {
  y = x |> conv1: Conv2d(width, kernel=3, stride=stride, padding=1, bias=false) |> bn1: BatchNorm |> relu
        |> conv2: Conv2d(width, kernel=3, padding=1, bias=false) |> bn2: BatchNorm
  return relu(y + (x |> _: Shortcut(width, stride)))
}

## 1x1 to `width` channels, 3x3 there, 1x1 to four times as many: ResNet-50 and deeper.
layer Bottleneck(x: f32[N, C, H, W], width: int, stride = 1) {
  y = x |> conv1: Conv2d(width, kernel=1, bias=false) |> bn1: BatchNorm |> relu
        |> conv2: Conv2d(width, kernel=3, stride=stride, padding=1, bias=false) |> bn2: BatchNorm |> relu
        |> conv3: Conv2d(4 * width, kernel=1, bias=false) |> bn3: BatchNorm
  return relu(y + (x |> _: Shortcut(4 * width, stride)))
}

## The input itself, or a projection of it where the shape changes (option B of the paper).
layer Shortcut(x: f32[N, C, H, W], channels: int, stride: int) {
  return if stride == 1 && C == channels { x } else {
    x |> downsample.0: Conv2d(channels, kernel=1, stride=stride, bias=false) |> downsample.1: BatchNorm
  }
}

## Maps before the pooling: a stem, then stages of blocks. Each stage but the first halves the image.
layer Stages(image: f32[N, 3, H, W], Block, depths: list, widths: list) {
  x = image |> conv1: Conv2d(widths[0], kernel=7, stride=2, padding=3, bias=false) |> bn1: BatchNorm |> relu
            |> max_pool(3, stride=2, padding=1)
  for i, width in enumerate(widths) {
    for j in range(depths[i]) {
      x = x |> layer{i + 1}.{j}: Block(width, stride = if j == 0 && i > 0 { 2 } else { 1 })
    }
  }
  return x
}

## Any residual network of the family; the models below are its published members.
model ResNet(
  image: f32[N, 3, H = 224, W = 224],
  Block = Bottleneck,
  depths = [3, 4, 6, 3],
  widths = [64, 128, 256, 512],
  classes = 1000,
) -> logits {
  x = image |> _: Stages(Block, depths, widths)
  logits = x |> global_avg_pool |> flatten |> fc: Linear(classes)
}

## ResNet-18: two basic blocks a stage. The label `_` adds no level: the parameters are called as in ResNet.
model ResNet18(
  image: f32[N, 3, H = 224, W = 224],
  depths = [2, 2, 2, 2],
  widths = [64, 128, 256, 512],
  classes = 1000,
) -> logits {
  logits = image |> _: ResNet(Block=BasicBlock, depths=depths, widths=widths, classes=classes)
}

## ResNet-34: three to six basic blocks a stage.
model ResNet34(
  image: f32[N, 3, H = 224, W = 224],
  depths = [3, 4, 6, 3],
  widths = [64, 128, 256, 512],
  classes = 1000,
) -> logits {
  logits = image |> _: ResNet(Block=BasicBlock, depths=depths, widths=widths, classes=classes)
}

## ResNet-50: as many bottlenecks as ResNet-34 has basic blocks.
model ResNet50(
  image: f32[N, 3, H = 224, W = 224],
  depths = [3, 4, 6, 3],
  widths = [64, 128, 256, 512],
  classes = 1000,
) -> logits {
  logits = image |> _: ResNet(Block=Bottleneck, depths=depths, widths=widths, classes=classes)
}

## A basic block whose shortcut has no parameters (option A): every second pixel, new channels filled with zeros.
layer CifarBlock(x: f32[N, C, H, W], width: int, stride = 1) {
  y = x |> conv1: Conv2d(width, kernel=3, stride=stride, padding=1, bias=false) |> bn1: BatchNorm |> relu
        |> conv2: Conv2d(width, kernel=3, padding=1, bias=false) |> bn2: BatchNorm
  skip = x[:, :, ::stride, ::stride]
  if width > C {
    before = (width - C) // 2
    skip = pad(skip, [(0, 0), (before, width - C - before), (0, 0), (0, 0)])
  }
  return relu(y + skip)
}

## The paper's network for CIFAR-10 (section 4.2) with 6 * depth + 2 layers: depth = 3 is ResNet-20.
model ResNet20(image: f32[N, 3, H = 32, W = 32], depth = 3, width = 16, classes = 10) -> logits {
  x = image |> conv1: Conv2d(width, kernel=3, padding=1, bias=false) |> bn1: BatchNorm |> relu
  for i in range(3) {
    for j in range(depth) {
      x = x |> layer{i + 1}.{j}: CifarBlock(width * 2 ** i, stride = if j == 0 && i > 0 { 2 } else { 1 })
    }
  }
  logits = x |> global_avg_pool |> flatten |> fc: Linear(classes)
}

## Batches of 256; a warm-up keeps the first updates of a large learning rate from diverging (Goyal et al. 2017).
const imagenet = sgd(
  lr = linear_warmup(0.1, steps=1000) |> then(step_decay(0.1, every=150_000)),
  momentum=0.9,
  weight_decay=1e-4,
)
## Batches of 128, 64,000 updates.
const cifar = sgd(lr=step_decay(0.1, every=32_000), momentum=0.9, weight_decay=1e-4)

train ResNet {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  metric top5 = mean(in_top_k(logits, label, 5))
  optimizer = imagenet
}

train ResNet18 {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  metric top5 = mean(in_top_k(logits, label, 5))
  optimizer = imagenet
}

train ResNet34 {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  metric top5 = mean(in_top_k(logits, label, 5))
  optimizer = imagenet
}

train ResNet50 {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  metric top5 = mean(in_top_k(logits, label, 5))
  optimizer = imagenet
}

train ResNet20 {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = cifar
}
