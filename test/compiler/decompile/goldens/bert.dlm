layer TransformerBlock(x: f32[N, T, D], mask) {
  query = x |> attention.self.query: Linear(64) |> reshape([1, 16, 4, 16]) |> permute([0, 2, 1, 3])
  key = x |> attention.self.key: Linear(64) |> reshape([1, 16, 4, 16]) |> permute([0, 2, 1, 3]) |> transpose
  value = x |> attention.self.value: Linear(64) |> reshape([1, 16, 4, 16]) |> permute([0, 2, 1, 3])
  y = (softmax(query @ key / 4.0 + mask) @ value) |> permute([0, 2, 1, 3]) |> reshape([1, 16, 64])
    |> attention.output.dense: Linear(64)
  y = (y + x) |> attention.output.LayerNorm: LayerNorm
  x = y |> intermediate.dense: Linear(256) |> gelu |> output.dense: Linear(64)
  return (x + y) |> output.LayerNorm: LayerNorm
}

model Bert(input_ids: i32[1, 16], attention_mask: i32[1, 16]) -> last_hidden_state, pooler_output {
  param embeddings.position_embeddings as position_embeddings: f32[1, 16, 64] = zeros
  x = input_ids |> embeddings.word_embeddings: Embedding(1000, 64)
  x = (x + position_embeddings) |> embeddings.LayerNorm: LayerNorm
  mask = (1.0 - (attention_mask |> reshape([1, 1, 1, 16]) |> cast(f32))) * -10000.0
  for i in range(6) { x = x |> encoder.layer.{i}: TransformerBlock(mask) }
  pooler_output = x[:, 0] |> pooler.dense: Linear(64) |> tanh
  last_hidden_state = x
}
