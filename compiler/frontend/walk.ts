/** Walking syntax trees without recursion: a file may hold chains of thousands of operators. */
import type { Arg, Block, Dim, Expr, Index, Label, Pattern, Statement, Type } from "./ast.ts";

type Tree = Expr | Statement | Block | Index;

/** Calls `visit` for every expression and statement below `root`, and for `root`; parents before children, in no other order. */
export function walk(root: Tree, visit: (tree: Expr | Statement) => void): void {
  const stack: Tree[] = [root];
  for (let tree = stack.pop(); tree; tree = stack.pop()) {
    if (tree.kind !== "block" && tree.kind !== "ellipsis" && tree.kind !== "slice") visit(tree);
    stack.push(...childrenOf(tree));
  }
}

const some = (...trees: readonly (Tree | null)[]): readonly Tree[] => trees.filter((t) => t !== null);
const inArgs = (args: readonly Arg[]): readonly Tree[] => args.map((a) => a.value);
const inLabel = (label: Label | null): readonly Tree[] => (label?.parts ?? []).flatMap((p) => (p.kind === "hole" ? [p.value] : []));
const inDim = (d: Dim): readonly Tree[] => (d.kind === "rest" ? some(d.value) : some(d.value, d.fallback));
const inType = (type: Type): readonly Tree[] => (type.dims ?? []).flatMap(inDim);

function childrenOf(tree: Tree): readonly Tree[] {
  switch (tree.kind) {
    case "block":
      return tree.statements;
    case "bind":
    case "update":
    case "metric":
    case "return":
    case "expression":
    case "setting":
    case "paren":
    case "unary":
    case "field":
      return [tree.value];
    case "param":
    case "state":
      return [...inLabel(tree.label), ...inType(tree.type), tree.value];
    case "use":
      return [...inLabel(tree.label), ...inArgs(tree.args)];
    case "input":
      return inType(tree.type);
    case "for":
      return [tree.list, tree.body];
    case "assert":
      return some(tree.condition, tree.message);
    case "list":
      return tree.items;
    case "comprehension":
      return [tree.value, ...tree.loops.map((l) => l.list)];
    case "if":
      return [...tree.arms.flatMap((a) => [a.condition, a.body]), ...some(tree.otherwise)];
    case "binary":
      return [tree.left, tree.right];
    case "index":
      return [tree.value, ...tree.items];
    case "call":
      return [...inLabel(tree.label), tree.callee, ...inArgs(tree.args)];
    case "pipe":
      return [tree.value, ...inLabel(tree.label), tree.callee, ...inArgs(tree.args ?? [])];
    case "slice":
      return some(tree.from, tree.to, tree.step);
    case "int":
    case "float":
    case "string":
    case "bool":
    case "none":
    case "name":
    case "ellipsis":
    case "error":
    case "freeze":
      return [];
  }
}

/** The names a pattern binds, in order. */
export function namesOf(pattern: Pattern): readonly { readonly name: string; readonly span: Pattern["span"] }[] {
  return pattern.kind === "name" ? [pattern] : pattern.items.flatMap(namesOf);
}

/** `as`, or the label where it is one plain name. */
export function variableOf(label: Label, as: { readonly name: string } | null): string | null {
  if (as) return as.name;
  const text = label.parts.map((p) => (p.kind === "text" ? p.text : "{}")).join("");
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) ? text : null;
}

export interface BoundName {
  readonly name: string;
  readonly span: Expr["span"];
}
const bound = new WeakMap<Tree, readonly BoundName[]>();
/** Names that statements anywhere inside `tree` bind in the body's scope. */
export function boundNames(tree: Tree): readonly BoundName[] {
  const had = bound.get(tree);
  if (had) return had;
  const names: BoundName[] = [];
  walk(tree, (s) => names.push(...boundBy(s)));
  bound.set(tree, names);
  return names;
}
function boundBy(s: Expr | Statement): readonly BoundName[] {
  switch (s.kind) {
    case "bind":
    case "for":
      return namesOf(s.pattern);
    case "param":
    case "state":
    case "use": {
      const name = variableOf(s.label, s.as);
      return name === null ? [] : [{ name, span: s.span }];
    }
    case "input":
      return [s.name];
    default:
      return [];
  }
}
