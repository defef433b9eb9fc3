/** Terms as a person writes them: `x |> conv1: Conv2d(64, kernel=3) |> relu`, `relu(y + skip)`. On one line; the formatter breaks it. */
import { printCall, printTerm } from "./print-term.ts";
import { type Call, childrenOf, type Term } from "./sketch.ts";

/** Calls through whose first argument a value flows, the outermost last. */
export function stagesOf(t: Term): { readonly head: Term; readonly stages: readonly Call[] } {
  const stages: Call[] = [];
  let head = t;
  while (head.kind === "call" && head.args[0] && flows(head.args[0]) && isStage(head.callee)) {
    stages.push(head);
    head = head.args[0];
  }
  // A function of an expression is written as such: relu(y + skip) |> ...
  const inner = stages.at(-1);
  if (inner && isExpression(head) && inner.label === null && inner.args.length === 1 && Object.keys(inner.named).length === 0) {
    stages.pop();
    head = inner;
  }
  // A function of several values too: matmul(q, k) |> ...
  const first = stages.at(-1);
  if (first && first.label === null && first.args.slice(1).some(holdsValue)) {
    stages.pop();
    head = first;
  }
  return { head, stages: stages.reverse() };
}
const plainCalls = new Set(["concat", "stack", "where", "maximum", "minimum"]);
/** Whether one of its values is more than the others: what a pipeline carries. */
export const isStage = (callee: string): boolean => !plainCalls.has(callee);
/** Something that a pipeline carries: no list, no constant. */
const flows = (t: Term): boolean => t.kind === "value" || t.kind === "index" || t.kind === "call" || isExpression(t);
const isExpression = (t: Term): boolean => (t.kind === "binary" || t.kind === "unary") && holdsValue(t);

export const holdsValue = (t: Term): boolean => t.kind === "value" || childrenOf(t).some(holdsValue);

export const printFlow = (t: Term, nameOf: (value: string) => string): string => printTerm(t, nameOf, (call) => pipeline(call, nameOf));

/** null: it reads better as a plain call. */
function pipeline(t: Call, nameOf: (value: string) => string): string | null {
  const { head, stages } = stagesOf(t);
  const [only] = stages;
  if (!only || (stages.length === 1 && only.label === null)) return null;
  const first = isExpression(head) ? `(${printFlow(head, nameOf)})` : printFlow(head, nameOf);
  return [first, ...stages.map((s) => stageText(s, nameOf))].join(" |> ");
}
function stageText(stage: Call, nameOf: (value: string) => string): string {
  const text = printCall({ ...stage, args: stage.args.slice(1) }, nameOf, (call) => pipeline(call, nameOf));
  return text.endsWith("()") ? text.slice(0, -2) : text;
}
