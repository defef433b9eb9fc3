/**
 * Random matrices whose rows, or columns where they are fewer, are orthonormal (Saxe et al. 2013): the orthogonal factor
 * Q of the polar decomposition A = P Q of a normal matrix, which is as uniformly distributed as that of QR, which PyTorch
 * takes. Q has the singular vectors of A and the singular values 1, so odd polynomials that draw every singular value to 1
 * lead from A to Q, by matrix products alone (Newton and Schulz).
 */
import type { Node } from "../../../../ir/graph/graph.ts";
import { shapeError } from "../../../../ir/op.ts";
import { ops } from "../../../../ir/ops/index.ts";
import { type Shape, sizeOf } from "../../../../ir/type.ts";
import { scalar } from "./elementwise.ts";

const add = (a: Node, b: Node): Node => ops.add({ a, b });
const mul = (a: Node, b: Node): Node => ops.mul({ a, b });
const matmul = (a: Node, b: Node): Node => ops.matmul({ a, b });
const transpose = (x: Node): Node => ops.permute({ x }, { axes: [1, 0] });

/** From normal numbers of any shape: a matrix of dimension 0 by all others, times `gain`. */
export function orthogonal(shape: Shape, normal: Node, gain: number): Node {
  if (shape.length < 2) return shapeError(`orthogonal needs at least 2 dimensions, got [${shape.join(", ")}]`);
  const [rows, columns] = [shape[0]!, sizeOf(shape.slice(1))];
  const a = ops.reshape({ x: normal }, { shape: [rows, columns] });
  const wide = rows <= columns ? a : transpose(a);
  const q = polish(raise(unit(wide), growthSteps(Math.min(rows, columns), Math.max(rows, columns))));
  return ops.reshape({ x: mul(rows <= columns ? q : transpose(q), scalar(gain)) }, { shape });
}

/** Divided by its Frobenius norm, so that no singular value is above 1. */
const unit = (x: Node): Node => ops.div({ a: x, b: ops.sqrt({ x: ops.reduceSum({ x: mul(x, x) }, { axes: [0, 1] }) }) });

/** a s + b s^3 + c s^5 multiplies small singular values by a, and keeps those from 0.68 to 1.13 there (K. Jordan, "Muon", 2024). */
const [linear, cubic, quintic] = [3.4445, -4.775, 2.0315];
const lowest = 0.68;
function raise(x: Node, steps: number): Node {
  if (steps === 0) return x;
  const square = matmul(x, transpose(x));
  const inner = add(mul(square, scalar(cubic)), mul(matmul(square, square), scalar(quintic)));
  return raise(add(mul(x, scalar(linear)), matmul(inner, x)), steps - 1);
}
/** Steps that bring the least singular value to be expected of m by n, m <= n, after `unit`, up to `lowest`. */
function growthSteps(m: number, n: number): number {
  // A square matrix has one below t / sqrt(n) with probability t (Edelman 1988).
  const least = Math.max((Math.sqrt(n) - Math.sqrt(m)) / 4, 1e-6 / Math.sqrt(n)) / Math.sqrt(m * n);
  return Math.ceil(Math.log(lowest / least) / Math.log(linear));
}
/** 1.5 s - 0.5 s^3, five times: from `lowest` to 1 in single precision. */
function polish(x: Node): Node {
  const step = (y: Node): Node => add(mul(y, scalar(1.5)), mul(matmul(matmul(y, transpose(y)), y), scalar(-0.5)));
  return step(step(step(step(step(x)))));
}
