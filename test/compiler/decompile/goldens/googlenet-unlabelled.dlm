layer Inception(
  x: f32[N, C, H, W],
  channels1: int,
  channels2: int,
  channels3: int,
  channels4: int,
  channels5: int,
  channels6: int,
) {
  y = x |> conv2: Conv2d(channels2, kernel=1, bias=false) |> bn2: BatchNorm(eps=0.001) |> relu
        |> conv3: Conv2d(channels3, kernel=3, padding=1, bias=false) |> bn3: BatchNorm(eps=0.001) |> relu
  a = x |> conv4: Conv2d(channels4, kernel=1, bias=false) |> bn4: BatchNorm(eps=0.001) |> relu
        |> conv5: Conv2d(channels5, kernel=3, padding=1, bias=false) |> bn5: BatchNorm(eps=0.001) |> relu
  b = x |> max_pool(3, stride=1, padding=1)
        |> conv6: Conv2d(channels6, kernel=1, bias=false) |> bn6: BatchNorm(eps=0.001) |> relu
  return concat(
    [x |> conv1: Conv2d(channels1, kernel=1, bias=false) |> bn1: BatchNorm(eps=0.001) |> relu, y, a, b],
    axis=1,
  )
}

model GoogLeNet(image: f32[1, 3, 224, 224]) -> logits {
  x = image |> conv1: Conv2d(64, kernel=7, stride=2, padding=3, bias=false) |> bn1: BatchNorm(eps=0.001)
            |> relu
            |> max_pool(3, stride=2, ceil=true)
            |> conv2: Conv2d(64, kernel=1, bias=false) |> bn2: BatchNorm(eps=0.001) |> relu
            |> conv3: Conv2d(192, kernel=3, padding=1, bias=false) |> bn3: BatchNorm(eps=0.001) |> relu
            |> max_pool(3, stride=2, ceil=true)
  x = x |> inception1: Inception(64, 96, 128, 16, 32, 32)
  x = x |> inception2: Inception(128, 128, 192, 32, 96, 64)
  x = x |> max_pool(3, stride=2, ceil=true) |> inception3: Inception(192, 96, 208, 16, 48, 64)
  x = x |> inception4: Inception(160, 112, 224, 24, 64, 64)
  x = x |> inception5: Inception(128, 128, 256, 24, 64, 64)
  x = x |> inception6: Inception(112, 144, 288, 32, 64, 64)
  x = x |> inception7: Inception(256, 160, 320, 32, 128, 128)
  x = x |> max_pool(2, stride=2, ceil=true) |> inception8: Inception(256, 160, 320, 32, 128, 128)
  x = x |> inception9: Inception(384, 192, 384, 48, 128, 128)
  logits = x |> global_avg_pool |> flatten |> fc1: Linear(1000)
}
