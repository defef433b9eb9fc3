/** Precedence of the binary operators; `|>` is looser than all of them. */
import type { BinaryOperator, Expr } from "./ast.ts";

export const precedence: Record<BinaryOperator, number> = {
  "||": 1,
  "&&": 2,
  "==": 3,
  "!=": 3,
  "<": 3,
  "<=": 3,
  ">": 3,
  ">=": 3,
  "+": 4,
  "-": 4,
  "*": 5,
  "/": 5,
  "//": 5,
  "%": 5,
  "@": 5,
  "**": 6,
};
export const isComparison = (op: BinaryOperator): boolean => precedence[op] === precedence["=="];

export const binary = (op: BinaryOperator, left: Expr, right: Expr): Expr => ({
  kind: "binary",
  op,
  left,
  right,
  span: { file: left.span.file, start: left.span.start, end: right.span.end },
});

/** `a + b * c - d` as operands and operators -> the tree, left-associative. Loops, since chains may be very long. */
export function associate(operands: readonly Expr[], operators: readonly BinaryOperator[]): Expr {
  const values = [operands[0]!];
  const pending: BinaryOperator[] = [];
  const reduce = (down: number) => {
    while (pending.length > 0 && precedence[pending.at(-1)!] >= down) {
      const right = values.pop()!;
      values.push(binary(pending.pop()!, values.pop()!, right));
    }
  };
  operators.forEach((op, i) => {
    reduce(precedence[op]);
    pending.push(op);
    values.push(operands[i + 1]!);
  });
  reduce(0);
  return values[0]!;
}
