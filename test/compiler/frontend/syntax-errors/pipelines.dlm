layer A(x) {
  y = x |> relu + x |> tanh
  y = x |> (relu)
  y = x |> relu[0]
  y = x |> relu.shape
  y = x |> layer {1}: Linear(3)
  y = x |> conv . one: Linear(3)
  y = x |> : Linear(4)
  y = x |> conv1:
  y = x |> conv1: 3
  y = x |> in
  y = conv1: relu
  y = x |> nn.Linear(3)
  return x |>
}
fn fine(x) { return x }
