## A LeNet-style digit classifier: convolutions, pooling, dropout, a schedule, and gradient clipping.
##
## A pipeline reads left to right; a label such as `conv1:` names the parameters of a layer (`conv1.weight`).
model LeNet(image: f32[N, 1, 28, 28], classes = 10) -> logits {
  x = image |> conv1: Conv2d(32, kernel=5, padding=2) |> relu |> max_pool(2)
  x = x |> conv2: Conv2d(64, kernel=5, padding=2) |> relu |> max_pool(2)
  x = x |> flatten |> fc1: Linear(512) |> relu |> dropout(0.5)
  logits = x |> fc2: Linear(classes)
}

train LeNet {
  ## The digit in the picture.
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(lr=step_decay(0.05, every=500, factor=0.5), momentum=0.9, nesterov=true, weight_decay=5e-4)
  clip_norm = 5.0
}
