layer InvertedBlock(x: f32[N, C, H, W], channels: int, stride = 1) {
  return x |> conv1: Conv2d(6 * C, kernel=1, bias=false) |> bn1: BatchNorm |> relu6
           |> conv2: Conv2d(6 * C, kernel=3, stride=stride, padding=1, groups=6 * C, bias=false)
           |> bn2: BatchNorm |> relu6
           |> conv3: Conv2d(channels, kernel=1, bias=false) |> bn3: BatchNorm
}

layer InvertedResidual(x: f32[N, C, H, W]) {
  return x + (x |> block1: InvertedBlock(C))
}

model MobileNetV2(image: f32[1, 3, 224, 224]) -> logits {
  x = image |> conv1: Conv2d(32, kernel=3, stride=2, padding=1, bias=false) |> bn1: BatchNorm |> relu6
            |> conv2: Conv2d(32, kernel=3, padding=1, groups=32, bias=false) |> bn2: BatchNorm |> relu6
            |> conv3: Conv2d(16, kernel=1, bias=false) |> bn3: BatchNorm
  x = x |> block1: InvertedBlock(24, stride=2)
  x = x |> block2: InvertedResidual
  x = x |> block3: InvertedBlock(32, stride=2)
  for i in range(4, 6) { x = x |> block{i}: InvertedResidual }
  x = x |> block6: InvertedBlock(64, stride=2)
  for i in range(7, 10) { x = x |> block{i}: InvertedResidual }
  x = x |> block10: InvertedBlock(96)
  for i in range(11, 13) { x = x |> block{i}: InvertedResidual }
  x = x |> block13: InvertedBlock(160, stride=2)
  for i in range(14, 16) { x = x |> block{i}: InvertedResidual }
  x = x |> block16: InvertedBlock(320)
  logits = x |> conv4: Conv2d(1280, kernel=1, bias=false) |> bn4: BatchNorm |> relu6
             |> global_avg_pool |> flatten |> fc1: Linear(1000)
}
