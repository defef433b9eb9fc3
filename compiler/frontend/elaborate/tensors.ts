/** Values that are tensors: where nodes are made, counted and bounded. */
import { CompileError, type Note, type Span } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { sizeOf } from "../../../ir/type.ts";
import { at, complain, type Frame } from "./frame.ts";
import { charge, costs, exceed, limits } from "./session.ts";
import { showType, type Value } from "./values.ts";

/** The value of nodes made by `f` at a place; `notes` explain the operands when a shape rule complains. */
export function tensorValue(frame: Frame, span: Span, f: () => Node, notes: (() => readonly Note[]) | null = null): Value {
  return { kind: "tensor", node: checked(frame, span, explained(frame, span, f, notes)) };
}
function explained(frame: Frame, span: Span, f: () => Node, notes: (() => readonly Note[]) | null): Node {
  try {
    return at(frame, span, f);
  } catch (e) {
    if (!(e instanceof CompileError) || !notes || frame.file.standard) throw e;
    throw new CompileError(e.diagnostics.map((d) => ({ ...d, notes: [...notes(), ...d.notes] })));
  }
}
export function checked(frame: Frame, span: Span, node: Node): Node {
  const { budget } = frame.session.world;
  charge(budget, costs.operation + node.inputs.length, span);
  if (++budget.nodes > limits.nodes) {
    exceed(
      budget,
      `the program expands to more than ${limits.nodes} operations`,
      span,
      "is there a very long loop, or a recursion without end?",
    );
  }
  if (sizeOf(node.type.shape) > limits.elements) {
    complain(frame, "limit", `a tensor ${showType(node.type)} has more than ${limits.elements} elements`, span);
  }
  return node;
}
