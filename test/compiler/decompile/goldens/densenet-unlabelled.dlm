layer ConvBlock(x: f32[N, C, H, W]) {
  return x |> bn1: BatchNorm |> relu |> conv1: Conv2d(128, kernel=1, bias=false) |> bn2: BatchNorm |> relu
           |> conv2: Conv2d(32, kernel=3, padding=1, bias=false)
}

model DenseNet121(image: f32[1, 3, 224, 224]) -> logits {
  x = image |> conv1: Conv2d(64, kernel=7, stride=2, padding=3, bias=false) |> bn1: BatchNorm |> relu
            |> max_pool(3, stride=2, padding=1)
  maps = [x, x |> block1: ConvBlock]
  for i in range(2, 7) { maps += [concat(maps, axis=1) |> block{i}: ConvBlock] }
  x = concat(maps, axis=1) |> bn2: BatchNorm |> relu |> conv2: Conv2d(128, kernel=1, bias=false)
                           |> avg_pool(2)
  maps = [x, x |> block7: ConvBlock]
  for i in range(8, 19) { maps += [concat(maps, axis=1) |> block{i}: ConvBlock] }
  x = concat(maps, axis=1) |> bn3: BatchNorm |> relu |> conv3: Conv2d(256, kernel=1, bias=false)
                           |> avg_pool(2)
  maps = [x, x |> block19: ConvBlock]
  for i in range(20, 43) { maps += [concat(maps, axis=1) |> block{i}: ConvBlock] }
  x = concat(maps, axis=1) |> bn4: BatchNorm |> relu |> conv4: Conv2d(512, kernel=1, bias=false)
                           |> avg_pool(2)
  maps = [x, x |> block43: ConvBlock]
  for i in range(44, 59) { maps += [concat(maps, axis=1) |> block{i}: ConvBlock] }
  logits = concat(maps, axis=1) |> bn5: BatchNorm |> relu |> global_avg_pool |> flatten |> fc1: Linear(1000)
}
