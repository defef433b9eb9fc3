fn f(x, c) {
  while x > 0 { x = x - 1 }
  if x in c { y = 1 }
  if c: y = 2
  elif x { y = 3 }
  for i in range(3):
    y = i
  d = { "a": 1 }
  a = 1. + .5
  y = g(a: 1)
  z = 0 < x < 1
  return y   // the result
}
class Net { }
fn fine(x) { return x }
