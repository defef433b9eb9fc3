## LeNet-5 (LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition"), layers named as in its figure 2:
## digits of 28x28 in a frame of 32x32, two convolutions with averaging behind them, three linear layers.
##
## As most implementations do: every map of C3 sees all of S2 (the paper leaves out 40 % of the connections), S2 and S4 have no
## coefficients, and the output is linear with a softmax (the paper: distances to drawings of the characters).
model LeNet5(image: f32[N, 1, 32, 32], act = tanh, classes = 10) -> logits {
  x = image |> c1: Conv2d(6, kernel=5) |> act |> avg_pool(2)
  x = x |> c3: Conv2d(16, kernel=5) |> act |> avg_pool(2)
  x = x |> c5: Conv2d(120, kernel=5) |> act |> flatten |> f6: Linear(84) |> act
  logits = x |> output: Linear(classes)
}

train LeNet5 {
  ## The digit in the picture.
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(lr=step_decay(0.05, every=2000, factor=0.5), momentum=0.9)
}
