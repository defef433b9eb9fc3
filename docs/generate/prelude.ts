/** The layers, functions and losses that are written in the language: declarations with their documentation and parameters. */
import type { Block, Callable, Declaration, Expr, Fn, Layer, Statement } from "../../compiler/frontend/ast.ts";
import { parse } from "../../compiler/frontend/parse.ts";
import { walk } from "../../compiler/frontend/walk.ts";
import { preludeFiles } from "../../compiler/prelude/text.ts";
import type { Span } from "../../ir/diagnostic.ts";
import { code, prose, table } from "./markdown.ts";

type Text = (span: Span) => string;
interface Entry {
  readonly declaration: Fn | Layer;
  /** The source text of a place, on one line. */
  readonly text: Text;
}

/** The documented declarations of files of the prelude; what has a plain comment, or none, serves the others. */
const entries = (...files: readonly string[]): readonly Entry[] =>
  files.flatMap((name) => {
    const source = preludeFiles[name]!;
    const text = textOf(source);
    return parse(source, name)
      .file.declarations.filter(isDocumented)
      .map((declaration) => ({ declaration, text }));
  });
const isDocumented = (d: Declaration): d is Fn | Layer => (d.kind === "fn" || d.kind === "layer") && d.doc !== null;

function textOf(source: string): Text {
  const lines = source.split("\n");
  return ({ start, end }) => {
    const within = lines.slice(start.line - 1, end.line);
    within[within.length - 1] = within.at(-1)!.slice(0, end.column - 1);
    within[0] = within[0]!.slice(start.column - 1);
    return within.join(" ").replace(/\s+/g, " ");
  };
}

/** `Linear(x: f32[..., I], out: int, bias: bool = true, init = none)`. */
const signatureOf = ({ name, params }: Callable, text: Text): string =>
  `${name.name}(${params
    .map((p) => `${p.name.name}${p.type ? `: ${text(p.type.span)}` : ""}${p.value ? ` = ${text(p.value.span)}` : ""}`)
    .join(", ")})`;

export function functionTable(...files: readonly string[]): string {
  const rows = entries(...files).map(({ declaration: d, text }) => [code(signatureOf(d, text)), prose(d.doc!)]);
  return table(["function", "meaning"], rows);
}
export function layerTable(...files: readonly string[]): string {
  const rows = entries(...files).map(({ declaration: d, text }) => [
    code(signatureOf(d, text)),
    prose(d.doc!),
    owned(d.body, null, text).join("<br>"),
  ]);
  return table(["layer", "meaning", "parameters"], rows);
}

/** Parameters and states that statements make, with the condition under which they do, and the layers inside by their labels. */
function owned(block: Block, condition: string | null, text: Text): readonly string[] {
  const suffix = condition === null ? "" : ` if ${code(condition)}`;
  return block.statements.flatMap((s): readonly string[] => {
    if (s.kind === "param") return [`${code(`${text(s.label.span)}: ${text(s.type.span)}`)}${suffix}`];
    if (s.kind === "state") return [`state ${code(`${text(s.label.span)}: ${text(s.type.span)}`)}${suffix}`];
    if (s.kind === "for") return owned(s.body, condition, text);
    if (s.kind === "expression" && s.value.kind === "if") return s.value.arms.flatMap((a) => owned(a.body, text(a.condition.span), text));
    return layersIn(s, text);
  });
}
/** `out_proj: Linear`. */
function layersIn(statement: Statement, text: Text): readonly string[] {
  const found: string[] = [];
  walk(statement, (e: Expr | Statement) => {
    if ((e.kind === "call" || e.kind === "pipe") && e.label && e.callee.kind === "name")
      found.push(code(`${text(e.label.span)}: ${e.callee.name}`));
  });
  return found;
}
