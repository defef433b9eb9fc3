/**
 * Scaled dot-product attention, in whatever order exporters scale, mask and transpose:
 *
 *     where(table, -inf, q @ transpose(k) * 0.25) |> softmax |> matmul(v)        attention(q, k, v, causal=true)
 */
import { sameShape } from "../../../ir/type.ts";
import { bool, call, type Step, type Term, unary, value, type Weight } from "../sketch.ts";
import { type Pen, permutation, type Rule } from "./rewrite.ts";

/** Of tensors of three or four axes, the last two of which are places and features. */
export interface Core {
  readonly q: string;
  readonly k: string;
  readonly v: string;
  /** The last two axes of `k` are features and places. */
  readonly turned: boolean;
  readonly mask: Mask;
}
/** `term` is true where attention is allowed. */
type Mask = { readonly kind: "none" } | { readonly kind: "causal" } | { readonly kind: "where"; readonly term: Term };

export const attention: Rule = ({ term, results }, pen) => {
  const core = coreOf(term, pen);
  const [q, k, v] = [core?.q, core?.k, core?.v].map((name) => (name === undefined ? null : pen.typeOf(name)));
  if (!core || q?.shape.length !== 4 || !k || !v || !sameShape(v.shape.slice(0, 2), q.shape.slice(0, 2))) return null;
  if (!sameShape(k.shape.slice(0, 2), q.shape.slice(0, 2)) || pen.typeOf(results[0]!)?.shape.length !== 4) return null;
  const keys = permutation(core.k, [0, 1, 3, 2], pen);
  if (keys === null) return null;
  return { term: call("attention", [value(core.q), value(keys), value(core.v)], maskArguments(core.mask)), weights: new Map() };
};
export const maskArguments = (mask: Mask): Readonly<Record<string, Term>> =>
  mask.kind === "none" ? {} : mask.kind === "causal" ? { causal: bool(true) } : { mask: mask.term };

/** What the rule above has found, or what it leaves: attention of tensors of three axes. */
export function attentionOf(term: Term, pen: Pen): Core | null {
  const found = term.kind === "call" && term.callee === "attention" ? term : null;
  const [q, k, v] = found?.args ?? [];
  if (!found || q?.kind !== "value" || k?.kind !== "value" || v?.kind !== "value") return coreOf(term, pen);
  const { mask } = found.named;
  const how: Mask = mask ? { kind: "where", term: mask } : found.named.causal ? { kind: "causal" } : none;
  return { q: q.name, k: k.name, v: v.name, turned: false, mask: how };
}

/** softmax(mask(q @ k / sqrt(D))) @ v; null: it is something else. */
function coreOf(term: Term, pen: Pen): Core | null {
  const weighted = product(term);
  const softmax = weighted && callNamed(single(weighted.left, pen), "softmax");
  const [scores] = softmax?.args ?? [];
  if (!weighted || !softmax || scores?.kind !== "value" || !isLastAxis(softmax.named.axis ?? softmax.args[1], scores.name, pen))
    return null;
  const masked = unmasked(scores.name, pen);
  const outer = masked && unscaled(masked.scores, pen);
  const scored = outer && product(single(outer.name, pen)?.term);
  if (!masked || !scored) return null;
  const [q, k] = [unscaled(scored.left, pen), unscaled(scored.right, pen)];
  const features = pen.typeOf(q.name)?.shape.at(-1) ?? 0;
  const scale = outer.scale * q.scale * k.scale;
  if (Math.abs(scale * Math.sqrt(features) - 1) > tolerance) return null;
  return { q: q.name, k: k.name, v: weighted.right, turned: true, mask: masked.mask };
}
/** Singles are rounded to this, and so are square roots of them. */
const tolerance = 1e-5;

