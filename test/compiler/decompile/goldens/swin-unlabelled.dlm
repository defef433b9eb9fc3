layer TransformerBlock(x: f32[N, H, W, C], size1: int, size2: int) {
  param weight: f32[49, 49] = zeros
  param weight2: f32[49, 49] = zeros
  q, k, v = x |> ln1: LayerNorm |> reshape([size1, 7, size1, 7, C]) |> permute([0, 2, 1, 3, 4])
              |> reshape([size2, 49, C])
              |> fc1: Linear(3 * C) |> split(3, axis=-1)
  x += (softmax(q * 0.17 @ transpose(k) + weight) @ v) |> fc2: Linear(C) |> reshape([size1, size1, 7, 7, C])
    |> permute([0, 2, 1, 3, 4]) |> reshape([1, H, H, C])
  x += x |> ln2: LayerNorm |> fc3: Linear(4 * C) |> gelu |> fc4: Linear(C)
  q, k, v = x |> ln3: LayerNorm |> roll([-3, -3], [1, 2]) |> reshape([size1, 7, size1, 7, C])
              |> permute([0, 2, 1, 3, 4]) |> reshape([size2, 49, C])
              |> fc5: Linear(3 * C) |> split(3, axis=-1)
  x += (softmax(q * 0.17 @ transpose(k) + weight2) @ v) |> fc6: Linear(C) |> reshape([size1, size1, 7, 7, C])
    |> permute([0, 2, 1, 3, 4]) |> reshape([1, H, H, C]) |> roll([3, 3], [1, 2])
  y = x |> ln4: LayerNorm |> fc7: Linear(4 * C) |> gelu |> fc8: Linear(C)
  return x + y
}

layer LinearBlock(x: f32[N, H, W, C]) {
  x = concat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], axis=-1)
  return x |> ln1: LayerNorm |> fc1: Linear(2 * C, bias=false)
}

model Swin(image: f32[1, 56, 56, 48]) -> logits {
  x = image |> fc1: Linear(96)
  x = x |> block1: TransformerBlock(8, 64)
  x = x |> block2: LinearBlock
  x = x |> block3: TransformerBlock(4, 16)
  x = x |> block4: LinearBlock
  for i in range(5, 8) { x = x |> block{i}: TransformerBlock(2, 4) }
  logits = x |> ln1: LayerNorm |> mean([1, 2]) |> fc2: Linear(1000)
}
