## Character models in the manner of Karpathy's "The Unreasonable Effectiveness of Recurrent Neural Networks" (2015): text is
## learnt a character at a time. `CharRNN` is the plain recurrent network, `CharLSTM` the one that works; `CharSampler` uses
## the weights of CharLSTM to write.
const vocab = 96

## What CharLSTM and CharSampler share, so that they have the same parameters.
layer Net(ids: i32[N, T], width: int, hidden: int, layers: int, drop: float, initial = none) {
  y, ends = ids |> embed: Embedding(vocab, width)
                |> rnn: LSTM(hidden, layers=layers, initial=initial, return_state=true)
  return y |> dropout(drop) |> head: Linear(vocab), ends
}

## An LSTM over characters. Truncated back-propagation through time: in training, each batch starts where the one before
## ended, so row n of a batch must continue row n of the last. Predicting starts from zeros.
model CharLSTM(
  ids: i32[N, T = 64],
  width = 64,
  hidden = 256,
  layers = 2,
  drop = 0.2,
) -> logits: f32[N, T, vocab] {
  if training {
    state h: f32[layers, N, hidden] = zeros
    state c: f32[layers, N, hidden] = zeros
    logits, (h_end, c_end) = ids |> net: Net(width, hidden, layers, drop, initial=(h, c))
    update h = h_end
    update c = c_end
  } else {
    logits, _ = ids |> net: Net(width, hidden, layers, drop)
  }
}

## CharLSTM a character at a time, to write with: one character and the state so far in; probabilities of the next character
## and the new state out. A low temperature makes it cautious.
model CharSampler(
  id: i32[1, 1],
  h: f32[layers, 1, hidden],
  c: f32[layers, 1, hidden],
  width = 64,
  hidden = 256,
  layers = 2,
  temperature = 0.8,
) -> probabilities: f32[vocab], h_next, c_next {
  logits, (h_next, c_next) = id |> net: Net(width, hidden, layers, 0.0, initial=(h, c))
  probabilities = softmax(logits[0, 0] / temperature)
}

## A plain recurrent network with one hidden layer, each sequence on its own.
model CharRNN(ids: i32[N, T = 25], width = 32, hidden = 100) -> logits: f32[N, T, vocab] {
  logits = ids |> embed: Embedding(vocab, width) |> rnn: RNN(hidden) |> head: Linear(vocab)
}

train CharLSTM {
  ## The ids, moved by one: what should come next.
  input next: i32[N, T]
  loss = cross_entropy(logits, next, axis=-1)
  metric bits_per_character = loss / log(2.0)
  optimizer = adam(lr=2e-3)
  clip_norm = 5.0
}

train CharRNN {
  input next: i32[N, T]
  loss = cross_entropy(logits, next, axis=-1)
  metric bits_per_character = loss / log(2.0)
  optimizer = adagrad(lr=0.1)
  clip_value = 5.0
}