/** The step that makes a value, if nothing else uses it. */
const single = (name: string, pen: Pen): Step | null => (pen.uses(name) === 1 ? pen.maker(name) : null);
function callNamed(step: Step | null, callee: string) {
  return step?.term.kind === "call" && step.term.callee === callee ? step.term : null;
}
function product(t: Term | undefined): { readonly left: string; readonly right: string } | null {
  const [left, right] =
    t?.kind === "binary" && t.op === "@" ? [t.left, t.right] : t?.kind === "call" && t.callee === "matmul" ? [t.args[0], t.args[1]] : [];
  return left?.kind === "value" && right?.kind === "value" ? { left: left.name, right: right.name } : null;
}
function isLastAxis(axis: Term | undefined, name: string, pen: Pen): boolean {
  return axis === undefined || (axis.kind === "int" && (axis.value === -1 || axis.value + 1 === pen.typeOf(name)?.shape.length));
}

/** Without a number that it is multiplied with or divided by. */
function unscaled(name: string, pen: Pen): { readonly name: string; readonly scale: number } {
  const t = single(name, pen)?.term;
  if (t?.kind !== "binary" || (t.op !== "*" && t.op !== "/")) return { name, scale: 1 };
  const [x, by] = t.op === "*" && t.left.kind === "float" ? [t.right, t.left] : [t.left, t.right];
  if (x.kind !== "value" || by.kind !== "float") return { name, scale: 1 };
  return { name: x.name, scale: t.op === "*" ? by.value : 1 / by.value };
}

/* ---- masks ------------------------------------------------------------------------------------------------------- */

/** The scores without their mask; null: there is one that is more than allowing and forbidding. */
function unmasked(name: string, pen: Pen): { readonly scores: string; readonly mask: Mask } | null {
  const t = single(name, pen)?.term;
  const chosen = t?.kind === "call" && t.callee === "where" ? t : null;
  if (chosen) return chosenScores(chosen.args, pen);
  if (t?.kind !== "binary" || t.op !== "+" || t.left.kind !== "value" || t.right.kind !== "value") return { scores: name, mask: none };
  const sides = [t.left.name, t.right.name] as const;
  for (const [table, scores] of [sides, sides.toReversed()] as [string, string][]) {
    const added = pen.variable(table);
    if (added && isCausal(added, (v) => v === 0, isForbidding)) return { scores, mask: { kind: "causal" } };
    const picked = callNamed(pen.maker(table), "where");
    const [condition, yes, no] = picked?.args ?? [];
    if (condition && isNumber(no, 0) && isNumber(yes, -Infinity)) return { scores, mask: { kind: "where", term: negated(condition) } };
    if (condition && isNumber(yes, 0) && isNumber(no, -Infinity)) return { scores, mask: { kind: "where", term: condition } };
  }
  return null;
}
const none: Mask = { kind: "none" };
const isNumber = (t: Term | undefined, v: number): boolean => t?.kind === "float" && t.value === v;
/** What the softmax of anything near zero does not see. */
const isForbidding = (v: number): boolean => v <= -1e9;

function chosenScores([condition, yes, no]: readonly Term[], pen: Pen): { readonly scores: string; readonly mask: Mask } | null {
  const forbidden = yes?.kind === "float" && isForbidding(yes.value) ? yes : no?.kind === "float" && isForbidding(no.value) ? no : null;
  const scores = forbidden === yes ? no : yes;
  if (!forbidden || scores?.kind !== "value" || !condition) return null;
  const table = condition.kind === "value" ? pen.variable(condition.name) : null;
  const [allowing, forbidding] = forbidden === yes ? [0, 1] : [1, 0];
  const causal =
    table &&
    isCausal(
      table,
      (v) => v === allowing,
      (v) => v === forbidding,
    );
  if (causal) return { scores: scores.name, mask: { kind: "causal" } };
  if (forbidden.value !== -Infinity) return null;
  return { scores: scores.name, mask: { kind: "where", term: forbidden === yes ? negated(condition) : condition } };
}
const negated = (t: Term): Term => (t.kind === "unary" && t.op === "!" ? t.value : unary("!", t));
/** A table of [..., T, S] that allows what is not later. */
function isCausal({ type, data }: Weight, allows: (v: number) => boolean, forbids: (v: number) => boolean): boolean {
  const [to, from] = type.shape.slice(-2);
  if (to === undefined || from === undefined || to === 1 || to * from !== data.length) return false;
  return data.every((v, i) => {
    const isAllowed = i % from <= Math.floor(i / from) + from - to;
    return isAllowed ? allows(v) : forbids(v);
  });
}
