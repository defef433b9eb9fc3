/**
 * Forms: what nodes do, up to numbers, labels and names.
 *
 *     y = conv1: Conv2d(x, 64, kernel=3); z = relu(y)          both are `Conv2d(0) relu(0.0)`:
 *     b = c: Conv2d(a, 128, kernel=3, stride=2); c = relu(b)   a convolution of what comes in, relu of its result
 *
 * Forms that occur several times become declarations, and their occurrences groups.
 */
import { labellingOf } from "./label-text.ts";
import type { Group, Node, TokenOf, Value } from "./program.ts";
import { hasOneExit, newScope, type Scope, type Segment } from "./segments.ts";

export interface Form {
  readonly id: number;
  readonly key: string;
  readonly tokens: readonly string[];
  readonly tokenOf: TokenOf;
  /** How occurrences are labelled; null: it does not matter. */
  readonly labels: string | null;
  /** Where they are; others that match count too if `everywhere`. */
  readonly places: readonly Place[];
  readonly everywhere: boolean;
}
export type Found = Omit<Form, "id">;
export interface Place {
  readonly scope: Scope;
  readonly start: number;
}

/** The form of a list of nodes as text, and the values from outside in the order in which they are used. */
export function describe(nodes: readonly Node[], tokenOf: TokenOf): { readonly key: string; readonly operands: readonly Value[] } {
  const own = new Map<Value, string>();
  const outside = new Map<Value, number>();
  const words = nodes.map((n, i) => {
    const args = n.operands.map((v) => {
      const inside = own.get(v);
      if (inside !== undefined) return inside;
      if (!outside.has(v)) outside.set(v, outside.size);
      return `o${outside.get(v)}`;
    });
    for (const [r, v] of n.results.entries()) own.set(v, `${i}.${r}`);
    return `${tokenOf(n)}/${n.results.length}(${args.join()})`;
  });
  return { key: words.join(" "), operands: [...outside.keys()] };
}

/** The form of segments that are alike. */
export function formOf(
  places: readonly (Segment & { readonly scope: Scope })[],
  { tokenOf, labels, everywhere }: Pick<Found, "tokenOf" | "labels" | "everywhere">,
): Found {
  const { scope, start, end } = places[0]!;
  const own = scope.nodes.slice(start, end);
  return { key: describe(own, tokenOf).key, tokens: own.map(tokenOf), tokenOf, labels, places, everywhere };
}

/**
 * Makes the occurrences of the forms groups, in all lists of the program, and those inside of each other. Nodes that were
 * grouped under one form stay alike: what happens inside of one happens inside of all. Forms from `firstNew` on are new.
 */
export function grouped(nodes: readonly Node[], leaving: readonly Value[], forms: readonly Form[], firstNew: number): readonly Node[] {
  const plans = new Map<number | null, Map<number, Form>>();
  for (const form of forms) {
    for (const { scope, start } of form.places) {
      const plan = plans.get(scope.form) ?? new Map<number, Form>();
      plans.set(scope.form, plan.set(start, form));
    }
  }
  let list = rewritten(nodes, null, plans);
  const everywhere = forms.some((f) => f.everywhere);
  const longestFirst = [...forms].sort((a, b) => b.tokens.length - a.tokens.length);
  const index: Index = { tokenOf: forms[0]!.tokenOf, byFirst: byKey(longestFirst, (f) => f.tokens[0]!) };
  for (;;) {
    const inner = plansInside(list, everywhere ? 0 : firstNew, index);
    if (everywhere) inner.set(null, planFor(newScope(null, list, leaving), index));
    if ([...inner.values()].every((plan) => plan.size === 0)) return list;
    list = rewritten(list, null, inner);
  }
}
/** What begins where in a list. */
type Plan = ReadonlyMap<number, Form>;
/** By the form of the list; null: of the program. */
type Plans = ReadonlyMap<number | null, Plan>;
interface Index {
  readonly tokenOf: TokenOf;
  readonly byFirst: ReadonlyMap<string, readonly Form[]>;
}

/** Occurrences inside of groups that were made now. */
function plansInside(nodes: readonly Node[], firstNew: number, index: Index): Map<number | null, Plan> {
  const plans = new Map<number | null, Plan>();
  const visit = (list: readonly Node[]): void => {
    for (const n of list) {
      if (n.kind !== "group") continue;
      const known = plans.get(n.form);
      if (n.form >= firstNew && known?.size !== 0) plans.set(n.form, common(known, planFor(newScope(n.form, n.nodes, n.results), index)));
      visit(n.nodes);
    }
  };
  visit(nodes);
  return plans;
}
const common = (a: Plan | undefined, b: Plan): Plan => (a ? new Map([...a].filter(([at, form]) => b.get(at) === form)) : b);
function planFor(scope: Scope, { tokenOf, byFirst }: Index): Plan {
  const { nodes } = scope;
  const tokens = nodes.map(tokenOf);
  const plan = new Map<number, Form>();
  for (let i = 0; i < nodes.length; ) {
    const form = byFirst.get(tokens[i]!)?.find((f) => f.tokens.length < nodes.length && matches(f, scope, tokens, i));
    if (form) plan.set(i, form);
    i += form?.tokens.length ?? 1;
  }
  return plan;
}
function matches(form: Form, scope: Scope, tokens: readonly string[], start: number): boolean {
  const segment: Segment = { start, end: start + form.tokens.length };
  if (form.tokens.some((t, k) => tokens[start + k] !== t) || !hasOneExit(scope, segment)) return false;
  const nodes = scope.nodes.slice(start, segment.end);
  return describe(nodes, form.tokenOf).key === form.key && (form.labels === null || labellingOf(nodes).endings === form.labels);
}

function rewritten(nodes: readonly Node[], form: number | null, plans: Plans): readonly Node[] {
  const plan = plans.get(form);
  const inner = nodes.map((n) => (n.kind === "group" ? { ...n, nodes: rewritten(n.nodes, n.form, plans) } : n));
  if (!plan) return inner;
  const out: Node[] = [];
  for (let i = 0; i < nodes.length; ) {
    const found = plan.get(i);
    const length = found?.tokens.length ?? 1;
    out.push(found ? groupOf(found, inner.slice(i, i + length)) : inner[i]!);
    i += length;
  }
  return out;
}
function groupOf(form: Form, nodes: readonly Node[]): Group {
  const { operands } = describe(nodes, form.tokenOf);
  return { kind: "group", form: form.id, nodes, operands, results: [nodes.at(-1)!.results[0]!] };
}

/** The list of the program and one of each form. */
export function listsOf(nodes: readonly Node[], leaving: Iterable<Value>): readonly Scope[] {
  const seen = new Set<number>();
  const out = [newScope(null, nodes, leaving)];
  const visit = (list: readonly Node[]): void => {
    for (const n of list) {
      if (n.kind !== "group" || seen.has(n.form)) continue;
      seen.add(n.form);
      out.push(newScope(n.form, n.nodes, n.results));
      visit(n.nodes);
    }
  };
  visit(nodes);
  return out;
}

export function byKey<K, T>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const out = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const list = out.get(key);
    if (list) list.push(item);
    else out.set(key, [item]);
  }
  return out;
}
