layer ConvBlock(x: f32[N, C, H, W], channels: int, kernel = 1, stride = 1) {
  return x |> conv: Conv2d(channels, kernel=kernel, stride=stride, padding=kernel // 2, bias=false)
           |> bn: BatchNorm(eps=0.001) |> relu
}

layer Inception(
  x: f32[N, C, H, W],
  channels1: int,
  channels2: int,
  channels3: int,
  channels4: int,
  channels5: int,
  channels6: int,
) {
  return concat(
    [
      x |> branch1: ConvBlock(channels1),
      x |> branch2.0: ConvBlock(channels2) |> branch2.1: ConvBlock(channels3, kernel=3),
      x |> branch3.0: ConvBlock(channels4) |> branch3.1: ConvBlock(channels5, kernel=3),
      x |> max_pool(3, stride=1, padding=1) |> branch4.1: ConvBlock(channels6),
    ],
    axis=1,
  )
}

model GoogLeNet(image: f32[1, 3, 224, 224]) -> logits {
  x = image |> conv1: ConvBlock(64, kernel=7, stride=2) |> max_pool(3, stride=2, ceil=true)
            |> conv2: ConvBlock(64) |> conv3: ConvBlock(192, kernel=3) |> max_pool(3, stride=2, ceil=true)
  x = x |> inception3a: Inception(64, 96, 128, 16, 32, 32)
  x = x |> inception3b: Inception(128, 128, 192, 32, 96, 64)
  x = x |> max_pool(3, stride=2, ceil=true) |> inception4a: Inception(192, 96, 208, 16, 48, 64)
  x = x |> inception4b: Inception(160, 112, 224, 24, 64, 64)
  x = x |> inception4c: Inception(128, 128, 256, 24, 64, 64)
  x = x |> inception4d: Inception(112, 144, 288, 32, 64, 64)
  x = x |> inception4e: Inception(256, 160, 320, 32, 128, 128)
  x = x |> max_pool(2, stride=2, ceil=true) |> inception5a: Inception(256, 160, 320, 32, 128, 128)
  x = x |> inception5b: Inception(384, 192, 384, 48, 128, 128)
  logits = x |> global_avg_pool |> flatten |> fc: Linear(1000)
}
