layer InvertedBlock(x: f32[N, C, H, W], channels: int, stride = 1) {
  return x |> 0.0: Conv2d(6 * C, kernel=1, bias=false) |> 0.1: BatchNorm |> relu6
           |> 1.0: Conv2d(6 * C, kernel=3, stride=stride, padding=1, groups=6 * C, bias=false)
           |> 1.1: BatchNorm |> relu6
           |> 2: Conv2d(channels, kernel=1, bias=false) |> 3: BatchNorm
}

layer InvertedResidual(x: f32[N, C, H, W]) {
  return x + (x |> _: InvertedBlock(C))
}

model MobileNetV2(image: f32[1, 3, 224, 224]) -> logits {
  x = image |> features.0.0: Conv2d(32, kernel=3, stride=2, padding=1, bias=false) |> features.0.1: BatchNorm
            |> relu6
            |> features.1.conv.0.0: Conv2d(32, kernel=3, padding=1, groups=32, bias=false)
            |> features.1.conv.0.1: BatchNorm |> relu6
            |> features.1.conv.1: Conv2d(16, kernel=1, bias=false) |> features.1.conv.2: BatchNorm
  x = x |> features.2.conv: InvertedBlock(24, stride=2)
  x = x |> features.3.conv: InvertedResidual
  x = x |> features.4.conv: InvertedBlock(32, stride=2)
  for i in range(5, 7) { x = x |> features.{i}.conv: InvertedResidual }
  x = x |> features.7.conv: InvertedBlock(64, stride=2)
  for i in range(8, 11) { x = x |> features.{i}.conv: InvertedResidual }
  x = x |> features.11.conv: InvertedBlock(96)
  for i in range(12, 14) { x = x |> features.{i}.conv: InvertedResidual }
  x = x |> features.14.conv: InvertedBlock(160, stride=2)
  for i in range(15, 17) { x = x |> features.{i}.conv: InvertedResidual }
  x = x |> features.17.conv: InvertedBlock(320)
  logits = x |> features.18.0: Conv2d(1280, kernel=1, bias=false) |> features.18.1: BatchNorm |> relu6
             |> global_avg_pool |> flatten |> classifier.1: Linear(1000)
}
