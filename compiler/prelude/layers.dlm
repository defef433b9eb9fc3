# Layers of feed-forward networks. Lower-case names used here (conv2d, take, var, ...) are builtin operations or functions
# of the other files. What is documented by `##` is in the reference; what has a plain comment serves the rest.

# A number for each of n axes, as a list. `what` names it in messages.
fn each(v, n: int, what: string) {
  known = kind(v) == "int" || kind(v) == "list" && len(v) == n
  assert known, what + " is an int or a list of " + str(n) + ", got the " + kind(v) + " " + str(v)
  return if kind(v) == "list" { v } else { [v] * n }
}

# The same for two axes.
fn pair(v, what: string) { return each(v, 2, what) }

# The extents of a kernel: a number for each of n axes.
fn kernel_of(v, n: int) {
  extents = each(v, n, "kernel")
  for extent in extents {
    assert extent >= 1, "kernel: extents are at least 1, got " + str(v)
  }
  return extents
}

# Channels of one group.
fn grouped(layer_name: string, channels: int, others: int, groups: int) {
  assert channels >= 1 && others >= 1, layer_name + ": channels are at least 1"
  assert groups >= 1, layer_name + ": groups is at least 1, got " + str(groups)
  assert channels % groups == 0 && others % groups == 0,
    layer_name + ": input and output channels must be multiples of groups"
  return channels // groups
}

# A number as text; without a fraction if it has none.
fn plain(x: float) { return if abs(x) < 1e9 && x % 1 <= 0 { str(int(x)) } else { str(x) } }

# The constant of a normalisation. PyTorch's first argument, the number of channels, would stand in its place.
fn checked_eps(layer_name: string, from_input: string, eps: float) {
  assert eps >= 0 && eps < 1,
    layer_name + ": the " + from_input + " from the input; eps is a small number, found " + plain(eps)
  return eps
}

