/** Operators with graphs inside. */
import { isKnown, type Operators, operand, operator, type Rule } from "../context.ts";
import { misfit, unsupported } from "../values.ts";

/** The branch that a known condition takes. */
const choice: Rule = (c) => {
  const condition = operand(c, 0);
  if (!isKnown(condition)) return unsupported("its condition depends on the model's inputs");
  const graph = c.attributes.graph(condition.data[0] === 0 ? "else_branch" : "then_branch");
  return c.subgraph(graph ?? misfit("a branch is missing"));
};

export const choiceOperators: Operators = {
  If: operator(choice, ["then_branch", "else_branch"], { results: null, folds: false }),
};
