/** Expressions, patterns and types as documents. Left spines are walked in loops: chains of operators and `|>` may be very long. */

import type { Span } from "../../ir/diagnostic.ts";
import type { Arg, Block, Dim, Expr, Index, Label, Pattern, Type } from "./ast.ts";
import { closing, commentDoc, type Pen } from "./comments.ts";
import { precedence } from "./operators.ts";
import { type Doc, group, hang, hardline, ifBroken, indent, join, line, softline } from "./pretty.ts";

type Of<K extends Expr["kind"]> = Extract<Expr, { kind: K }>;
export interface Printer {
  readonly pen: Pen;
  /** Blocks hold statements, which are not this file's business. */
  readonly block: (block: Block) => Doc;
}

export function expression(e: Expr, p: Printer): Doc {
  return [p.pen.lead(e.span.start), bare(e, p)];
}
function bare(e: Expr, p: Printer): Doc {
  switch (e.kind) {
    case "int":
    case "float":
    case "string":
      return p.pen.source(e.span);
    case "bool":
      return String(e.value);
    case "none":
      return "none";
    case "name":
      return e.name;
    case "paren":
      return group("(", indent(softline, expression(e.value, p), p.pen.trail(closing(e.span))), softline, ")");
    case "list":
      return list(e, p);
    case "comprehension":
      return comprehension(e, p);
    case "if":
      return conditional(e, p);
    case "unary":
      return [e.op, expression(e.value, p)];
    case "binary":
      return binary(e, p);
    case "pipe":
      return pipeline(e, p);
    case "field":
    case "index":
    case "call":
      return postfix(e, p);
    case "error":
      return "";
  }
}

/** `( a, b )` or `[ a, b ]`: on one line, or one item on each with a comma behind the last. */
export const bracketed = (open: string, items: readonly (() => Doc)[], close: string, span: Span, p: Printer): Doc =>
  group(brackets(open, items, close, span, p));
/** The same for a group that holds more. `span` ends with the closing bracket. */
export function brackets(open: string, items: readonly (() => Doc)[], close: string, span: Span, p: Printer): Doc {
  const docs = items.map((item) => item());
  const lead = p.pen.trail(closing(span));
  if (docs.length === 0) return [open, indent(lead), close];
  return [open, indent(softline, join(docs, [",", line]), ifBroken(","), lead), softline, close];
}
function list(e: Of<"list">, p: Printer): Doc {
  const items = e.items.map((item) => () => expression(item, p));
  if (e.form === "bare")
    return group(
      indent(
        join(
          items.map((item) => item()),
          [",", line],
        ),
      ),
    );
  if (e.items.length > 6 && e.items.every(isAtom)) return filled(e, items, p);
  if (e.form === "square") return bracketed("[", items, "]", e.span, p);
  if (items.length !== 1) return bracketed("(", items, ")", e.span, p);
  return group("(", indent(softline, items[0]!(), ",", p.pen.trail(closing(e.span))), softline, ")");
}
const isAtom = (e: Expr) => e.kind === "int" || e.kind === "float" || e.kind === "string" || e.kind === "name" || e.kind === "unary";
/** A long list of numbers or names: as many on a line as fit. */
function filled(e: Of<"list">, items: readonly (() => Doc)[], p: Printer): Doc {
  const [open, close] = e.form === "square" ? ["[", "]"] : ["(", ")"];
  const docs = items.map((item, i) => (i === 0 ? item() : [",", group(line, item())]));
  return group(open, indent(softline, docs, ifBroken(","), p.pen.trail(closing(e.span))), softline, close);
}
function comprehension(e: Of<"comprehension">, p: Printer): Doc {
  const value = expression(e.value, p);
  const loops = e.loops.map((loop) => [
    p.pen.lead(loop.pattern.span.start),
    line,
    "for ",
    pattern(loop.pattern),
    " in ",
    expression(loop.list, p),
  ]);
  return group("[", indent(softline, value, loops, p.pen.trail(closing(e.span))), softline, "]");
}

function conditional(e: Of<"if">, p: Printer): Doc {
  const arms = e.arms.map(({ condition, body }, i) => {
    const lead = i === 0 ? "" : [p.pen.lead(condition.span.start), " else "];
    return [lead, "if ", expression(condition, p), " ", p.block(body)];
  });
  if (!e.otherwise) return arms;
  return [arms, p.pen.lead(e.otherwise.span.start), " else ", p.block(e.otherwise)];
}

/** Operators of one precedence are broken all or none; the line ends with the operator. */
function binary(e: Of<"binary">, p: Printer): Doc {
  if (e.op === "**") return [expression(e.left, p), " ** ", expression(e.right, p)];
  const links: Of<"binary">[] = [];
  let first: Expr = e;
  while (first.kind === "binary" && precedence[first.op] === precedence[e.op]) {
    links.push(first);
    first = first.left;
  }
  const head = expression(first, p);
  return group(head, indent(links.reverse().map((link) => [" ", link.op, line, expression(link.right, p)])));
}

/**
 * A stage begins a line where it did in the source, and where it does not fit on the line before. Such lines begin below
 * the first `|>` if that follows its value on the line, else they are indented.
 */
