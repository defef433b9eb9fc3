/** What the user may have meant: the nearest name, and the spelling here of what other libraries call differently. */

/** Edit distance with swaps of neighbours, or Infinity above `limit`. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Number.POSITIVE_INFINITY;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let d = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, before[j - 2]! + 1);
      next.push(d);
    }
    before = row;
    row = next;
  }
  return row[b.length]! <= limit ? row[b.length]! : Number.POSITIVE_INFINITY;
}

/** The candidate closest to `name`: the same letters in another case, or at most a third of them wrong. */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  const limit = Math.max(1, Math.floor(name.length / 3));
  let best: string | null = null;
  let least = limit + 1;
  if (name.length > 64) return null;
  for (const c of candidates) {
    if (c === name) continue;
    const d = c.toLowerCase() === name.toLowerCase() ? 0.5 : editDistance(name, c, limit);
    if (d < least) [best, least] = [c, d];
  }
  return name.length < 2 && least > 0.5 ? null : best;
}

/** Names of PyTorch, Keras and NumPy, and what to write here. */
const elsewhere: Readonly<Record<string, string>> = {
  True: "true",
  False: "false",
  None: "none",
  null: "none",
  and: "&&",
  or: "||",
  not: "!",
  self: "the names of the body; there is no `self`",
  torch: "the function itself: `torch.relu(x)` is `relu(x)`",
  nn: "the layer itself: `nn.Linear(...)` is `Linear(...)`",
  F: "the function itself: `F.relu(x)` is `relu(x)`",
  np: "the function itself: `np.exp(x)` is `exp(x)`",
  jnp: "the function itself: `jnp.exp(x)` is `exp(x)`",
  Dense: "Linear",
  Conv2D: "Conv2d",
  Conv1D: "Conv1d",
  BatchNorm1d: "BatchNorm",
  BatchNorm2d: "BatchNorm",
  BatchNorm3d: "BatchNorm",
  BatchNormalization: "BatchNorm",
  LayerNormalization: "LayerNorm",
  InstanceNorm2d: "InstanceNorm",
  MultiheadAttention: "MultiHeadAttention",
  ReLU: "relu",
  ReLU6: "relu6",
  LeakyReLU: "leaky_relu",
  GELU: "gelu",
  SiLU: "silu",
  Swish: "silu",
  swish: "silu",
  ELU: "elu",
  Sigmoid: "sigmoid",
  Tanh: "tanh",
  Softmax: "softmax",
  LogSoftmax: "log_softmax",
  Hardswish: "hard_swish",
  hardswish: "hard_swish",
  Softplus: "softplus",
  Dropout: "dropout",
  Dropout2d: "dropout of a mask: `x * dropout(ones([N, C, 1, 1]))` drops whole channels",
  any: "max(x) of a bool tensor: it is true where anything is",
  all: "min(x) of a bool tensor: it is true where everything is",
  interpolate: "upsample",
  bce: "bce_with_logits, which takes the values before the sigmoid",
  binary_cross_entropy: "bce_with_logits, which takes the values before the sigmoid",
  Sequential: "a pipeline: `x |> a: Linear(8) |> relu |> b: Linear(4)`",
  masked_fill: "where(mask, value, x)",
  tan: "sin(x) / cos(x)",
  topk: "top_k",
  logsumexp: "log(sum(exp(x - m), axis, keepdims=true)) + m, with m = max(x, axis, keepdims=true)",
  Flatten: "flatten",
  MaxPool2d: "max_pool",
  MaxPool1d: "max_pool",
  MaxPooling2D: "max_pool",
  max_pool2d: "max_pool",
  AvgPool2d: "avg_pool",
  AveragePooling2D: "avg_pool",
  avg_pool2d: "avg_pool",
  AdaptiveAvgPool2d: "adaptive_avg_pool",
  adaptive_avg_pool2d: "adaptive_avg_pool",
  GlobalAveragePooling2D: "global_avg_pool",
  CrossEntropyLoss: "cross_entropy",
  MSELoss: "mse",
  mse_loss: "mse",
  L1Loss: "l1_loss",
  NLLLoss: "nll",
  nll_loss: "nll",
  HuberLoss: "huber",
  SmoothL1Loss: "smooth_l1",
  smooth_l1_loss: "smooth_l1",
  BCEWithLogitsLoss: "bce_with_logits",
  binary_cross_entropy_with_logits: "bce_with_logits",
  SGD: "sgd",
  Adam: "adam",
  AdamW: "adamw",
  cat: "concat",
  concatenate: "concat",
  chunk: "split",
  unbind: "unstack",
  expand_dims: "unsqueeze",
  swapaxes: "transpose",
  view: "reshape",
  mm: "matmul",
  bmm: "matmul",
  dot: "matmul",
  clip: "clamp",
  astype: "cast",
  pow: "`**`",
  gather_nd: "gather",
  repeat: "tile",
  repeat_interleave: "upsample",
  xavier: "xavier_uniform",
  glorot: "xavier_uniform",
  he: "he_normal",
  kaiming: "he_normal",
  kaiming_normal: "he_normal",
  kaiming_uniform: "he_uniform",
  glorot_normal: "xavier_normal",
  glorot_uniform: "xavier_uniform",
  StepLR: "step_decay",
  print: "`str` in an `assert` message; nothing prints while compiling",
  tuple: "a list: (a, b) and [a, b] are the same",
};
/** Arguments that have another name here; null: the argument is not needed. */
const argumentsElsewhere: Readonly<Record<string, string | null>> = {
  kernel_size: "kernel",
  filters: "out",
  out_channels: "out",
  out_features: "out",
  units: "out",
  in_channels: null,
  in_features: null,
  num_features: null,
  num_channels: null,
  normalized_shape: null,
  inplace: null,
  input_size: null,
  batch_first: null,
  dim: "axis",
  dims: "axes",
  keepdim: "keepdims",
  negative_slope: "slope",
  strides: "stride",
  pad: "padding",
  dilation_rate: "dilation",
  ceil_mode: "ceil",
  label_smoothing: "smoothing",
  num_groups: "groups",
  num_embeddings: "count",
  embedding_dim: "dim",
  num_heads: "heads",
  hidden_size: "hidden",
  num_layers: "layers",
  learning_rate: "lr",
  step_size: "every",
  gamma: "factor",
  num_classes: "depth",
  use_bias: "bias",
  epsilon: "eps",
  training_mode: "training",
  p: "p",
  rate: "p",
  shifts: "shift",
  correction: "unbiased",
  ddof: "unbiased",
  start_dim: "from",
  scale_factor: "scale",
};
const methods: Readonly<Record<string, string>> = {
  view: "reshape(x, [...])",
  size: "x.shape",
  dim: "x.rank",
  ndim: "x.rank",
  numel: "x.size",
  t: "transpose(x)",
  T: "transpose(x)",
  float: "cast(x, f32)",
  int: "cast(x, i32)",
  long: "cast(x, i32)",
  bool: "cast(x, bool)",
  to: "cast(x, f32)",
  type: "cast(x, f32)",
  astype: "cast(x, f32)",
  detach: "stop_gradient(x)",
  contiguous: "x; every tensor is contiguous",
  clone: "x; a tensor never changes",
  item: "x; a tensor has no value while compiling",
  cuda: "x",
  cpu: "x",
  pow: "x ** p",
  append: "xs += [v]",
  extend: "xs += ys",
  expand: "broadcast(x, [...])",
  length: "len(xs)",
};

