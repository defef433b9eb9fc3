## DenseNet (Huang et al. 2016, "Densely Connected Convolutional Networks"): every layer sees the maps of all layers before it,
## so each needs to add only a few. Lists of tensors make that two lines.
##
## Parameter names are torchvision's, whose weights load as they are.

## Adds `growth` channels; normalisation and relu come before the convolutions. The 1x1 convolution in front is the "B" of
## DenseNet-BC.
layer DenseLayer(x: f32[N, C, H, W], growth: int, bottleneck: int, drop: float) {
  return x |> norm1: BatchNorm |> relu |> conv1: Conv2d(bottleneck * growth, kernel=1, bias=false)
           |> norm2: BatchNorm |> relu |> conv2: Conv2d(growth, kernel=3, padding=1, bias=false)
           |> dropout(drop)
}

## Half the channels, half the size: the "C".
layer Transition(x: f32[N, C, H, W]) {
  return x |> norm: BatchNorm |> relu |> conv: Conv2d(C // 2, kernel=1, bias=false) |> avg_pool(2)
}

layer Features(image: f32[N, 3, H, W], growth: int, depths: list, bottleneck: int, drop: float) {
  x = image |> conv0: Conv2d(2 * growth, kernel=7, stride=2, padding=3, bias=false) |> norm0: BatchNorm
            |> relu
            |> max_pool(3, stride=2, padding=1)
  for i, depth in enumerate(depths) {
    maps = [x]
    for j in range(depth) {
      maps += [
        concat(maps, axis=1) |> denseblock{i + 1}.denselayer{j + 1}: DenseLayer(growth, bottleneck, drop),
      ]
    }
    x = concat(maps, axis=1)
    if i + 1 < len(depths) { x = x |> transition{i + 1}: Transition }
  }
  return x |> norm5: BatchNorm |> relu
}

model DenseNet121(
  image: f32[N, 3, H = 224, W = 224],
  growth = 32,
  depths = [6, 12, 24, 16],
  bottleneck = 4,
  drop = 0.0,
  classes = 1000,
) -> logits {
  x = image |> features: Features(growth, depths, bottleneck, drop)
  logits = x |> global_avg_pool |> flatten |> classifier: Linear(classes)
}

## Batches of 256, 90 epochs.
train DenseNet121 {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  metric top5 = mean(in_top_k(logits, label, 5))
  optimizer = sgd(lr=step_decay(0.1, every=150_000), momentum=0.9, nesterov=true, weight_decay=1e-4)
}
