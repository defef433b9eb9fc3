## Soft attention over a feature map (Xu et al. 2015, "Show, Attend and Tell"): a recurrent network writes a caption, and for
## each word looks at the picture where its state tells it to: a mean of the map's places, weighted by a softmax. Everything is
## differentiable, so where to look is learnt from the words alone, and can be shown.
import { Features, vgg19 } from "./vgg.dlm"

## The mean of features f32[N, L, D] weighted by how well each fits the state; and the weights. (Bahdanau et al. 2014.)
layer SoftAttention(features: f32[N, L, D], h: f32[N, S], width: int) {
  fit = tanh(
    (features |> from_features: Linear(width)) + unsqueeze(h |> from_state: Linear(width, bias=false), 1),
  )
  weights = softmax(fit |> score: Linear(1) |> squeeze(2))
  return einsum("nl,nld->nd", weights, features), weights
}

## One step of an LSTM over a vector.
layer Cell(x: f32[N, I], h: f32[N, S], c: f32[N, S]) {
  gates = (x |> input: Linear(4 * S)) + (h |> state: Linear(4 * S, bias=false))
  i, f, g, o = split(gates, 4, axis=-1)
  c = sigmoid(f) * c + sigmoid(i) * tanh(g)
  return sigmoid(o) * tanh(c), c
}

## Captions pictures and shows where it looked: words so far in, scores of the next word at each place out; and for each the
## map of where it looked.
model ShowAttendTell(
  image: f32[N, 3, H = 224, W = 224],
  words: i32[N, T = 20],
  plan = vgg19[:-1],
  vocab = 10_000,
  hidden = 512,
  drop = 0.5,
) -> logits: f32[N, T, vocab], attention {
  maps, _ = image |> features: Features(plan)
  _, D, rows, columns = maps.shape
  features = maps |> reshape([N, D, rows * columns]) |> transpose
  embedded = words |> embed: Embedding(vocab, hidden)
  middle = mean(features, axis=1)
  h, c = tanh(middle |> init_h: Linear(hidden)), tanh(middle |> init_c: Linear(hidden))

  use attend = SoftAttention(hidden)
  use cell = Cell
  use gate = Linear(1)
  states, maps_seen = [], []
  for t in range(T) {
    seen, weights = attend(features, h)
    h, c = cell(concat([embedded[:, t], sigmoid(gate(h)) * seen], axis=1), h, c)
    states += [h]
    maps_seen += [weights]
  }
  attention = stack(maps_seen, axis=1) |> reshape([N, T, rows, columns])
  logits = stack(states, axis=1) |> dropout(drop) |> output: Linear(vocab)
}

## The second term asks every place to be looked at once in the whole sentence ("doubly stochastic" attention).
train ShowAttendTell {
  ## The words, moved by one: what should come next.
  input next: i32[N, T]
  freeze "features.*"
  coverage = mean(sum((1 - sum(attention, axis=1)) ** 2, axis=[1, 2]))
  loss = cross_entropy(logits, next, axis=-1) + coverage
  metric coverage = coverage
  metric accuracy = mean(argmax(logits) == next)
  optimizer = adam(lr=4e-4)
  clip_value = 5.0
}
