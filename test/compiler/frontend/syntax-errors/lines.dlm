// not a comment
fn f(x)
{
  y = x
    + 2
    * 3
  y = x -
  z = 3
  // not a comment either, whatever (it says
  if x
  {
    y = 2
  }
  else { y = 3 } z = 4
  y = 1; ; y = 2 3
  return y
}
fn fine(x) { return x }
