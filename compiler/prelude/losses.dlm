# Losses. Formulas and defaults are PyTorch's; `reduction` is "mean", "sum" or "none". What is documented by `##` is in the
# reference.

fn reduce_loss(x, reduction) {
  assert reduction == "mean" || reduction == "sum" || reduction == "none",
    "reduction is \"mean\", \"sum\" or \"none\""
  return if reduction == "mean" { mean(x) } else if reduction == "sum" { sum(x) } else { x }
}

# x itself, where `target` has its shape.
fn of_shape(x, target) {
  assert kind(target) != "tensor" || target.shape == x.shape,
    "a loss needs equal shapes, got " + str(x) + " and " + str(target)
  return x
}

# The entries of x that the ids choose along `axis`.
fn pick(x, ids: i32[...], axis: int) {
  rank = x.rank
  at = if axis < 0 { axis + rank } else { axis }
  assert at >= 0 && at < rank, "there is no axis " + str(axis) + " in " + str(x)
  assert ids.shape == x.shape[:at] + x.shape[at + 1 :],
    "scores " +
      str(x) +
      " with classes along axis " +
      str(at) +
      " need ids of shape " +
      str(x.shape[:at] + x.shape[at + 1 :]) +
      ", got " +
      str(ids)
  hot = one_hot(ids, x.shape[at])
  if at < rank - 1 { hot = permute(hot, range(at) + [rank - 1] + range(at, rank - 1)) }
  return sum(where(hot > 0.5, x, 0.0), at)
}

## -log of the softmax probability of the target class: scores f32[N, classes, ...], classes along `axis`, target i32[N, ...].
## `smoothing` takes that share of the probability from the target and spreads it over all classes.
fn cross_entropy(
  x: f32[...],
  target: i32[...],
  axis: int = 1,
  smoothing: float = 0.0,
  reduction: string = "mean",
) {
  p = log_softmax(x, axis)
  loss = -pick(p, target, axis)
  if smoothing > 0 { loss = (1 - smoothing) * loss - smoothing * mean(p, axis) }
  return reduce_loss(loss, reduction)
}

## -x of the target class, for log-probabilities f32[N, classes, ...] along `axis` and target i32[N, ...].
fn nll(x: f32[...], target: i32[...], axis: int = 1, reduction: string = "mean") {
  return reduce_loss(-pick(x, target, axis), reduction)
}

## Cross-entropy of scores, divided by `temperature`, against probabilities of the same shape f32[N, classes, ...], times the
## temperature's square (Hinton et al. 2015). The target was softened by whoever made it.
fn soft_target_cross_entropy(
  x: f32[...shape],
  target: f32[...shape],
  temperature: float = 1.0,
  axis: int = 1,
) {
  return -mean(sum(target * log_softmax(x / temperature, axis), axis)) * temperature ** 2
}

## The mean squared difference of tensors of one shape.
fn mse(x, target, reduction: string = "mean") {
  x = of_shape(x, target)
  return reduce_loss((x - target) ** 2, reduction)
}

## The mean absolute difference of tensors of one shape.
fn l1_loss(x, target, reduction: string = "mean") {
  x = of_shape(x, target)
  return reduce_loss(abs(x - target), reduction)
}

## Half the squared difference up to `delta`, then delta * (|difference| - delta / 2); tensors of one shape.
fn huber(x, target, delta: float = 1.0, reduction: string = "mean") {
  x = of_shape(x, target)
  d = abs(x - target)
  return reduce_loss(where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta)), reduction)
}

## Half the squared difference over `beta` up to beta, then |difference| - beta / 2; tensors of one shape.
fn smooth_l1(x, target, beta: float = 1.0, reduction: string = "mean") {
  x = of_shape(x, target)
  d = abs(x - target)
  if beta <= 0 { return reduce_loss(d, reduction) }
  return reduce_loss(where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta), reduction)
}

## Binary cross-entropy of sigmoid(x) against target probabilities of the same shape: softplus(x) - x * target.
fn bce_with_logits(x, target, reduction: string = "mean") {
  x = of_shape(x, target)
  return reduce_loss(softplus(x) - x * target, reduction)
}

## The divergence of log-probabilities x from probabilities of the same shape: target * (log(target) - x). The mean is over all
## elements.
fn kl_div(x: f32[...shape], target: f32[...shape], reduction: string = "mean") {
  known = where(target > 0, target, 1.0)
  return reduce_loss(target * (log(known) - x), reduction)
}

## max(|anchor - positive| - |anchor - negative| + margin, 0), distances over the last axis; three tensors f32[..., D].
fn triplet(
  anchor: f32[...shape],
  positive: f32[...shape],
  negative: f32[...shape],
  margin: float = 1.0,
  reduction: string = "mean",
) {
  near = norm(anchor - positive + 1e-6, axis=-1)
  far = norm(anchor - negative + 1e-6, axis=-1)
  return reduce_loss(relu(near - far + margin), reduction)
}

# Scores x . w + b of the target and of drawn classes: f32[N, 1 + K].
fn sampled_scores(x: f32[N, D], weight: f32[V, D], target: i32[N], drawn: i32[N, K], bias) {
  ids = concat([unsqueeze(target, 1), drawn], axis=1)
  scores = einsum("nd,nkd->nk", x, take(weight, ids))
  return if bias == none { scores } else { scores + take(bias, ids) }
}
# `negatives`: how many are drawn uniformly for each example, or i32[N, K] drawn by the caller.
fn drawn_classes(negatives, examples: int, classes: int) {
  return if kind(negatives) == "tensor" { negatives } else { random_int([examples, negatives], 0, classes) }
}
# -log sigmoid of the first score and of minus the others.
fn first_against_others(scores: f32[N, K]) {
  return softplus(-scores[:, 0]) + sum(softplus(scores[:, 1:]), axis=1)
}

## Skip-gram's loss (Mikolov et al. 2013): tells the target class from `negatives` drawn ones. weight f32[V, D] and bias
## f32[V] are those of the output layer; `negatives` is a number, drawn uniformly, or i32[N, K].
fn negative_sampling(
  x: f32[N, D],
  weight: f32[V, D],
  target: i32[N],
  negatives = 5,
  bias = none,
  reduction: string = "mean",
) {
  drawn = drawn_classes(negatives, N, V)
  return reduce_loss(first_against_others(sampled_scores(x, weight, target, drawn, bias)), reduction)
}

## Noise-contrastive estimation (Mnih and Teh 2012): the same with scores relative to log(K * noise), so that they become
## log-probabilities. `noise` f32[V]: probability of each class to be drawn, uniform unless given with the ids.
fn nce(
  x: f32[N, D],
  weight: f32[V, D],
  target: i32[N],
  negatives = 5,
  bias = none,
  noise = none,
  reduction: string = "mean",
) {
  assert noise == none || kind(negatives) == "tensor",
    "nce: with `noise`, give the ids drawn from it as `negatives`"
  drawn = drawn_classes(negatives, N, V)
  scores = sampled_scores(x, weight, target, drawn, bias)
  expected = if noise == none { log(drawn.shape[1] / V) } else {
    log(drawn.shape[1] * take(noise, concat([unsqueeze(target, 1), drawn], axis=1)))
  }
  return reduce_loss(first_against_others(scores - expected), reduction)
}
