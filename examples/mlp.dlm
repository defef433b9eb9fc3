## A multi-layer perceptron: functions and layers are values, lists unroll at compile time.
##
## `widths` and `act` are hyper-parameters, fixed when compiling; try --set widths=[64,64,64] --set act=tanh.
model MLP(image: f32[N, 1, 28, 28], widths = [256, 128], act = relu, classes = 10) -> logits {
  x = flatten(image)
  for i, width in enumerate(widths) {
    x = x |> fc{i + 1}: Linear(width, init=he_normal()) |> act
  }
  logits = x |> head: Linear(classes)
}

train MLP {
  ## The digit in the picture.
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(lr=0.05, momentum=0.9, weight_decay=1e-4)
}
