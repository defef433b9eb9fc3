/** What the importer wrote is read again before it is kept. */
import { invariant } from "../../../ir/diagnostic.ts";
import type { Dims } from "../../../ir/program.ts";
import { sameType } from "../../../ir/type.ts";
import type { Decompiled } from "../../decompile/decompile.ts";
import { elaborateEach } from "../../frontend/elaborate.ts";
import type { Module, VariableDeclaration } from "../../frontend/module.ts";

/** The text is a program, at all of these sizes, whose variables are the weights: gives them. A fault here is ours. */
export function checkProgram({ text, weights }: Decompiled, path: string, sizes: readonly Dims[] = []): readonly VariableDeclaration[] {
  const options = { model: null, trainBlock: null, batch: null, set: {}, train: false };
  const [{ variables }] = elaborateEach({ path, text, resolve: () => null, ...options }, sizes.length > 0 ? sizes : [{}]) as [Module];
  for (const { name, type } of variables) {
    const weight = weights.get(name);
    invariant(weight && sameType(weight.type, type), `${path}: the weights lack ${name}`, () => text);
  }
  return variables;
}