# Padding (before, after) that keeps ceil(size / stride).
fn same_padding(size: int, kernel: int, stride: int, dilation: int) {
  total = max(0, ((size + stride - 1) // stride - 1) * stride + (kernel - 1) * dilation + 1 - size)
  return total // 2, total - total // 2
}

# A number, one for each axis, a pair (before, after) for each axis, or "same", as such pairs.
fn paddings(padding, size, kernel, stride, dilation) {
  if padding == "same" {
    return [same_padding(n, k, s, d) for n, k, s, d in zip(size, kernel, stride, dilation)]
  }
  assert kind(padding) != "string", "padding is an int, an int or pair for each axis, or \"same\""
  return [pair(p, "padding") for p in each(padding, len(size), "padding")]
}

## y = x @ transpose(weight) + bias over the last axis: f32[..., I] to f32[..., out].
layer Linear(x: f32[..., I], out: int, bias: bool = true, init = none) {
  bound = 1 / sqrt(I)
  param weight: f32[out, I] = if init == none { uniform(-bound, bound) } else { init }
  y = x @ transpose(weight)
  if bias {
    param bias as b: f32[out] = uniform(-bound, bound)
    y += b
  }
  return y
}

## 1-D convolution, f32[N, C, L] to f32[N, out, L2]. `padding`: a number, a pair (before, after) or "same", which keeps
## ceil(size / stride).
layer Conv1d(
  x: f32[N, C, L],
  out: int,
  kernel: int,
  stride: int = 1,
  padding = 0,
  dilation: int = 1,
  groups: int = 1,
  bias: bool = true,
) {
  pads = if padding == "same" { same_padding(L, kernel, stride, dilation) } else { pair(padding, "padding") }
  bound = 1 / sqrt(grouped("Conv1d", C, out, groups) * kernel_of(kernel, 1)[0])
  param weight: f32[out, C // groups, kernel] = uniform(-bound, bound)
  y = conv2d(
    unsqueeze(x, 2),
    unsqueeze(weight, 2),
    stride=(1, stride),
    padding=((0, 0), pads),
    dilation=(1, dilation),
    groups=groups,
  )
  y = squeeze(y, 2)
  if bias {
    param bias as b: f32[out] = uniform(-bound, bound)
    y += reshape(b, [out, 1])
  }
  return y
}

## 2-D convolution, f32[N, C, H, W] to f32[N, out, H2, W2]. `kernel`, `stride`, `dilation`: a number or a pair. `padding`: a
## number; for each axis a number or a pair (before, after); or "same", which keeps ceil(size / stride).
layer Conv2d(
  x: f32[N, C, H, W],
  out: int,
  kernel,
  stride = 1,
  padding = 0,
  dilation = 1,
  groups: int = 1,
  bias: bool = true,
) {
  kh, kw = kernel_of(kernel, 2)
  strides, dilations = pair(stride, "stride"), pair(dilation, "dilation")
  pads = paddings(padding, (H, W), (kh, kw), strides, dilations)
  bound = 1 / sqrt(grouped("Conv2d", C, out, groups) * kh * kw)
  param weight: f32[out, C // groups, kh, kw] = uniform(-bound, bound)
  y = conv2d(x, weight, stride=strides, padding=pads, dilation=dilations, groups=groups)
  if bias {
    param bias as b: f32[out] = uniform(-bound, bound)
    y += reshape(b, [out, 1, 1])
  }
  return y
}

## 3-D convolution, f32[N, C, D, H, W] to f32[N, out, D2, H2, W2]. `kernel`, `stride`, `dilation`: a number or three;
## `padding` as in Conv2d.
layer Conv3d(
  x: f32[N, C, D, H, W],
  out: int,
  kernel,
  stride = 1,
  padding = 0,
  dilation = 1,
  groups: int = 1,
  bias: bool = true,
) {
  window = kernel_of(kernel, 3)
  strides, dilations = each(stride, 3, "stride"), each(dilation, 3, "dilation")
  pads = paddings(padding, (D, H, W), window, strides, dilations)
  bound = 1 / sqrt(grouped("Conv3d", C, out, groups) * window[0] * window[1] * window[2])
  param weight: f32[out, C // groups, ...window] = uniform(-bound, bound)
  y = conv3d(x, weight, stride=strides, padding=pads, dilation=dilations, groups=groups)
  if bias {
    param bias as b: f32[out] = uniform(-bound, bound)
    y += reshape(b, [out, 1, 1, 1])
  }
  return y
}

## The transpose of a 2-D convolution, which grows images: f32[N, C, H, W] to f32[N, out, H2, W2] with
## H2 = (H - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1. Arguments: a number or a pair.
layer ConvTranspose2d(
  x: f32[N, C, H, W],
  out: int,
  kernel,
  stride = 1,
  padding = 0,
  output_padding = 0,
  dilation = 1,
  groups: int = 1,
  bias: bool = true,
) {
  kh, kw = kernel_of(kernel, 2)
  bound = 1 / sqrt(grouped("ConvTranspose2d", out, C, groups) * kh * kw)
  param weight: f32[C, out // groups, kh, kw] = uniform(-bound, bound)
  y = conv_transpose2d(
    x,
    weight,
    stride=pair(stride, "stride"),
    padding=pair(padding, "padding"),
    output_padding=pair(output_padding, "output_padding"),
    dilation=pair(dilation, "dilation"),
    groups=groups,
  )
  if bias {
    param bias as b: f32[out] = uniform(-bound, bound)
    y += reshape(b, [out, 1, 1])
  }
  return y
}

## The transpose of a 1-D convolution, as ConvTranspose2d: f32[N, C, L] to f32[N, out, L2].
layer ConvTranspose1d(
  x: f32[N, C, L],
  out: int,
  kernel: int,
  stride: int = 1,
  padding: int = 0,
  output_padding: int = 0,
  dilation: int = 1,
  groups: int = 1,
  bias: bool = true,
) {
  bound = 1 / sqrt(grouped("ConvTranspose1d", out, C, groups) * kernel_of(kernel, 1)[0])
  param weight: f32[C, out // groups, kernel] = uniform(-bound, bound)
  y = conv_transpose2d(
    unsqueeze(x, 2),
    unsqueeze(weight, 2),
    stride=(1, stride),
    padding=(0, padding),
    output_padding=(0, output_padding),
    dilation=(1, dilation),
    groups=groups,
  )
  y = squeeze(y, 2)
  if bias {
    param bias as b: f32[out] = uniform(-bound, bound)
    y += reshape(b, [out, 1])
  }
  return y
}

## The transpose of a 3-D convolution, as ConvTranspose2d: f32[N, C, D, H, W] to f32[N, out, D2, H2, W2]. Arguments: a number
## or three.
layer ConvTranspose3d(
  x: f32[N, C, D, H, W],
  out: int,
  kernel,
  stride = 1,
  padding = 0,
  output_padding = 0,
  dilation = 1,
  groups: int = 1,
  bias: bool = true,
) {
  window = kernel_of(kernel, 3)
  bound = 1 / sqrt(grouped("ConvTranspose3d", out, C, groups) * window[0] * window[1] * window[2])
  param weight: f32[C, out // groups, ...window] = uniform(-bound, bound)
  y = conv_transpose3d(
    x,
    weight,
    stride=each(stride, 3, "stride"),
    padding=each(padding, 3, "padding"),
    output_padding=each(output_padding, 3, "output_padding"),
    dilation=each(dilation, 3, "dilation"),
    groups=groups,
  )
  if bias {
    param bias as b: f32[out] = uniform(-bound, bound)
    y += reshape(b, [out, 1, 1, 1])
  }
  return y
}

## A convolution whose weights differ at every place: f32[N, C, H, W] to f32[N, out, oh, ow]; no padding.
layer LocallyConnected2d(x: f32[N, C, H, W], out: int, kernel, stride = 1, bias: bool = true) {
  kh, kw = kernel_of(kernel, 2)
  sh, sw = pair(stride, "stride")
  oh, ow = (H - kh) // sh + 1, (W - kw) // sw + 1
  bound = 1 / sqrt(C * kh * kw)
  param weight: f32[out, C, kh * kw, oh, ow] = uniform(-bound, bound)
  patches = stack(
    [
      x[:, :, r : r + (oh - 1) * sh + 1 : sh, s : s + (ow - 1) * sw + 1 : sw]
      for r in range(kh)
      for s in range(kw)
    ],
    axis=2,
  )
  y = einsum("ncpij,ocpij->noij", patches, weight)
  if bias {
    param bias as b: f32[out, oh, ow] = uniform(-bound, bound)
    y += b
  }
  return y
}

## Normalises each channel over all other axes: f32[N, C, ...] to the same shape. In training by the batch, whose statistics
## move the running ones; when predicting by these.
layer BatchNorm(x: f32[N, C, ...rest], eps: float = 1e-5, momentum: float = 0.1, affine: bool = true) {
  eps = checked_eps("BatchNorm", "channels come", eps)
  state running_mean: f32[C] = zeros
  state running_var: f32[C] = ones
  m, v = running_mean, running_var
  if training {
    count = x.size // C
    assert count > 1, "BatchNorm needs more than one value per channel in training"
    axes = [0] + range(2, x.rank)
    m = mean(x, axes)
    v = var(x, axes, unbiased=false)
    update running_mean = (1 - momentum) * running_mean + momentum * m
    update running_var = (1 - momentum) * running_var + momentum * count / (count - 1) * v
  }
  shape = [C] + [1] * len(rest)
  y = (x - reshape(m, shape)) / sqrt(reshape(v, shape) + eps)
  if affine {
    param weight: f32[C] = ones
    param bias: f32[C] = zeros
    y = y * reshape(weight, shape) + reshape(bias, shape)
  }
  return y
}

## Normalises over the last `dims` axes: f32[...] to the same shape.
layer LayerNorm(x: f32[...shape], dims: int = 1, eps: float = 1e-5, affine: bool = true) {
  eps = checked_eps("LayerNorm", "width comes", eps)
  assert dims >= 1 && dims <= x.rank,
    "LayerNorm: the width comes from the input; dims is how many of the last axes are normalised, 1 unless told, found " +
      str(dims)
  axes = range(x.rank - dims, x.rank)
  y = (x - mean(x, axes, keepdims=true)) / sqrt(var(x, axes, unbiased=false, keepdims=true) + eps)
  if affine {
    param weight: f32[...shape[-dims:]] = ones
    param bias: f32[...shape[-dims:]] = zeros
    y = y * weight + bias
  }
  return y
}

## Divides by the root of the mean square over the last axis: f32[..., D] to the same shape.
layer RMSNorm(x: f32[..., D], eps: float = 1e-6) {
  eps = checked_eps("RMSNorm", "width comes", eps)
  param weight: f32[D] = ones
  return x / sqrt(mean(x * x, -1, keepdims=true) + eps) * weight
}

## Normalises each of `groups` groups of channels of each example: f32[N, C, ...] to the same shape.
layer GroupNorm(x: f32[N, C, ...rest], groups: int, eps: float = 1e-5, affine: bool = true) {
  eps = checked_eps("GroupNorm", "channels come", eps)
  assert groups >= 1 && C % groups == 0,
    "GroupNorm: channels must be a multiple of groups, which is at least 1"
  g = reshape(x, [N, groups, -1])
  g = (g - mean(g, 2, keepdims=true)) / sqrt(var(g, 2, unbiased=false, keepdims=true) + eps)
  y = reshape(g, x.shape)
  if affine {
    shape = [C] + [1] * len(rest)
    param weight: f32[C] = ones
    param bias: f32[C] = zeros
    y = y * reshape(weight, shape) + reshape(bias, shape)
  }
  return y
}

## Normalises each channel of each example: f32[N, C, ...] to the same shape. Without parameters unless affine=true, as in
## PyTorch.
layer InstanceNorm(x: f32[N, C, ...rest], eps: float = 1e-5, affine: bool = false) {
  eps = checked_eps("InstanceNorm", "channels come", eps)
  axes = range(2, x.rank)
  y = (x - mean(x, axes, keepdims=true)) / sqrt(var(x, axes, unbiased=false, keepdims=true) + eps)
  if affine {
    shape = [C] + [1] * len(rest)
    param weight: f32[C] = ones
    param bias: f32[C] = zeros
    y = y * reshape(weight, shape) + reshape(bias, shape)
  }
  return y
}

## A vector for each id below `count`: i32[...] to f32[..., dim].
layer Embedding(ids: i32[...], count: int, dim: int, init = normal(1.0)) {
  param weight: f32[count, dim] = init
  return take(weight, ids)
}

## x where it is positive, else a learnt multiple of it, one for all channels or one each: f32[N, ...] to the same shape.
layer PReLU(x: f32[N, ...rest], channels: int = 1, init = 0.25) {
  param weight: f32[channels] = init
  slope = if channels > 1 { reshape(weight, [channels] + [1] * (len(rest) - 1)) } else { weight }
  return where(x > 0, x, x * slope)
}

## The maximum of `pieces` linear maps over the last axis: f32[..., I] to f32[..., out].
layer Maxout(x: f32[...rest, I], out: int, pieces: int = 2) {
  return x |> linear: Linear(out * pieces) |> reshape(rest + [out, pieces]) |> max(axis=-1)
}
