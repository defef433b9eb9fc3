train Net {
  input label i32[N]
  input label: f32[
  metric loss
  freeze *.bias
  freeze
  param w = 3
  param w: f32[3]
  state 3
  use Linear(3)
  use x: Linear(3)
  update x
  optimizer "*.bias" sgd(lr=0.1)
  optimizer = sgd(lr=0.1,, momentum=0.9)
  for i range(3) { x = 1 }
  assert
  return
  fn inner(x) { return x }
  else { x = 1 }
  in = 3
}
fn fine(x) { return x }
