layer ResidualBlock(x: f32[N, C, H, W]) {
  y = x |> conv1: Conv2d(C, kernel=3, padding=1, bias=false) |> bn1: BatchNorm |> relu
        |> conv2: Conv2d(C, kernel=3, padding=1, bias=false) |> bn2: BatchNorm
  return relu(y + x)
}

layer ProjectionBlock(x: f32[N, C, H, W]) {
  y = x |> conv1: Conv2d(2 * C, kernel=3, stride=2, padding=1, bias=false) |> bn1: BatchNorm |> relu
        |> conv2: Conv2d(2 * C, kernel=3, padding=1, bias=false) |> bn2: BatchNorm
  skip = x |> conv3: Conv2d(2 * C, kernel=1, stride=2, bias=false) |> bn3: BatchNorm
  return relu(y + skip)
}

model ResNet18(image: f32[1, 3, 224, 224]) -> logits {
  x = image |> conv1: Conv2d(64, kernel=7, stride=2, padding=3, bias=false) |> bn1: BatchNorm |> relu
            |> max_pool(3, stride=2, padding=1)
  for i in range(2) { x = x |> block{i + 1}: ResidualBlock }
  x = x |> block3: ProjectionBlock
  x = x |> block4: ResidualBlock
  x = x |> block5: ProjectionBlock
  x = x |> block6: ResidualBlock
  x = x |> block7: ProjectionBlock
  x = x |> block8: ResidualBlock
  logits = x |> global_avg_pool |> flatten |> fc1: Linear(1000)
}
