/** A syntax tree as text: a line for each declaration and statement, expressions as `(operator operands)`. Everything but the spans. */
import type { Arg, Block, Declaration, Dim, Expr, File, Index, Label, Pattern, Statement, Type } from "./ast.ts";

/**
 *     file net.dlm
 *       model Net
 *         parameter x: f32[N, 3]
 *         output y
 *         y = (|> (|> x fc: Linear 4) relu)
 */
export function printAst(file: File): string {
  const comments = file.comments.map((c) => `comment ${c.text}`);
  return `${[`file ${file.path}`, ...indented([...file.declarations.flatMap(declaration), ...comments])].join("\n")}\n`;
}
const indented = (lines: readonly string[]) => lines.map((l) => `  ${l}`);
const documented = (doc: string | null, lines: readonly string[]) => [
  ...(doc?.split("\n") ?? []).map((l) => `## ${l}`.trimEnd()),
  ...lines,
];

function declaration(d: Declaration): string[] {
  switch (d.kind) {
    case "import":
      return [`import ${d.names.map(({ name, as }) => `${name.name} as ${as.name}`).join(", ")} from ${JSON.stringify(d.path)}`];
    case "const":
      return documented(d.doc, [`const ${d.name.name} = ${expr(d.value)}`]);
    case "train":
      return documented(d.doc, [`train ${d.name ? `${d.name.name}: ` : ""}${d.model.name}`, ...indented(block(d.body))]);
    default: {
      const params = d.params.map(
        (p) => `parameter ${p.name.name}${p.type ? `: ${type(p.type)}` : ""}${p.value ? ` = ${expr(p.value)}` : ""}`,
      );
      const outputs = d.kind === "model" ? d.outputs.map((o) => `output ${o.name.name}${o.type ? `: ${type(o.type)}` : ""}`) : [];
      return documented(d.doc, [`${d.kind} ${d.name.name}`, ...indented([...params, ...outputs, ...block(d.body)])]);
    }
  }
}
const block = (b: Block): string[] => b.statements.flatMap(statement);

function statement(s: Statement): string[] {
  switch (s.kind) {
    case "bind":
      return valued(`${pattern(s.pattern)} ${s.op} `, s.value);
    case "param":
    case "state":
      return documented(s.doc, [`${s.kind} ${label(s.label)}${s.as ? ` as ${s.as.name}` : ""}: ${type(s.type)} = ${expr(s.value)}`]);
    case "update":
      return [`update ${s.name.name} ${s.op} ${expr(s.value)}`];
    case "use":
      return [`use ${label(s.label)}${s.as ? ` as ${s.as.name}` : ""} = ${[s.callee.name, ...s.args.map(arg)].join(" ")}`];
    case "input":
      return documented(s.doc, [`input ${s.name.name}: ${type(s.type)}`]);
    case "metric":
      return documented(s.doc, [`metric ${s.name.name} = ${expr(s.value)}`]);
    case "freeze":
      return [`freeze ${globs(s.globs)}`];
    case "setting":
      return [`${s.name.name} ${globs(s.globs)} = ${expr(s.value)}`];
    case "for":
      return [`for ${pattern(s.pattern)} in ${expr(s.list)}`, ...indented(block(s.body))];
    case "return":
      return valued("return ", s.value);
    case "assert":
      return [`assert ${expr(s.condition)}${s.message ? ` ${expr(s.message)}` : ""}`];
    case "expression":
      return valued("", s.value);
    case "error":
      return ["error"];
  }
}
const globs = (list: readonly { readonly text: string }[]) => list.map((g) => JSON.stringify(g.text)).join(" ");
/** An `if` as the whole value of a statement gets lines of its own. */
function valued(start: string, value: Expr): string[] {
  if (value.kind !== "if") return [start + expr(value)];
  const arms = value.arms.flatMap((a, i) => [`${i === 0 ? start : "else "}if ${expr(a.condition)}`, ...indented(block(a.body))]);
  return value.otherwise ? [...arms, "else", ...indented(block(value.otherwise))] : arms;
}

const pattern = (p: Pattern): string => (p.kind === "name" ? p.name : `(${p.items.map(pattern).join(" ")})`);
const label = (l: Label): string => l.parts.map((p) => (p.kind === "text" ? p.text : `{${expr(p.value)}}`)).join("");
const type = (t: Type): string => t.name.name + (t.dims ? `[${t.dims.map(dim).join(", ")}]` : "");
const dim = (d: Dim): string =>
  d.kind === "rest" ? `...${d.value ? expr(d.value) : ""}` : expr(d.value) + (d.fallback ? ` = ${expr(d.fallback)}` : "");
const arg = (a: Arg): string => (a.name ? `${a.name.name}=` : "") + expr(a.value);
const inBraces = (b: Block): string => `{ ${block(b).join("; ")} }`;
const form = (name: string, parts: readonly string[]): string => `(${[name, ...parts].join(" ")})`;

/** The left spine is walked in a loop: its opening words first, then the leftmost operand, then the rest of each, innermost first. */
function expr(e: Expr): string {
  const before: string[] = [];
  const after: string[] = [];
  let at = e;
  for (let link = spine(at); link; link = spine(at)) {
    before.push(`(${link.word} `);
    after.push(`${link.rest.map((r) => ` ${r}`).join("")})`);
    at = link.left;
  }
  return before.join("") + leaf(at) + after.reverse().join("");
}
function spine(e: Expr): { word: string; left: Expr; rest: readonly string[] } | null {
  switch (e.kind) {
    case "binary":
      return { word: e.op, left: e.left, rest: [expr(e.right)] };
    case "pipe": {
      const call = `${e.label ? `${label(e.label)}: ` : ""}${e.callee.name}`;
      return { word: "|>", left: e.value, rest: [e.args ? form(call, e.args.map(arg)) : call] };
    }
    case "field":
      return { word: ".", left: e.value, rest: [e.name.name] };
    case "index":
      return { word: "index", left: e.value, rest: e.items.map(index) };
    case "call":
      return e.label ? null : { word: "call", left: e.callee, rest: e.args.map(arg) };
    default:
      return null;
  }
}
function leaf(e: Expr): string {
  switch (e.kind) {
    case "int":
    case "bool":
      return String(e.value);
    case "float":
      return Number.isInteger(e.value) ? e.value.toFixed(1) : String(e.value);
    case "string":
      return JSON.stringify(e.value);
    case "none":
    case "error":
      return e.kind;
    case "name":
      return e.name;
    case "paren":
      return form("paren", [expr(e.value)]);
    case "list":
      return form(e.form, e.items.map(expr));
    case "comprehension":
      return form("each", [expr(e.value), ...e.loops.map((l) => `for ${pattern(l.pattern)} in ${expr(l.list)}`)]);
    case "if": {
      const arms = e.arms.map((a) => `if ${expr(a.condition)} ${inBraces(a.body)}`);
      return form(arms.join(" else "), e.otherwise ? [`else ${inBraces(e.otherwise)}`] : []);
    }
    case "unary":
      return form(e.op, [expr(e.value)]);
    case "call":
      return form(`${e.label ? `${label(e.label)}: ` : ""}${e.callee.kind === "name" ? e.callee.name : ""}`, e.args.map(arg));
    case "binary":
    case "pipe":
    case "field":
    case "index":
      return "";
  }
}
function index(i: Index): string {
  if (i.kind === "ellipsis") return "...";
  if (i.kind !== "slice") return expr(i);
  const part = (e: Expr | null) => (e ? expr(e) : "");
  return `${part(i.from)}:${part(i.to)}${i.step ? `:${part(i.step)}` : ""}`;
}
