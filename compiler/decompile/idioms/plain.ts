/** What exporters write in a roundabout way. */
import { sameShape } from "../../../ir/type.ts";
import { isIdentity, permuteTerm, reshapeTerm } from "../rearranging.ts";
import { type Call, call, int, list, type Step, type Term, value } from "../sketch.ts";
import { type Pen, permuted, type Rule, viewed } from "./rewrite.ts";

const plain = (term: Term): Pick<Step, "term" | "weights"> => ({ term, weights: new Map() });
const callOf = (step: Step | null, callee: string): Call | null =>
  step?.term.kind === "call" && step.term.callee === callee ? step.term : null;
const isOne = (t: Term): boolean => t.kind === "float" && t.value === 1;

/** x * 1.0, x / 1.0 */
const timesOne: Rule = ({ term }) => {
  if (term.kind !== "binary" || (term.op !== "*" && term.op !== "/")) return null;
  if (isOne(term.right) && term.left.kind === "value") return plain(term.left);
  return term.op === "*" && isOne(term.left) && term.right.kind === "value" ? plain(term.right) : null;
};

const cuts = new Set(["relu", "relu6"]);
/** relu(relu(x)), relu6(relu(x)), relu(relu6(x)): the narrower one. */
const reluTwice: Rule = ({ term }, pen) => {
  if (term.kind !== "call" || !cuts.has(term.callee) || term.args[0]?.kind !== "value") return null;
  const inner = pen.maker(term.args[0].name)?.term;
  if (inner?.kind !== "call" || !cuts.has(inner.callee)) return null;
  return plain(term.callee === "relu6" ? { ...term, args: inner.args } : term.args[0]);
};

/** concat([concat([a, b]), c]) along one axis: concat([a, b, c]) */
const nestedConcat: Rule = (step, pen) => {
  const outer = callOf(step, "concat");
  if (outer?.args[0]?.kind !== "list") return null;
  const axis = axisOf(outer);
  const items = outer.args[0].items.map((x) => {
    const inner = x.kind === "value" && pen.uses(x.name) === 1 ? callOf(pen.maker(x.name), "concat") : null;
    return inner?.args[0]?.kind === "list" && axisOf(inner) === axis ? inner.args[0].items : [x];
  });
  return items.every((i) => i.length === 1) ? null : plain({ ...outer, args: [list(items.flat())] });
};
/** Of `concat` and `stack`; null: an expression. */
function axisOf({ named }: Call): number | null {
  const { axis } = named;
  return axis === undefined ? 0 : axis.kind === "int" ? axis.value : null;
}

/** concat([x[k:], x[:k]]) is x rolled by -k; rolled along another axis, too, by both at once. */
const rolled: Rule = (step, pen) => {
  const t = callOf(step, "concat");
  const [a, b, ...more] = t?.args[0]?.kind === "list" ? t.args[0].items : [];
  const axis = t && axisOf(t);
  if (!a || !b || more.length > 0 || axis === null || axis < 0) return null;
  const [end, start] = [sliceOf(a, axis, pen), sliceOf(b, axis, pen)];
  const extent = end && pen.typeOf(end.source)?.shape[axis];
  const isAll = end && start && end.source === start.source && end.to === null && start.from === null;
  if (!extent || !isAll || end.from?.kind !== "int" || start.to?.kind !== "int") return null;
  if (end.from.value !== start.to.value || end.from.value < 0 || end.from.value >= extent) return null;
  const by = 2 * end.from.value <= extent ? -end.from.value : extent - end.from.value;
  const before = callOf(pen.maker(end.source), "roll");
  const [source, shifts, axes] = before?.args ?? [];
  if (source && shifts?.kind === "list" && axes?.kind === "list" && pen.uses(end.source) === 2)
    return plain(call("roll", [source, list([...shifts.items, int(by)]), list([...axes.items, int(axis)])]));
  return plain(call("roll", [value(end.source), list([int(by)]), list([int(axis)])]));
};
/** A range along one axis; null: it is something else. */
function sliceOf(t: Term, axis: number, pen: Pen) {
  const cut = t.kind === "value" ? pen.maker(t.name)?.term : undefined;
  if (cut?.kind !== "index" || cut.value.kind !== "value" || cut.items.length !== axis + 1) return null;
  const last = cut.items[axis]!;
  const others = cut.items.slice(0, axis).every((i) => i.kind === "all");
  return others && last.kind === "slice" && last.step === 1 ? { source: cut.value.name, from: last.from, to: last.to } : null;
}

/** What is stacked and then seen as one axis with what follows it, maybe with axes in front of it permuted, is concatenated. */
const flatStack: Rule = (step, pen) => {
  const inner = viewed(step);
  const shape = pen.typeOf(step.results[0]!)?.shape;
  if (inner === null || !shape) return null;
  const turned = permuted(pen.maker(inner), pen);
  const stacked = turned?.source ?? inner;
  const stack = callOf(pen.maker(stacked), "stack");
  const type = pen.typeOf(stacked);
  const at = stack && axisOf(stack);
  if (!stack || !type || at === null || at < 1 || at + 2 > type.shape.length) return null;
  const joined = [...type.shape.slice(0, at), type.shape[at]! * type.shape[at + 1]!, ...type.shape.slice(at + 2)];
  const axes = turned?.axes ?? type.shape.map((_, a) => a);
  const front = axes.slice(0, at);
  if (!isIdentity(axes.slice(at).map((a) => a - at)) || !sameShape(shape, [...front.map((a) => joined[a]!), ...joined.slice(at)]))
    return null;
  const whole = call("concat", stack.args, { axis: int(at) });
  if (isIdentity(front)) return plain(whole);
  return plain(permuteTerm(value(pen.emit(whole, { ...type, shape: joined })), [...front, ...joined.slice(at).map((_, a) => a + at)]));
};

/** A permutation of a permutation is one, or nothing. */
const permutedTwice: Rule = (step, pen) => {
  const outer = permuted(step, pen);
  const inner = outer && permuted(pen.maker(outer.source), pen);
  if (outer && isIdentity(outer.axes)) return plain(value(outer.source));
  return (
    inner &&
    plain(
      permuteTerm(
        value(inner.source),
        outer.axes.map((a) => inner.axes[a]!),
      ),
    )
  );
};
/** The last of several shapes counts. */
const viewedTwice: Rule = (step, pen) => {
  const outer = viewed(step);
  const inner = outer === null ? null : viewed(pen.maker(outer));
  const [to, from] = [pen.typeOf(step.results[0]!), pen.typeOf(inner ?? outer ?? "")];
  if (outer === null || !to || !from) return null;
  if (sameShape(to.shape, from.shape)) return plain(value(inner ?? outer));
  return inner === null ? null : plain(reshapeTerm(value(inner), from.shape, to.shape));
};

export const plainRules: readonly Rule[] = [timesOne, reluTwice, nestedConcat, rolled, flatStack, permutedTwice, viewedTwice];
