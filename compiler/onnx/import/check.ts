/** What the importer wrote is read again before it is kept. */
import { invariant } from "../../../ir/diagnostic.ts";
import { sameType } from "../../../ir/type.ts";
import type { Decompiled } from "../../decompile/decompile.ts";
import { elaborate } from "../../frontend/elaborate.ts";
import type { VariableDeclaration } from "../../frontend/module.ts";

/** The text is a program, whose variables are the weights: gives them. A fault here is ours. */
export function checkProgram({ text, weights }: Decompiled, path: string): readonly VariableDeclaration[] {
  const options = { model: null, trainBlock: null, dims: {}, batch: null, set: {}, train: false };
  const { variables } = elaborate({ path, text, resolve: () => null, ...options });
  for (const { name, type } of variables) {
    const weight = weights.get(name);
    invariant(weight && sameType(weight.type, type), `${path}: the weights lack ${name}`, () => text);
  }
  return variables;
}
