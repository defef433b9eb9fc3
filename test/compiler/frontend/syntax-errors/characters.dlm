fn f(x) {
  s = "no end
  s = "bad \q escape"
  s = "control  character"
  y = x  1
  y = x é 1
  y = x + 1
  s = “quoted”
  y = 99999999999999999999
  y = 1e999
  y = $x
	y = `x`
  y = 3x
  y = x.0
}
fn fine(x) { return x }
