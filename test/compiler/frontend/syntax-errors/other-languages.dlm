export fn a(x) { return x }
x = 3
fn b(x) {
  let y = 3
  y := 4
  y: f32[3] = 5
  z = c ? 1 : 2
  z = c & d
  z = c | d
  z = x ^ 2
  z = ~c
  z = x === y
  z = x <> y
  z = x => x
  x++
  if x = 3 { y = 1 }
  const k = 4
  /* a comment */
  return x \
}
function c(x) { return x }
fn fine(x) { return x }
