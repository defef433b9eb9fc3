layer TransformerBlock(x: f32[N, T, D]) {
  k = x |> self_attn.k: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  v = x |> self_attn.v: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  self_attn = x |> self_attn.q: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
                |> attention(k, v) |> permute([0, 2, 1, 3]) |> reshape([1, -1, 32])
                |> self_attn.out: Linear(32)
  x = (x + self_attn) |> norm1: LayerNorm
  ffn = x |> ffn.fc1: Linear(64) |> relu |> ffn.fc2: Linear(32)
  return (x + ffn) |> norm2: LayerNorm
}

layer TransformerBlock2(x: f32[N, T, D], context) {
  k = x |> self_attn.k: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  v = x |> self_attn.v: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  self_attn = x |> self_attn.q: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
                |> attention(k, v, causal=true) |> permute([0, 2, 1, 3]) |> reshape([1, -1, 32])
                |> self_attn.out: Linear(32)
  x = (x + self_attn) |> norm1: LayerNorm
  k = context |> cross_attn.k: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  v = context |> cross_attn.v: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  cross_attn = x |> cross_attn.q: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
                 |> attention(k, v) |> permute([0, 2, 1, 3]) |> reshape([1, -1, 32])
                 |> cross_attn.out: Linear(32)
  x = (x + cross_attn) |> norm2: LayerNorm
  ffn = x |> ffn.fc1: Linear(64) |> relu |> ffn.fc2: Linear(32)
  return (x + ffn) |> norm3: LayerNorm
}

model Transformer(source: i32[1, 12], target: i32[1, 10]) -> logits {
  x = source |> encoder.embed: Embedding(100, 32)
  for i in range(4) { x = x |> encoder.layers.{i}: TransformerBlock }
  y = target |> decoder.embed: Embedding(100, 32)
  for i in range(4) { y = y |> decoder.layers.{i}: TransformerBlock2(x) }
  logits = y |> project: Linear(100)
}
