## A LeNet-style digit classifier: convolutions, pooling, dropout, a schedule, and gradient clipping.
##
## A pipeline reads left to right; a label such as `conv1:` names the parameters of a layer (`conv1.weight`).
## Parameters with a default are hyper-parameters: try --set channels=[6,16] --set drop=0.2.
model LeNet(image: f32[N, 1, 28, 28], channels = [32, 64], hidden = 512, drop = 0.5, classes = 10) -> logits {
  x = image |> conv1: Conv2d(channels[0], kernel=5, padding=2) |> relu |> max_pool(2)
  x = x |> conv2: Conv2d(channels[1], kernel=5, padding=2) |> relu |> max_pool(2)
  x = x |> flatten |> fc1: Linear(hidden) |> relu |> dropout(drop)
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