function pipeline(e: Of<"pipe">, p: Printer): Doc {
  const stages: Of<"pipe">[] = [];
  let first: Expr = e;
  while (first.kind === "pipe") {
    stages.push(first);
    first = first.value;
  }
  const head = expression(first, p);
  const [opening, ...others] = stages.reverse().map((stage): Stage => {
    const start = (stage.label ?? stage.callee).span.start;
    const comments = p.pen.take(start);
    const label = stage.label ? [labelDoc(stage.label, p), ": "] : "";
    const call = [label, expression(stage.callee, p), stage.args ? args(stage.args, stage.span, p) : ""];
    const breaks = comments.length > 0 || start.line > stage.value.span.end.line;
    const before = comments.map((c) => [c.own ? hardline : "", commentDoc(c)]);
    return { lead: breaks ? [before, hardline] : null, call: ["|> ", call] };
  });
  const below = others.map(({ lead, call }): Doc => (lead ? [lead, call] : group(line, call)));
  if (!opening) return head;
  return [head, opening.lead ? indent(opening.lead, opening.call, below) : hang(opening.call, below)];
}
interface Stage {
  /** Comments and the end of the line before it; null: it may stay on the line. */
  readonly lead: Doc | null;
  readonly call: Doc;
}

function postfix(e: Expr, p: Printer): Doc {
  const links: Expr[] = [];
  let first = e;
  for (;;) {
    const inner: Expr | null =
      first.kind === "field" || first.kind === "index" ? first.value : first.kind === "call" && !first.label ? first.callee : null;
    if (!inner) break;
    links.push(first);
    first = inner;
  }
  const head = first.kind === "call" && first.label ? labelled(first, p) : expression(first, p);
  return [head, links.reverse().map((link) => suffix(link, p))];
}
function labelled(e: Of<"call">, p: Printer): Doc {
  return [e.label ? labelDoc(e.label, p) : "", ": ", expression(e.callee, p), args(e.args, e.span, p)];
}
function suffix(e: Expr, p: Printer): Doc {
  switch (e.kind) {
    case "field":
      return [p.pen.lead(e.name.span.start), ".", e.name.name];
    case "call":
      return args(e.args, e.span, p);
    case "index":
      return bracketed(
        "[",
        e.items.map((item) => () => index(item, p)),
        "]",
        e.span,
        p,
      );
    default:
      return "";
  }
}
/** `span` ends with the `)`. */
export function args(list: readonly Arg[], span: Span, p: Printer): Doc {
  const [only] = list;
  if (list.length === 1 && only && (only.value.kind === "list" || only.value.kind === "comprehension"))
    return ["(", arg(only, p), p.pen.lead(closing(span)), ")"];
  return bracketed(
    "(",
    list.map((a) => () => arg(a, p)),
    ")",
    span,
    p,
  );
}
/** `k=v`; `k = if c { a } else { b }` and `k = x |> f`, whose words and arrows would else stand apart further than `=`. */
function arg(a: Arg, p: Printer): Doc {
  const equals = a.value.kind === "if" || a.value.kind === "pipe" ? " = " : "=";
  return [p.pen.lead(a.span.start), a.name ? `${a.name.name}${equals}` : "", expression(a.value, p)];
}

function index(item: Index, p: Printer): Doc {
  const lead = p.pen.lead(item.span.start);
  if (item.kind === "ellipsis") return [lead, "..."];
  if (item.kind !== "slice") return [lead, expression(item, p)];
  const { from, to, step } = item;
  const wide = [from, to, step].some((part) => part && !isSimple(part));
  const part = (e: Expr | null, before: string, after: string): Doc => (e ? [before, expression(e, p), after] : "");
  const space = wide ? " " : "";
  return [lead, part(from, "", space), ":", part(to, space, ""), step ? [to ? space : "", ":", part(step, space, "")] : ""];
}
const isSimple = (e: Expr): boolean => isAtom(e) || e.kind === "field" || e.kind === "index";

export function labelDoc(label: Label, p: Printer): Doc {
  const parts = label.parts.map((part): Doc => (part.kind === "text" ? part.text : ["{", expression(part.value, p), "}"]));
  return [p.pen.lead(label.span.start), parts];
}
/** Without the outermost parentheses, on one line: comments in it wait for what comes behind the `in` or `=`. */
export function pattern(of: Pattern): string {
  if (of.kind === "name") return of.name;
  const items = of.items.map((item) => (item.kind === "name" ? item.name : `(${pattern(item)})`));
  return items.join(", ") + (items.length === 1 ? "," : "");
}
export function typeDoc(type: Type, p: Printer): Doc {
  const name = [p.pen.lead(type.span.start), type.name.name];
  return type.dims
    ? [
        name,
        bracketed(
          "[",
          type.dims.map((d) => () => dim(d, p)),
          "]",
          type.span,
          p,
        ),
      ]
    : name;
}
function dim(d: Dim, p: Printer): Doc {
  const lead = p.pen.lead(d.span.start);
  if (d.kind === "rest") return [lead, "...", d.value ? expression(d.value, p) : ""];
  return [lead, expression(d.value, p), d.fallback ? [" = ", expression(d.fallback, p)] : ""];
}
