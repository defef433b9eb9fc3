layer TransformerBlock(x: f32[N, T, D]) {
  q, k, v = x |> ln1: LayerNorm |> fc1: Linear(2304) |> split(3, axis=-1)
  k = k |> reshape([1, 64, 12, 64]) |> permute([0, 2, 1, 3])
  v = v |> reshape([1, 64, 12, 64]) |> permute([0, 2, 1, 3])
  x += q |> reshape([1, 64, 12, 64]) |> permute([0, 2, 1, 3]) |> attention(k, v, causal=true)
         |> permute([0, 2, 1, 3]) |> reshape([1, 64, 768])
         |> fc2: Linear(768)
  y = x |> ln2: LayerNorm |> fc3: Linear(3072) |> gelu(approximate="tanh") |> fc4: Linear(768)
  return x + y
}

## Imported from gpt2.onnx.
model GPT2(input_ids: i32[1, 64]) -> logits {
  x = (input_ids |> embed1: Embedding(50257, 768)) + (arange(64) |> embed2: Embedding(1024, 768))
  for i in range(12) { x = x |> block{i + 1}: TransformerBlock }
  logits = x |> ln1: LayerNorm |> fc1: Linear(50257, bias=false)
}
