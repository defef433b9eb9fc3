layer InvertedResidual(x: f32[N, C, H, W]) {
  param gamma: f32[C] = zeros
  y = x |> conv_dw: Conv2d(C, kernel=7, padding=3, groups=C) |> permute([0, 2, 3, 1])
        |> norm: LayerNorm(eps=1e-6)
        |> mlp.fc1: Linear(4 * C) |> gelu |> mlp.fc2: Linear(C)
  return permute(y * gamma, [0, 3, 1, 2]) + x
}

layer Downsample(x: f32[N, C, H, W]) {
  return x |> permute([0, 2, 3, 1]) |> 0: LayerNorm(eps=1e-6) |> permute([0, 3, 1, 2])
           |> 1: Conv2d(2 * C, kernel=2, stride=2)
}

model ConvNeXt(image: f32[1, 3, 64, 64]) -> logits {
  x = image |> stem.0: Conv2d(96, kernel=4, stride=4) |> permute([0, 2, 3, 1]) |> stem.1: LayerNorm(eps=1e-6)
            |> permute([0, 3, 1, 2])
  for i in range(3) { x = x |> stages.0.blocks.{i}: InvertedResidual }
  x = x |> stages.1.downsample: Downsample
  for i in range(3) { x = x |> stages.1.blocks.{i}: InvertedResidual }
  x = x |> stages.2.downsample: Downsample
  for i in range(9) { x = x |> stages.2.blocks.{i}: InvertedResidual }
  x = x |> stages.3.downsample: Downsample
  for i in range(3) { x = x |> stages.3.blocks.{i}: InvertedResidual }
  logits = x |> global_avg_pool |> flatten |> head.fc: Linear(1000)
}
