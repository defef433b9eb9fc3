import { a b } from "./x.dlm"
import a from "./x.dlm"
import { a } from './x.dlm'
model A(x: f32[N, , 3], y: f32[N) -> {
  y = x +
}
model B(x: f32[N]) { y = x }
model C(x: f32[N]) -> y: { y = x }
fn d(x) -> y { y = x }
layer (x) { return x }
layer F { return x }
fn g(if, x = ) { return x }
const = 3
const k 3
fn fine(x) { return x }
