layer InvertedBlock(x: f32[N, C, H, W], channels: int, kernel = 5, stride = 1) {
  x = x |> conv1: Conv2d(6 * C, kernel=1, bias=false) |> bn1: BatchNorm |> silu
        |> conv2: Conv2d(6 * C, kernel=kernel, stride=stride, padding=kernel // 2, groups=6 * C, bias=false)
        |> bn2: BatchNorm |> silu
  y = x |> mean([2, 3], keepdims=true) |> conv3: Conv2d(C // 4, kernel=1) |> silu
        |> conv4: Conv2d(6 * C, kernel=1) |> sigmoid
  return (x * y) |> conv5: Conv2d(channels, kernel=1, bias=false) |> bn3: BatchNorm
}

layer InvertedResidual(x: f32[N, C, H, W], kernel = 5) {
  return (x |> block1: InvertedBlock(C, kernel=kernel)) + x
}

model EfficientNet(image: f32[1, 3, 64, 64]) -> logits {
  x = image |> conv1: Conv2d(32, kernel=3, stride=2, padding=1, bias=false) |> bn1: BatchNorm |> silu
            |> conv2: Conv2d(32, kernel=3, padding=1, groups=32, bias=false) |> bn2: BatchNorm |> silu
  y = x |> mean([2, 3], keepdims=true) |> conv3: Conv2d(8, kernel=1) |> silu
        |> conv4: Conv2d(32, kernel=1) |> sigmoid
  x = (x * y) |> conv5: Conv2d(16, kernel=1, bias=false) |> bn3: BatchNorm
  x = x |> block1: InvertedBlock(24, kernel=3, stride=2)
  x = x |> block2: InvertedResidual(kernel=3)
  x = x |> block3: InvertedBlock(40, stride=2)
  x = x |> block4: InvertedResidual
  x = x |> block5: InvertedBlock(80, kernel=3, stride=2)
  for i in range(6, 8) { x = x |> block{i}: InvertedResidual(kernel=3) }
  x = x |> block8: InvertedBlock(112)
  for i in range(9, 11) { x = x |> block{i}: InvertedResidual }
  x = x |> block11: InvertedBlock(192, stride=2)
  for i in range(12, 15) { x = x |> block{i}: InvertedResidual }
  x = x |> block15: InvertedBlock(320, kernel=3)
  logits = x |> conv6: Conv2d(1280, kernel=1, bias=false) |> bn4: BatchNorm |> silu
             |> global_avg_pool |> flatten |> fc1: Linear(1000)
}
