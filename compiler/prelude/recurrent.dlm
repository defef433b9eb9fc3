# Layers over sequences f32[N, T, ...], unrolled. Parameter names as in PyTorch. What is documented by `##` is in the reference.

fn checked_initial(initial, form: string) {
  assert initial == none || kind(initial) == "list" || kind(initial) == "tensor",
    "initial is " + form + ", got the " + kind(initial) + " " + str(initial)
  return initial
}

## A recurrent network: `act` of a linear map of input and state, f32[N, T, I] to f32[N, T, hidden]. With return_state=true a
## list: the sequence, and the last states f32[layers, N, hidden], which `initial` takes.
layer RNN(
  x: f32[N, T, I],
  hidden: int,
  layers: int = 1,
  act = tanh,
  initial = none,
  return_state: bool = false,
) {
  initial = checked_initial(initial, "the states of all layers")
  bound = 1 / sqrt(hidden)
  hs = []
  for l in range(layers) {
    param weight_ih_l{l} as w_ih: f32[hidden, x.shape[2]] = uniform(-bound, bound)
    param weight_hh_l{l} as w_hh: f32[hidden, hidden] = uniform(-bound, bound)
    param bias_ih_l{l} as b_ih: f32[hidden] = uniform(-bound, bound)
    param bias_hh_l{l} as b_hh: f32[hidden] = uniform(-bound, bound)
    h = if initial == none { zeros([N, hidden]) } else { initial[l] }
    steps = []
    projected = x @ transpose(w_ih) + b_ih + b_hh
    for t in range(T) {
      h = act(projected[:, t] + h @ transpose(w_hh))
      steps += [h]
    }
    x = stack(steps, axis=1)
    hs += [h]
  }
  return if return_state { (x, stack(hs, axis=0)) } else { x }
}

## Long short-term memory, f32[N, T, I] to f32[N, T, hidden]. With return_state=true a list: the sequence, and (h, c), each
## f32[layers, N, hidden], which `initial` takes.
layer LSTM(x: f32[N, T, I], hidden: int, layers: int = 1, initial = none, return_state: bool = false) {
  initial = checked_initial(initial, "(h, c), each the states of all layers")
  bound = 1 / sqrt(hidden)
  hs, cs = [], []
  for l in range(layers) {
    width = x.shape[2]
    param weight_ih_l{l} as w_ih: f32[4 * hidden, width] = uniform(-bound, bound)
    param weight_hh_l{l} as w_hh: f32[4 * hidden, hidden] = uniform(-bound, bound)
    param bias_ih_l{l} as b_ih: f32[4 * hidden] = uniform(-bound, bound)
    param bias_hh_l{l} as b_hh: f32[4 * hidden] = uniform(-bound, bound)
    h, c = if initial == none { (zeros([N, hidden]), zeros([N, hidden])) } else {
      (initial[0][l], initial[1][l])
    }
    steps = []
    projected = x @ transpose(w_ih) + b_ih + b_hh  # all steps at once
    for t in range(T) {
      i, f, g, o = split(projected[:, t] + h @ transpose(w_hh), 4, axis=-1)
      c = sigmoid(f) * c + sigmoid(i) * tanh(g)
      h = sigmoid(o) * tanh(c)
      steps += [h]
    }
    x = stack(steps, axis=1)
    hs += [h]
    cs += [c]
  }
  return if return_state { (x, (stack(hs, axis=0), stack(cs, axis=0))) } else { x }
}

## Gated recurrent units, f32[N, T, I] to f32[N, T, hidden]. With return_state=true a list: the sequence, and the last states
## f32[layers, N, hidden], which `initial` takes. The reset gate scales the state after its matrix, as in PyTorch; with
## reset_after=false before it, as in the original.
layer GRU(
  x: f32[N, T, I],
  hidden: int,
  layers: int = 1,
  initial = none,
  return_state: bool = false,
  reset_after: bool = true,
) {
  initial = checked_initial(initial, "the states of all layers")
  bound = 1 / sqrt(hidden)
  hs = []
  for l in range(layers) {
    param weight_ih_l{l} as w_ih: f32[3 * hidden, x.shape[2]] = uniform(-bound, bound)
    param weight_hh_l{l} as w_hh: f32[3 * hidden, hidden] = uniform(-bound, bound)
    param bias_ih_l{l} as b_ih: f32[3 * hidden] = uniform(-bound, bound)
    param bias_hh_l{l} as b_hh: f32[3 * hidden] = uniform(-bound, bound)
    h = if initial == none { zeros([N, hidden]) } else { initial[l] }
    steps = []
    projected = x @ transpose(w_ih) + b_ih
    for t in range(T) {
      ir, iz, new = split(projected[:, t], 3, axis=-1)
      hr, hz, old = split(h @ transpose(w_hh) + b_hh, 3, axis=-1)
      z, r = sigmoid(iz + hz), sigmoid(ir + hr)
      kept = if reset_after { r * old } else {
        (r * h) @ transpose(w_hh[2 * hidden :]) + b_hh[2 * hidden :]
      }
      n = tanh(new + kept)
      h = (1 - z) * n + z * h
      steps += [h]
    }
    x = stack(steps, axis=1)
    hs += [h]
  }
  return if return_state { (x, stack(hs, axis=0)) } else { x }
}

## Self-attention, or cross-attention when `key` (and `value`) are given: f32[N, T, D] to the same shape. `mask`, `causal` and
## `drop` as in attention. Parameter names as in torch.nn.MultiheadAttention.
layer MultiHeadAttention(
  query: f32[N, T, D],
  heads: int,
  key: f32[N, S, D] = none,
  value: f32[N, S, D] = none,
  causal: bool = false,
  mask: bool[...] = none,
  drop: float = 0.0,
  bias: bool = true,
) {
  assert D % heads == 0, "MultiHeadAttention: the width must be a multiple of heads"
  k_in = if key == none { query } else { key }
  v_in = if value == none { k_in } else { value }
  param in_proj_weight: f32[3 * D, D] = xavier_uniform()
  projected = [x @ transpose(in_proj_weight[i * D : (i + 1) * D]) for i, x in enumerate([query, k_in, v_in])]
  if bias {
    param in_proj_bias: f32[3 * D] = zeros
    projected = [x + in_proj_bias[i * D : (i + 1) * D] for i, x in enumerate(projected)]
  }
  q, k, v = [x |> reshape([N, x.shape[1], heads, D // heads]) |> permute([0, 2, 1, 3]) for x in projected]
  y = attention(q, k, v, causal=causal, mask=mask, drop=drop) |> permute([0, 2, 1, 3]) |> reshape([N, T, D])
  param out_proj.weight as w: f32[D, D] = uniform(-1 / sqrt(D), 1 / sqrt(D))
  y = y @ transpose(w)
  if bias {
    param out_proj.bias as b: f32[D] = zeros
    y += b
  }
  return y
}
