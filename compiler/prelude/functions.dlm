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

# Axis `at` moved on by `by`; what comes in is `fill`.
fn shifted(x, at: int, by: int, fill: int) {
  n = x.shape[at]
  if by >= n { return full(x.shape, fill, dtype=x.dtype) }
  kept, _ = split(x, [n - by, by], axis=at)
  return pad(kept, [(by, 0)] + [(0, 0)] * (x.rank - 1 - at), value=fill)
}

fn added(a, b) { return a + b }
fn multiplied(a, b) { return a * b }

# Element i is all elements up to i combined, `start` where there are none: in log2(n) steps, each reaching twice as far back.
fn accumulated(x, axis: int, exclusive: bool, reverse: bool, start: int, combine) {
  at = if axis < 0 { axis + x.rank } else { axis }
  assert at >= 0 && at < x.rank, "there is no axis " + str(axis) + " in " + str(x)
  y = if reverse { flip(x, at) } else { x }
  if exclusive { y = shifted(y, at, 1, start) }
  for i in range(31) {
    if 2 ** i < x.shape[at] { y = combine(y, shifted(y, at, 2 ** i, start)) }
  }
  return if reverse { flip(y, at) } else { y }
}

## Sums of the elements up to each along `axis`, without itself if `exclusive`, from the end if `reverse`: f32[...] or i32[...] to the
## same shape.
fn cumsum(x, axis: int = -1, exclusive: bool = false, reverse: bool = false) {
  return accumulated(x, axis, exclusive, reverse, 0, added)
}

## Products of the elements up to each along `axis`; arguments as of cumsum.
fn cumprod(x, axis: int = -1, exclusive: bool = false, reverse: bool = false) {
  return accumulated(x, axis, exclusive, reverse, 1, multiplied)
}

## The k largest elements along `axis`, largest first, and where they are, i32; of equal ones the first comes first. f32[..., n] or
## i32[..., n] to two tensors [..., k]. With k = n it sorts; the work grows with n * n.
fn top_k(x, k: int, axis: int = -1) {
  at = if axis < 0 { axis + x.rank } else { axis }
  assert at >= 0 && at < x.rank, "there is no axis " + str(axis) + " in " + str(x)
  n = x.shape[at]
  assert k >= 1 && k <= n, "top_k: k is from 1 to " + str(n) + ", got " + str(k)
  own, other = unsqueeze(x, at + 1), unsqueeze(x, at)
  ones = [1] * (x.rank - 1 - at)
  place = reshape(arange(n), [n] + ones)
  before = other > own || other == own && place < reshape(arange(n), [n, 1] + ones)
  rank = sum(before, axis=at + 1)
  hit = unsqueeze(rank, at) == reshape(arange(k), [k, 1] + ones)
  return sum(where(hit, other, 0), axis=at + 1), sum(where(hit, place, 0), axis=at + 1)
}

## x with `values` written at `ids` along `axis`: y[ids[i, j], j] = values[i, j] for axis 0, and so on. ids i32 of the rank of x
## and not longer except in `axis`, values of their shape. Of equal ids the last counts, unless `reduce` is "add", "mul", "max"
## or "min", which combine x and all values.
fn scatter(x, axis: int, ids: i32[...shape], values, reduce: string = "none") {
  at = if axis < 0 { axis + x.rank } else { axis }
  assert at >= 0 && at < x.rank, "there is no axis " + str(axis) + " in " + str(x)
  assert len(shape) == x.rank && values.shape == shape,
    "scatter needs ids of the rank of x and values of their shape, got " +
      str(ids) +
      " and " +
      str(values) +
      " for " +
      str(x)
  border = [(0, if a == at { 0 } else { x.shape[a] - shape[a] }) for a in range(x.rank)]
  at_ids = unsqueeze(pad(ids, border, value=-1), at)
  given = unsqueeze(pad(values, border), at)
  n, m = x.shape[at], shape[at]
  ones = [1] * (x.rank - 1 - at)
  hit = at_ids == reshape(arange(n), [n, 1] + ones)
  if reduce == "none" {
    last = max(where(hit, reshape(arange(m), [m] + ones), -1), axis=at + 1)
    return where(last >= 0, gather(pad(values, border), at, maximum(last, 0)), x)
  }
  if reduce == "add" { return x + sum(where(hit, given, 0), axis=at + 1) }
  if reduce == "mul" { return x * prod(where(hit, given, 1), axis=at + 1) }
  here = where(hit, given, unsqueeze(x, at + 1))
  if reduce == "max" { return maximum(x, max(here, axis=at + 1)) }
  assert reduce == "min",
    "scatter: reduce is \"none\", \"add\", \"mul\", \"max\" or \"min\", got \"" + reduce + "\""
  return minimum(x, min(here, axis=at + 1))
}
