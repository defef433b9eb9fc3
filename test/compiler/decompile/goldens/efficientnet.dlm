layer SqueezeExcite(x: f32[N, C, H, W], channels: int) {
  y = x |> mean([2, 3], keepdims=true) |> conv_reduce: Conv2d(channels, kernel=1) |> silu
        |> conv_expand: Conv2d(C, kernel=1) |> sigmoid
  return x * y
}

layer InvertedBlock(x: f32[N, C, H, W], channels: int, kernel = 5, stride = 1) {
  x = x |> conv_pw: Conv2d(6 * C, kernel=1, bias=false) |> bn1: BatchNorm |> silu
        |> conv_dw: Conv2d(6 * C, kernel=kernel, stride=stride, padding=kernel // 2, groups=6 * C, bias=false)
        |> bn2: BatchNorm |> silu
  x = x |> se: SqueezeExcite(C // 4)
  return x |> conv_pwl: Conv2d(channels, kernel=1, bias=false) |> bn3: BatchNorm
}

layer InvertedResidual(x: f32[N, C, H, W], kernel = 5) {
  return (x |> _: InvertedBlock(C, kernel=kernel)) + x
}

model EfficientNet(image: f32[1, 3, 64, 64]) -> logits {
  x = image |> conv_stem: Conv2d(32, kernel=3, stride=2, padding=1, bias=false) |> bn1: BatchNorm |> silu
            |> blocks.0.0.conv_dw: Conv2d(32, kernel=3, padding=1, groups=32, bias=false)
            |> blocks.0.0.bn1: BatchNorm |> silu
  x = x |> blocks.0.0.se: SqueezeExcite(8)
  x = x |> blocks.0.0.conv_pw: Conv2d(16, kernel=1, bias=false) |> blocks.0.0.bn2: BatchNorm
  x = x |> blocks.1.0: InvertedBlock(24, kernel=3, stride=2)
  x = x |> blocks.1.1: InvertedResidual(kernel=3)
  x = x |> blocks.2.0: InvertedBlock(40, stride=2)
  x = x |> blocks.2.1: InvertedResidual
  x = x |> blocks.3.0: InvertedBlock(80, kernel=3, stride=2)
  for i in range(2) { x = x |> blocks.3.{i + 1}: InvertedResidual(kernel=3) }
  x = x |> blocks.4.0: InvertedBlock(112)
  for i in range(2) { x = x |> blocks.4.{i + 1}: InvertedResidual }
  x = x |> blocks.5.0: InvertedBlock(192, stride=2)
  for i in range(3) { x = x |> blocks.5.{i + 1}: InvertedResidual }
  x = x |> blocks.6.0: InvertedBlock(320, kernel=3)
  logits = x |> conv_head: Conv2d(1280, kernel=1, bias=false) |> bn2: BatchNorm |> silu
             |> global_avg_pool |> flatten |> classifier: Linear(1000)
}
