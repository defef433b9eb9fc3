/** Structural recursion, written once. What does not change keeps its identity. */
import type { Expr, Kernel, Stmt } from "./kernel.ts";

/** Direct parts, in the order of the fields. */
export function partsOf(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case "const":
    case "var":
    case "lanes":
    case "subgroups":
    case "subgroup":
      return [];
    case "load":
      return e.index;
    case "unary":
    case "cast":
    case "bitcast":
    case "splat":
    case "lane":
    case "reduce":
      return [e.a];
    case "binary":
    case "zip":
      return [e.a, e.b];
    case "fma":
      return [e.a, e.b, e.c];
    case "select":
      return [e.cond, e.a, e.b];
    case "pack":
      return e.parts;
  }
}

/** `list.map(f)`, or `list` itself when nothing changed. */
export function mapSame<T>(list: readonly T[], f: (x: T) => T): readonly T[] {
  const out = list.map(f);
  return out.every((x, i) => x === list[i]) ? list : out;
}
/** `list.flatMap(f)`, or `list` itself when nothing changed. */
export function flatMapSame<T>(list: readonly T[], f: (x: T) => readonly T[]): readonly T[] {
  const out = list.flatMap(f);
  return out.length === list.length && out.every((x, i) => x === list[i]) ? list : out;
}

/** Rebuilds `e` with `f` applied to its direct parts. */
export function mapExpr(e: Expr, f: (e: Expr) => Expr): Expr {
  const before = partsOf(e);
  const after = mapSame(before, f);
  if (after === before) return e;
  const [a, b, c] = after as readonly [Expr, Expr, Expr];
  switch (e.kind) {
    case "const":
    case "var":
    case "lanes":
    case "subgroups":
    case "subgroup":
      return e;
    case "load":
      return { ...e, index: after };
    case "unary":
    case "cast":
    case "bitcast":
    case "splat":
    case "lane":
    case "reduce":
      return { ...e, a };
    case "binary":
    case "zip":
      return { ...e, a, b };
    case "fma":
      return { ...e, a, b, c };
    case "select":
      return { ...e, cond: a, a: b, b: c };
    case "pack":
      return { ...e, parts: after as typeof e.parts };
  }
}

type MapBody = (body: readonly Stmt[]) => readonly Stmt[];

/** Rebuilds `s` with `f` applied to its expressions and `g` to its body. */
export function mapStmt(s: Stmt, f: (e: Expr) => Expr, g: MapBody): Stmt {
  switch (s.kind) {
    case "for": {
      const holds = s.while && f(s.while);
      const body = g(s.body);
      return holds === s.while && body === s.body ? s : { ...s, ...(holds ? { while: holds } : {}), body };
    }
    case "outline": {
      const body = g(s.body);
      return body === s.body ? s : { ...s, body };
    }
    case "if": {
      const cond = f(s.cond);
      const body = g(s.body);
      return cond === s.cond && body === s.body ? s : { ...s, cond, body };
    }
    case "var": {
      const init = s.init && f(s.init);
      return init === s.init ? s : { ...s, init };
    }
    case "exchange": {
      const value = f(s.value);
      const bit = f(s.bit);
      return value === s.value && bit === s.bit ? s : { ...s, value, bit };
    }
    case "set": {
      const value = f(s.value);
      return value === s.value ? s : { ...s, value };
    }
    case "store": {
      const index = mapSame(s.index, f);
      const value = f(s.value);
      return index === s.index && value === s.value ? s : { ...s, index, value };
    }
    case "pointer": {
      const offset = f(s.offset);
      return offset === s.offset ? s : { ...s, offset };
    }
    case "array":
    case "barrier":
      return s;
  }
}
/** The kernel with another body; the same object when the body is the same. */
export const withBody = (k: Kernel, body: readonly Stmt[]): Kernel => (body === k.body ? k : { ...k, body });

/** Replaces variables by name, everywhere below. */
export const substitute = (e: Expr, by: ReadonlyMap<string, Expr>): Expr =>
  e.kind === "var" ? (by.get(e.name) ?? e) : mapExpr(e, (x) => substitute(x, by));
/** The same in statements. Names declared inside are left alone: they are unique. */
export const substituteIn = (body: readonly Stmt[], by: ReadonlyMap<string, Expr>): readonly Stmt[] =>
  mapSame(body, (s) =>
    mapStmt(
      s,
      (e) => substitute(e, by),
      (b) => substituteIn(b, by),
    ),
  );

/** Whether a variable or axis occurs in `e`. */
export const mentions = (e: Expr, name: string): boolean =>
  e.kind === "var" ? e.name === name : partsOf(e).some((x) => mentions(x, name));

/** Calls `f` on `e` and everything below it, outermost first. */
export function visitExpr(e: Expr, f: (e: Expr) => void): void {
  f(e);
  for (const x of partsOf(e)) visitExpr(x, f);
}
/** Expressions that a statement itself holds, without those of its body. */
export function exprsOf(s: Stmt): readonly Expr[] {
  switch (s.kind) {
    case "if":
      return [s.cond];
    case "var":
      return s.init ? [s.init] : [];
    case "set":
      return [s.value];
    case "exchange":
      return [s.value, s.bit];
    case "store":
      return [...s.index, s.value];
    case "pointer":
      return [s.offset];
    case "for":
      return s.while ? [s.while] : [];
    case "outline":
    case "array":
    case "barrier":
      return [];
  }
}
export const bodyOf = (s: Stmt): readonly Stmt[] => (s.kind === "for" || s.kind === "if" || s.kind === "outline" ? s.body : []);

/** Calls `f` on every statement, outermost first. */
export function visitStmts(body: readonly Stmt[], f: (s: Stmt) => void): void {
  for (const s of body) {
    f(s);
    visitStmts(bodyOf(s), f);
  }
}
/** Calls `f` on every expression in every statement. */
export const visitExprs = (body: readonly Stmt[], f: (e: Expr) => void): void =>
  visitStmts(body, (s) => {
    for (const e of exprsOf(s)) visitExpr(e, f);
  });

/** Names of axes, variables, pointers and register arrays that `body` declares. */
export function declaredIn(body: readonly Stmt[]): Set<string> {
  const names = new Set<string>();
  visitStmts(body, (s) => {
    if (s.kind === "for") names.add(s.axis);
    if (s.kind === "var" || s.kind === "pointer" || s.kind === "exchange") names.add(s.name);
    if (s.kind === "array") names.add(s.buffer.name);
  });
  return names;
}
/** All names of a kernel, those of its buffers included. */
export const namesOf = (k: Kernel): Set<string> => new Set([...k.buffers.map((b) => b.name), ...declaredIn(k.body)]);
