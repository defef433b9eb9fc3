# Pure functions over the builtin operations. What is documented by `##` is in the reference.

## Zeroes elements with probability p in training and scales the others by 1 / (1 - p): f32[...] to the same shape.
fn dropout(x, p: float = 0.5) {
  assert p >= 0 && p <= 1, "dropout: p is a probability"
  if !training || p <= 0 { return x }
  if p >= 1 { return x * 0 }
  return x * where(random_uniform(x.shape) >= p, 1 / (1 - p), 0.0)
}

## The mean over all axes after the first two, kept as 1: f32[N, C, H, W] to f32[N, C, 1, 1].
fn global_avg_pool(x: f32[N, C, ...rest]) { return mean(x, range(2, x.rank), keepdims=true) }

## The maximum over all axes after the first two, kept as 1: f32[N, C, H, W] to f32[N, C, 1, 1].
fn global_max_pool(x: f32[N, C, ...rest]) { return max(x, range(2, x.rank), keepdims=true) }

## Halves of `axis`: the first times the sigmoid of the second, f32[..., 2 * D] to f32[..., D].
fn glu(x, axis: int = -1) {
  a, b = split(x, 2, axis=axis)
  return a * sigmoid(b)
}

## Local response normalisation across channels: x / (k + alpha * mean of squares of `size` neighbours) ** beta, f32[N, C, ...]
## to the same shape.
fn lrn(x: f32[N, C, ...rest], size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) {
  before = size // 2
  squares = pad(x * x, [(before, size - 1 - before)] + [(0, 0)] * len(rest))
  total = sum([squares[:, i : i + C] for i in range(size)])
  return x / (total * (alpha / size) + k) ** beta
}

## Scaled dot-product attention, softmax(q k^T / sqrt(D)) v: f32[N, Heads, T, E]. `mask` broadcasts against
## bool[N, Heads, T, S] and is true where attention is allowed; `causal` allows what is not later; `drop` is of the weights.
fn attention(
  q: f32[N, Heads, T, D],
  k: f32[N, Heads, S, D],
  v: f32[N, Heads, S, E],
  causal: bool = false,
  mask: bool[...] = none,
  drop: float = 0.0,
) {
  scores = q @ transpose(k) / sqrt(D)
  if causal {
    scores = where(reshape(arange(S), [1, S]) <= reshape(arange(T), [T, 1]) + (S - T), scores, -inf)
  }
  if mask != none { scores = where(mask, scores, -inf) }
  return softmax(scores) |> dropout(drop) |> matmul(v)
}

## The sum of squares of a tensor, or of all tensors of a list: weight decay as part of the loss, l2(params("*.weight")).
fn l2(xs) { return if kind(xs) == "list" { sum([sum(x * x) for x in xs]) } else { sum(xs * xs) } }

## The sum of absolute values of a tensor or of all tensors of a list.
fn l1(xs) { return if kind(xs) == "list" { sum([sum(abs(x)) for x in xs]) } else { sum(abs(xs)) } }
