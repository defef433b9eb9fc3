import torch
def forward(x):
  return x
fn f(x, c) {
  x[0] = 1
  x.grad = none
  y = x if c else 2
  z = not x and y
  z = x or y
  z = x is none
  s = 'text'
  s = f"layer {i}"
  s = """doc"""
  g = lambda q: q + 1
  y = g(*x)
  return y
}
fn fine(x) { return x }
