## A decoder of the GPT family (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"): predicts the next
## token from those before it. The embedding matrix serves twice, to read tokens and to score them.
##
## The defaults are GPT-2 small. Parameter names and the [in, out] layout of `Conv1D` are those of the published weights, which
## load as they are; their `attn.bias`, the causal mask as a table, is not needed.

## GPT-2's name for a linear layer with its matrix the other way around.
layer Conv1D(x: f32[..., I], out: int, std = 0.02) {
  param weight: f32[I, out] = normal(std)
  param bias: f32[out] = zeros
  return x @ weight + bias
}

## Each head mixes the values of earlier places, weighted by how well their keys fit its query.
layer Attention(x: f32[N, T, D], heads: int, depth: int, drop: float) {
  assert D % heads == 0, "the width must be a multiple of heads"
  q, k, v = x |> c_attn: Conv1D(3 * D) |> reshape([N, T, 3, heads, D // heads]) |> permute([2, 0, 3, 1, 4])
              |> unstack
  y = attention(q, k, v, causal=true, drop=drop) |> permute([0, 2, 1, 3]) |> reshape([N, T, D])
  return y |> c_proj: Conv1D(D, std=0.02 / sqrt(2 * depth)) |> dropout(drop)
}

layer MLP(x: f32[N, T, D], depth: int, drop: float) {
  return x |> c_fc: Conv1D(4 * D) |> gelu(approximate="tanh") |> c_proj: Conv1D(D, std=0.02 / sqrt(2 * depth))
           |> dropout(drop)
}

## Both parts add to a stream that passes through unchanged; projections into it start smaller the more blocks there are.
layer Block(x: f32[N, T, D], heads: int, depth: int, drop: float) {
  x += x |> ln_1: LayerNorm |> attn: Attention(heads, depth, drop)
  x += x |> ln_2: LayerNorm |> mlp: MLP(depth, drop)
  return x
}

model GPT(
  ids: i32[N, T = 128],
  vocab = 50257,
  context = 1024,
  width = 768,
  depth = 12,
  heads = 12,
  drop = 0.1,
) -> logits: f32[N, T, vocab] {
  assert T <= context, "a sequence of " + str(T) + " is longer than the context of " + str(context)
  use wte = Embedding(vocab, width, init=normal(0.02))
  use wpe = Embedding(context, width, init=normal(0.02))
  x = dropout(wte(ids) + wpe(arange(T)), drop)
  for i in range(depth) { x = x |> h.{i}: Block(heads, depth, drop) }
  logits = (x |> ln_f: LayerNorm) @ transpose(wte.weight)
}

const rate = linear_warmup(6e-4, steps=2000) |> then(cosine(6e-4, steps=600_000, to=6e-5))

## Matrices decay, biases and normalisations do not.
train GPT {
  ## The ids, moved by one: what should come next.
  input next: i32[N, T]
  loss = cross_entropy(logits, next, axis=-1)
  metric perplexity = exp(loss)
  optimizer = adamw(lr=rate, betas=(0.9, 0.95), weight_decay=0.1)
  optimizer "*.bias", "*ln_*" = adamw(lr=rate, betas=(0.9, 0.95), weight_decay=0)
  clip_norm = 1.0
}
