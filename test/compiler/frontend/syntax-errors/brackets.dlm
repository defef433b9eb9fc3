layer Missing(x) {
  h = x |> first: Linear(10 |> relu
  y = h |> second: Linear(
    3
  z = [1, (2, 3]
  return x
}
fn header(x, y { return x }
layer Outer(x) {
  if training {
    for i in range(3) {
      x = x |> fc{i}: Linear(3)
  }
  return x
}
fn extra(x) {
  y = f(x))
  return y
}
}
fn fine(x) { return x }
