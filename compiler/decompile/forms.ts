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
  /** Where occurrences must agree in how they are labelled, what they have in common; null: it does not matter. */
  readonly labels: string | null;
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

/** The form of the nodes of a segment. */
export const formAt = ({ nodes }: Scope, { start, end }: Segment, tokenOf: TokenOf, labels: string | null): Omit<Form, "id"> => {
  const own = nodes.slice(start, end);
  return { key: describe(own, tokenOf).key, tokens: own.map(tokenOf), tokenOf, labels };
};

/** Makes every occurrence of the forms a group, the longest first, in all lists of the program. All compare nodes alike. */
export function grouped(nodes: readonly Node[], leaving: Iterable<Value>, forms: readonly Form[]): readonly Node[] {
  const longestFirst = [...forms].sort((a, b) => b.tokens.length - a.tokens.length);
  return rewritten(nodes, leaving, { tokenOf: forms[0]!.tokenOf, byFirst: byKey(longestFirst, (f) => f.tokens[0]!) });
}
interface Index {
  readonly tokenOf: TokenOf;
  readonly byFirst: ReadonlyMap<string, readonly Form[]>;
}
function rewritten(nodes: readonly Node[], leaving: Iterable<Value>, forms: Index): readonly Node[] {
  const scope = newScope(nodes, leaving);
  const tokens = nodes.map(forms.tokenOf);
  const out: Node[] = [];
  for (let i = 0; i < nodes.length; ) {
    const form = forms.byFirst.get(tokens[i]!)?.find((f) => f.tokens.length < nodes.length && matches(f, scope, tokens, i));
    const length = form?.tokens.length ?? 1;
    out.push(form ? groupOf(form, nodes.slice(i, i + length), forms) : inside(nodes[i]!, forms));
    i += length;
  }
  return out;
}
function groupOf(form: Form, nodes: readonly Node[], forms: Index): Group {
  const result = nodes.at(-1)!.results[0]!;
  const { operands } = describe(nodes, form.tokenOf);
  return { kind: "group", form: form.id, nodes: rewritten(nodes, [result], forms), operands, results: [result] };
}
const inside = (node: Node, forms: Index): Node =>
  node.kind === "group" ? { ...node, nodes: rewritten(node.nodes, node.results, forms) } : node;

function matches(form: Form, scope: Scope, tokens: readonly string[], start: number): boolean {
  const segment: Segment = { start, end: start + form.tokens.length };
  if (form.tokens.some((t, k) => tokens[start + k] !== t) || !hasOneExit(scope, segment)) return false;
  const nodes = scope.nodes.slice(start, segment.end);
  return describe(nodes, form.tokenOf).key === form.key && (form.labels === null || labellingOf(nodes).endings === form.labels);
}

/** The list of the program and one of each form. */
export function listsOf(nodes: readonly Node[], leaving: Iterable<Value>): readonly Scope[] {
  const seen = new Set<number>();
  const out = [newScope(nodes, leaving)];
  const visit = (list: readonly Node[]): void => {
    for (const n of list) {
      if (n.kind !== "group" || seen.has(n.form)) continue;
      seen.add(n.form);
      out.push(newScope(n.nodes, n.results));
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
