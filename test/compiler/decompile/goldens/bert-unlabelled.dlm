layer TransformerBlock(x: f32[N, T, D], mask) {
  y = x |> fc1: Linear(64) |> reshape([1, 16, 4, 16]) |> permute([0, 2, 1, 3])
  a = x |> fc2: Linear(64) |> reshape([1, 16, 4, 16]) |> permute([0, 2, 1, 3]) |> transpose
  b = x |> fc3: Linear(64) |> reshape([1, 16, 4, 16]) |> permute([0, 2, 1, 3])
  y = (softmax(y @ a / 4.0 + mask) @ b) |> permute([0, 2, 1, 3]) |> reshape([1, 16, 64]) |> fc4: Linear(64)
  y = (y + x) |> ln1: LayerNorm
  x = y |> fc5: Linear(256) |> gelu |> fc6: Linear(64)
  return (x + y) |> ln2: LayerNorm
}

model Bert(input_ids: i32[1, 16], attention_mask: i32[1, 16]) -> last_hidden_state, pooler_output {
  param weight: f32[1, 16, 64] = zeros
  x = ((input_ids |> embed1: Embedding(1000, 64)) + weight) |> ln1: LayerNorm
  mask = (1.0 - (attention_mask |> reshape([1, 1, 1, 16]) |> cast(f32))) * -10000.0
  for i in range(6) { x = x |> block{i + 1}: TransformerBlock(mask) }
  pooler_output = x[:, 0] |> fc1: Linear(64) |> tanh
  last_hidden_state = x
}