/** Help for a name that nothing has. */
export function helpForName(name: string, known: Iterable<string>): string | null {
  const other = Object.hasOwn(elsewhere, name) ? elsewhere[name]! : null;
  if (other !== null) return /[ `]/.test(other) ? `write ${other}` : `write \`${other}\``;
  const near = nearest(name, known);
  return near === null ? null : `did you mean \`${near}\`?`;
}
/** Help for an argument that the callee does not have. */
export function helpForArgument(name: string, known: readonly string[]): string | null {
  const other = Object.hasOwn(argumentsElsewhere, name) ? argumentsElsewhere[name]! : undefined;
  if (other === null) return `leave it out: \`${name}\` is known from the input`;
  if (other !== undefined && known.includes(other)) return `it is called \`${other}\` here`;
  const near = nearest(name, known);
  if (near !== null) return `did you mean \`${near}\`?`;
  return known.length ? `its parameters are ${known.map((k) => `\`${k}\``).join(", ")}` : "it takes no arguments";
}
/** Help for `x.name` on a tensor or list, `x` being `subject`. */
export function helpForMember(name: string, subject: string, functions: Iterable<string>): string | null {
  const known = Object.hasOwn(methods, name) ? methods[name]! : null;
  if (known !== null) return `write ${known.replace(/\bxs?\b/g, subject)}`;
  for (const f of functions) if (f === name) return `write ${name}(${subject}, ...) or ${subject} |> ${name}(...)`;
  const near = nearest(name, ["shape", "rank", "size", "dtype"]);
  return near === null ? null : `did you mean \`.${near}\`?`;
}
