## Logistic regression: the smallest model that learns, and what every part of a file is for.
##
## A model maps inputs to outputs; upper-case names such as `Linear` own parameters, lower-case ones such as `flatten` do
## not. A train block says what a good output is (`loss`) and how parameters move (`optimizer`).
model Logistic(image: f32[N, 1, 28, 28], classes = 10) -> logits {
  logits = image |> flatten |> fc: Linear(classes)
}

train Logistic {
  ## The digit in the picture.
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(lr=0.1, momentum=0.9)
}
