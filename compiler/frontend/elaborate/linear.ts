/** Products and powers of tensors. */
import type { Span } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { shapeError } from "../../../ir/op.ts";
import { ops } from "../../../ir/ops/index.ts";
import { complain, type Frame } from "./frame.ts";
import { showType } from "./values.ts";

/** NumPy's `@`: a vector on the left is a row, on the right a column, and the axis it lent is gone in the result. */
export function matmul(a: Node, b: Node): Node {
  if (a.type.shape.length === 0 || b.type.shape.length === 0) {
    return shapeError(`matmul needs at least one dimension, got ${showType(a.type)} and ${showType(b.type)}`, "for scalars, write *");
  }
  const row = a.type.shape.length === 1;
  const column = b.type.shape.length === 1;
  const left = row ? ops.reshape({ x: a }, { shape: [1, ...a.type.shape] }) : a;
  const right = column ? ops.reshape({ x: b }, { shape: [...b.type.shape, 1] }) : b;
  const y = ops.matmul({ a: left, b: right });
  if (!row && !column) return y;
  const { shape } = y.type;
  const lead = shape.slice(0, -2);
  return ops.reshape({ x: y }, { shape: [...lead, ...(row ? [] : [shape.at(-2)!]), ...(column ? [] : [shape.at(-1)!])] });
}

/** Small whole exponents are products: exact, and defined for negative bases. */
export function power(frame: Frame, a: Node, b: Node, exponent: number | null, span: Span): Node {
  const { dtype } = a.type;
  if (exponent !== null && Number.isInteger(exponent) && exponent > 0 && exponent <= 16) return repeated(a, exponent);
  if (dtype !== "f32") {
    const help = "write cast(x, f32) ** ...";
    return complain(frame, "type", `\`**\` on a tensor of type ${dtype} needs a constant exponent from 1 to 16`, span, { help });
  }
  const one = ops.full({}, { value: 1, dtype, shape: [] });
  if (exponent === 0) return ops.broadcast({ x: one }, { shape: a.type.shape });
  if (exponent === 0.5) return ops.sqrt({ x: a });
  if (exponent === -0.5) return ops.div({ a: one, b: ops.sqrt({ x: a }) });
  if (exponent !== null && Number.isInteger(exponent) && exponent >= -16 && exponent < 0)
    return ops.div({ a: one, b: repeated(a, -exponent) });
  return ops.pow({ a, b });
}
/** x ** n by squaring. */
function repeated(x: Node, n: number): Node {
  if (n === 1) return x;
  const half = repeated(x, n >> 1);
  const square = ops.mul({ a: half, b: half });
  return n & 1 ? ops.mul({ a: square, b: x }) : square;
}
