/**
 * Canonical formatting: spaces, line breaks and indentation; words, parentheses, comments and the choice of where a pipeline
 * breaks stay. `=` has spaces around it in statements and signatures; in calls only before an `if` or a pipeline.
 */
import { CompileError, invariant, type Span } from "../../ir/diagnostic.ts";
import type { Block, Declaration, File, Import, Model, Name, Param, Statement } from "./ast.ts";
import { closing, commentDoc, penFor } from "./comments.ts";
import { args, brackets, expression, labelDoc, type Printer, pattern, typeDoc } from "./format-expression.ts";
import { parse, plainLines } from "./parse.ts";
import { blankline, type Doc, group, hardline, ifBroken, indent, join, layout, line } from "./pretty.ts";
import { printAst } from "./print-ast.ts";

export { printAst } from "./print-ast.ts";

const width = 110;

/** Throws a `CompileError` when the text does not parse. Formatting the result changes nothing. */
export function format(text: string, path: string): string {
  const { file, problems } = parse(text, path);
  if (problems.length > 0) throw new CompileError(problems, new Map([[path, text]]));
  const formatted = layout(fileDoc(file, plainLines(text)), width);
  const again = parse(formatted, path);
  invariant(again.problems.length === 0 && printAst(again.file) === printAst(file), "formatting changed the meaning", () => formatted);
  return formatted;
}

function fileDoc(file: File, source: string): Doc {
  const pen = penFor(source, file.comments);
  const printer: Printer = { pen, block: (block) => blockDoc(block, printer) };
  return lines(file.declarations, file.span.end, declaration, printer);
}

interface Documented {
  readonly span: Span;
  readonly doc?: string | null;
}
/** Declarations or statements, each on lines of its own, with the comments between them and at most one empty line. */
function lines<T extends Documented>(items: readonly T[], end: Span["end"], print: (item: T, p: Printer) => Doc, p: Printer): Doc {
  const out: Doc[] = [];
  let last: number | null = null; // the source line on which the thing before ends
  const start = (at: number) => out.push(last !== null && at - last > 1 ? blankline : hardline);
  const comments = (before: Span["end"]) => {
    p.pen.take(before).forEach((comment, i) => {
      // Only one can stand behind a statement; a word or bracket that went away may have separated more.
      const own = comment.own || i > 0;
      if (own) {
        start(comment.line);
        last = comment.line;
      }
      out.push(commentDoc({ ...comment, own }));
    });
  };
  for (const item of items) {
    comments(item.span.start);
    const doc = item.doc?.split("\n") ?? [];
    start(item.span.start.line - doc.length);
    out.push(
      doc.map((text) => [`## ${text}`.trimEnd(), hardline]),
      print(item, p),
    );
    last = item.span.end.line;
  }
  comments(end);
  return out;
}
/** On one line if it was in the source, holds at most one statement and fits. */
function blockDoc(block: Block, p: Printer): Doc {
  const { start, end } = block.span;
  const lead = p.pen.lead(start);
  const [first] = block.statements;
  if (start.line === end.line && block.statements.length <= 1)
    return [lead, first ? group("{", indent(line, statement(first, p)), line, "}") : "{}"];
  return [lead, "{", indent(lines(block.statements, closing(block.span), statement, p)), hardline, "}"];
}

function declaration(d: Declaration, p: Printer): Doc {
  switch (d.kind) {
    case "import":
      return importDoc(d, p);
    case "const":
      return ["const ", named(d.name, p), " = ", expression(d.value, p)];
    case "fn":
    case "layer":
      return [d.kind, " ", named(d.name, p), group(params(d.params, d.body.span.start, p)), " ", p.block(d.body)];
    case "model":
      return modelDoc(d, p);
    case "train":
      return ["train ", d.name ? [named(d.name, p), ": "] : "", named(d.model, p), " ", p.block(d.body)];
  }
}
const named = (name: Name, p: Printer): Doc => [p.pen.lead(name.span.start), name.name];

function importDoc(d: Import, p: Printer): Doc {
  const names = d.names.map(({ name, as }) => [named(name, p), as.name === name.name ? "" : [" as ", named(as, p)]]);
  const inside = indent(line, join(names, [",", line]), ifBroken(","), p.pen.trail(d.pathSpan.start));
  return [group("import {", inside, line, "}"), " from ", p.pen.source(d.pathSpan)];
}
/** `before`: where what follows the `)` begins. */
function params(list: readonly Param[], { line, column }: Span["start"], p: Printer): Doc {
  const span = { file: "", start: { line, column }, end: { line, column: column + 1 } };
  const items = list.map((param) => () => paramDoc(param, p));
  return brackets("(", items, ")", span, p);
}
function paramDoc({ name, type, value }: Param, p: Printer): Doc {
  return [named(name, p), type ? [": ", typeDoc(type, p)] : "", value ? [" = ", expression(value, p)] : ""];
}
function modelDoc(d: Model, p: Printer): Doc {
  const name = named(d.name, p);
  const inputs = params(d.params, d.outputs[0]!.name.span.start, p);
  const outputs = d.outputs.map(({ name, type }) => [named(name, p), type ? [": ", typeDoc(type, p)] : ""]);
  return ["model ", name, group(inputs, " -> ", indent(join(outputs, [",", group(line)]))), " ", p.block(d.body)];
}

function statement(s: Statement, p: Printer): Doc {
  switch (s.kind) {
    case "bind":
      return [pattern(s.pattern), ` ${s.op} `, expression(s.value, p)];
    case "param":
    case "state":
      return [`${s.kind} `, labelDoc(s.label, p), alias(s.as, p), ": ", typeDoc(s.type, p), " = ", expression(s.value, p)];
    case "update":
      return ["update ", named(s.name, p), ` ${s.op} `, expression(s.value, p)];
    case "use":
      return ["use ", labelDoc(s.label, p), alias(s.as, p), " = ", named(s.callee, p), s.args.length > 0 ? args(s.args, s.span, p) : ""];
    case "input":
      return ["input ", named(s.name, p), ": ", typeDoc(s.type, p)];
    case "metric":
      return ["metric ", named(s.name, p), " = ", expression(s.value, p)];
    case "freeze":
      return ["freeze ", globs(s.globs, p)];
    case "setting":
      return [named(s.name, p), " ", globs(s.globs, p), " = ", expression(s.value, p)];
    case "for":
      return ["for ", pattern(s.pattern), " in ", expression(s.list, p), " ", p.block(s.body)];
    case "return":
      return ["return ", expression(s.value, p)];
    case "assert":
      return ["assert ", expression(s.condition, p), s.message ? [",", group(indent(line, expression(s.message, p)))] : ""];
    case "expression":
      return expression(s.value, p);
    case "error":
      return "";
  }
}
const alias = (as: Name | null, p: Printer): Doc => (as ? [" as ", named(as, p)] : "");
const globs = (list: Extract<Statement, { kind: "freeze" }>["globs"], p: Printer): Doc =>
  group(
    indent(
      join(
        list.map(({ span }) => [p.pen.lead(span.start), p.pen.source(span)]),
        [",", line],
      ),
    ),
  );
