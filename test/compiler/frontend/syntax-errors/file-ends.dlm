model A(x: f32[N]) -> y {
  y = x x
