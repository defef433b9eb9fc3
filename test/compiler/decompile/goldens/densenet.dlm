layer DenseLayer(x: f32[N, C, H, W]) {
  return x |> norm1: BatchNorm |> relu |> conv1: Conv2d(128, kernel=1, bias=false) |> norm2: BatchNorm |> relu
           |> conv2: Conv2d(32, kernel=3, padding=1, bias=false)
}

layer Transition(x: f32[N, C, H, W]) {
  return x |> norm: BatchNorm |> relu |> conv: Conv2d(C // 2, kernel=1, bias=false) |> avg_pool(2)
}

model DenseNet121(image: f32[1, 3, 224, 224]) -> logits {
  x = image |> features.conv0: Conv2d(64, kernel=7, stride=2, padding=3, bias=false)
            |> features.norm0: BatchNorm |> relu
            |> max_pool(3, stride=2, padding=1)
  maps = [x, x |> features.denseblock1.denselayer1: DenseLayer]
  for i in range(2, 7) { maps += [concat(maps, axis=1) |> features.denseblock1.denselayer{i}: DenseLayer] }
  x = concat(maps, axis=1) |> features.transition1: Transition
  maps = [x, x |> features.denseblock2.denselayer1: DenseLayer]
  for i in range(2, 13) { maps += [concat(maps, axis=1) |> features.denseblock2.denselayer{i}: DenseLayer] }
  x = concat(maps, axis=1) |> features.transition2: Transition
  maps = [x, x |> features.denseblock3.denselayer1: DenseLayer]
  for i in range(2, 25) { maps += [concat(maps, axis=1) |> features.denseblock3.denselayer{i}: DenseLayer] }
  x = concat(maps, axis=1) |> features.transition3: Transition
  maps = [x, x |> features.denseblock4.denselayer1: DenseLayer]
  for i in range(2, 17) { maps += [concat(maps, axis=1) |> features.denseblock4.denselayer{i}: DenseLayer] }
  logits = concat(maps, axis=1) |> features.norm5: BatchNorm |> relu |> global_avg_pool |> flatten
                                |> classifier: Linear(1000)
}
