layer TransformerBlock(x: f32[N, H, W, C], size1: int, size2: int) {
  param attn.bias_table as bias_table: f32[49, 49] = zeros
  q, k, v = x |> norm1: LayerNorm |> reshape([size1, 7, size1, 7, C]) |> permute([0, 2, 1, 3, 4])
              |> reshape([size2, 49, C])
              |> attn.qkv: Linear(3 * C) |> split(3, axis=-1)
  x += (softmax(q * 0.17 @ transpose(k) + bias_table) @ v) |> attn.proj: Linear(C)
    |> reshape([size1, size1, 7, 7, C]) |> permute([0, 2, 1, 3, 4]) |> reshape([1, H, H, C])
  y = x |> norm2: LayerNorm |> mlp.fc1: Linear(4 * C) |> gelu |> mlp.fc2: Linear(C)
  return x + y
}

layer TransformerBlock2(x: f32[N, H, W, C], size1: int, size2: int) {
  param attn.bias_table as bias_table: f32[49, 49] = zeros
  q, k, v = x |> norm1: LayerNorm |> roll([-3, -3], [1, 2]) |> reshape([size1, 7, size1, 7, C])
              |> permute([0, 2, 1, 3, 4]) |> reshape([size2, 49, C])
              |> attn.qkv: Linear(3 * C) |> split(3, axis=-1)
  x += (softmax(q * 0.17 @ transpose(k) + bias_table) @ v) |> attn.proj: Linear(C)
    |> reshape([size1, size1, 7, 7, C]) |> permute([0, 2, 1, 3, 4]) |> reshape([1, H, H, C])
    |> roll([3, 3], [1, 2])
  y = x |> norm2: LayerNorm |> mlp.fc1: Linear(4 * C) |> gelu |> mlp.fc2: Linear(C)
  return x + y
}

layer Downsample(x: f32[N, H, W, C]) {
  x = concat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], axis=-1)
  return x |> norm: LayerNorm |> reduction: Linear(2 * C, bias=false)
}

model Swin(image: f32[1, 56, 56, 48]) -> logits {
  x = image |> embed: Linear(96)
  x = x |> layers.0.blocks.0: TransformerBlock(8, 64)
  x = x |> layers.0.blocks.1: TransformerBlock2(8, 64)
  x = x |> layers.1.downsample: Downsample
  x = x |> layers.1.blocks.0: TransformerBlock(4, 16)
  x = x |> layers.1.blocks.1: TransformerBlock2(4, 16)
  x = x |> layers.2.downsample: Downsample
  for i in range(3) {
    x = x |> layers.2.blocks.{2 * i}: TransformerBlock(2, 4)
    x = x |> layers.2.blocks.{2 * i + 1}: TransformerBlock2(2, 4)
  }
  logits = x |> norm: LayerNorm |> mean([1, 2]) |> head: Linear(1000)
}
