layer InvertedResidual(x: f32[N, C, H, W]) {
  param weight: f32[C] = zeros
  y = x |> conv1: Conv2d(C, kernel=7, padding=3, groups=C) |> permute([0, 2, 3, 1])
        |> ln1: LayerNorm(eps=1e-6)
        |> fc1: Linear(4 * C) |> gelu |> fc2: Linear(C)
  return permute(y * weight, [0, 3, 1, 2]) + x
}

model ConvNeXt(image: f32[1, 3, 64, 64]) -> logits {
  x = image |> conv1: Conv2d(96, kernel=4, stride=4) |> permute([0, 2, 3, 1]) |> ln1: LayerNorm(eps=1e-6)
            |> permute([0, 3, 1, 2])
  for i in range(3) { x = x |> block{i + 1}: InvertedResidual }
  x = x |> permute([0, 2, 3, 1]) |> ln2: LayerNorm(eps=1e-6) |> permute([0, 3, 1, 2])
        |> conv2: Conv2d(192, kernel=2, stride=2)
  for i in range(4, 7) { x = x |> block{i}: InvertedResidual }
  x = x |> permute([0, 2, 3, 1]) |> ln3: LayerNorm(eps=1e-6) |> permute([0, 3, 1, 2])
        |> conv3: Conv2d(384, kernel=2, stride=2)
  for i in range(7, 16) { x = x |> block{i}: InvertedResidual }
  x = x |> permute([0, 2, 3, 1]) |> ln4: LayerNorm(eps=1e-6) |> permute([0, 3, 1, 2])
        |> conv4: Conv2d(768, kernel=2, stride=2)
  for i in range(16, 19) { x = x |> block{i}: InvertedResidual }
  logits = x |> global_avg_pool |> flatten |> fc1: Linear(1000)
}
