layer ProjectionBottleneck(x: f32[N, C, H, W], channels: int, stride = 1) {
  y = x |> conv1: Conv2d(channels, kernel=1, bias=false) |> bn1: BatchNorm |> relu
        |> conv2: Conv2d(channels, kernel=3, stride=stride, padding=1, bias=false) |> bn2: BatchNorm |> relu
        |> conv3: Conv2d(4 * channels, kernel=1, bias=false) |> bn3: BatchNorm
  skip = x |> conv4: Conv2d(4 * channels, kernel=1, stride=stride, bias=false) |> bn4: BatchNorm
  return relu(y + skip)
}

layer Bottleneck(x: f32[N, C, H, W]) {
  y = x |> conv1: Conv2d(C // 4, kernel=1, bias=false) |> bn1: BatchNorm |> relu
        |> conv2: Conv2d(C // 4, kernel=3, padding=1, bias=false) |> bn2: BatchNorm |> relu
        |> conv3: Conv2d(C, kernel=1, bias=false) |> bn3: BatchNorm
  return relu(y + x)
}

## Imported from resnet50.onnx.
model ResNet50(image: f32[1, 3, 224, 224]) -> logits {
  x = image |> conv1: Conv2d(64, kernel=7, stride=2, padding=3, bias=false) |> bn1: BatchNorm |> relu
            |> max_pool(3, stride=2, padding=1)
  x = x |> block1: ProjectionBottleneck(64)
  for i in range(2, 4) { x = x |> block{i}: Bottleneck }
  x = x |> block4: ProjectionBottleneck(128, stride=2)
  for i in range(5, 8) { x = x |> block{i}: Bottleneck }
  x = x |> block8: ProjectionBottleneck(256, stride=2)
  for i in range(9, 14) { x = x |> block{i}: Bottleneck }
  x = x |> block14: ProjectionBottleneck(512, stride=2)
  for i in range(15, 17) { x = x |> block{i}: Bottleneck }
  logits = x |> global_avg_pool |> flatten |> fc1: Linear(1000)
}
