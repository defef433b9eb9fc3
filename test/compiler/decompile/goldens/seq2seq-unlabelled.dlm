layer TransformerBlock(x: f32[N, T, D]) {
  k = x |> fc2: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  v = x |> fc3: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  y = x |> fc1: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3]) |> attention(k, v)
        |> permute([0, 2, 1, 3]) |> reshape([1, -1, 32])
        |> fc4: Linear(32)
  x = (x + y) |> ln1: LayerNorm
  y = x |> fc5: Linear(64) |> relu |> fc6: Linear(32)
  return (x + y) |> ln2: LayerNorm
}

layer TransformerBlock2(x: f32[N, T, D], context) {
  k = x |> fc2: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  v = x |> fc3: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  y = x |> fc1: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3]) |> attention(k, v, causal=true)
        |> permute([0, 2, 1, 3]) |> reshape([1, -1, 32])
        |> fc4: Linear(32)
  x = (x + y) |> ln1: LayerNorm
  k = context |> fc6: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  v = context |> fc7: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3])
  y = x |> fc5: Linear(32) |> reshape([1, -1, 4, 8]) |> permute([0, 2, 1, 3]) |> attention(k, v)
        |> permute([0, 2, 1, 3]) |> reshape([1, -1, 32])
        |> fc8: Linear(32)
  x = (x + y) |> ln2: LayerNorm
  y = x |> fc9: Linear(64) |> relu |> fc10: Linear(32)
  return (x + y) |> ln3: LayerNorm
}

model Transformer(source: i32[1, 12], target: i32[1, 10]) -> logits {
  x = source |> embed1: Embedding(100, 32)
  for i in range(4) { x = x |> block{i + 1}: TransformerBlock }
  y = target |> embed2: Embedding(100, 32)
  for i in range(5, 9) { y = y |> block{i}: TransformerBlock2(x) }
  logits = y |> fc1: Linear(100)
}
