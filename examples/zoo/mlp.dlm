## Networks without convolutions, for vectors (--dim D=2) or flattened pictures: start here.

## Logistic regression: one linear layer; the softmax is part of the loss.
model Logistic(x: f32[N, D = 784], classes = 10) -> logits {
  logits = x |> fc: Linear(classes)
}

## A multi-layer perceptron. `act` is any function of a tensor: --set act=tanh, sigmoid, leaky_relu, elu, selu, gelu, silu, ...
model MLP(x: f32[N, D = 784], widths = [256, 128], act = relu, classes = 10) -> logits {
  for i, width in enumerate(widths) { x = x |> fc{i + 1}: Linear(width, init=he_normal()) |> act }
  logits = x |> head: Linear(classes)
}

## Activations with parameters of their own are layers: Maxout (Goodfellow et al. 2013) and PReLU (He et al. 2015).
model MaxoutMLP(x: f32[N, D = 784], widths = [240, 240], pieces = 5, classes = 10) -> logits {
  for i, width in enumerate(widths) { x = x |> fc{i + 1}: Maxout(width, pieces) |> prelu{i + 1}: PReLU }
  logits = x |> head: Linear(classes)
}

train Logistic {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(lr=0.1, momentum=0.9)
}

train MLP {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(lr=0.05, momentum=0.9, weight_decay=1e-4)
}

train MaxoutMLP {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(lr=0.01, momentum=0.9)
}
