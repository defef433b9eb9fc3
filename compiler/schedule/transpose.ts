/**
 * Lanes put together from several places. Four vectors turned into their columns, in registers.
 *
 *     a0 a1 a2 a3          a0 b0 c0 d0
 *     b0 b1 b2 b3    =>    a1 b1 c1 d1
 *     c0 c1 c2 c3          a2 b2 c2 d2
 *     d0 d1 d2 d3          a3 b3 c3 d3
 */
import { declare, i32, splat, store, zip } from "../../ir/kernel/build.ts";
import { type Buffer, type Expr, type Stmt, typeOf } from "../../ir/kernel/kernel.ts";

/** One vector of four scalars. */
export function joined(scalars: readonly Expr[]): Expr {
  const [a, b, c, d] = scalars.map(splat) as [Expr, Expr, Expr, Expr];
  return zip("low", zip("low", a, c), zip("low", b, d));
}

/** Brings the register array `columns` to life, with column k of `rows` as element k. */
export function transposed(columns: Buffer, rows: readonly Expr[]): readonly Stmt[] {
  const lets: Stmt[] = [];
  const bind = (part: string, value: Expr): Expr => {
    const name = `${columns.name}.${part}`;
    lets.push(declare(name, value));
    return { kind: "var", type: typeOf(value), lanes: 4, name };
  };
  const [a, b, c, d] = rows.map((row, i) => bind("abcd"[i]!, row)) as [Expr, Expr, Expr, Expr];
  const halves = (["low", "high"] as const).map(
    (half) => [bind(`ac.${half}`, zip(half, a, c)), bind(`bd.${half}`, zip(half, b, d))] as const,
  );
  const elements = halves.flatMap(([even, odd]) => [zip("low", even, odd), zip("high", even, odd)]);
  return [...lets, { kind: "array", buffer: columns, lanes: 4 }, ...elements.map((e, k) => store(columns, [i32(k)], e))];
}
