/** What is wrong with declarations whatever their values are. */
import { type Diagnostic, diagnostic, type Span } from "../../../ir/diagnostic.ts";
import type { Block, Callable, Declaration, File, Fn, Layer, Model, Param, Statement, Train } from "../ast.ts";
import { walk } from "../walk.ts";
import { isUpperCase } from "./paths.ts";
import { isTensorType } from "./signature.ts";

type Report = (code: string, message: string, span: Span, help?: string) => void;

export function checkDeclarations(file: File): Diagnostic[] {
  const found: Diagnostic[] = [];
  const report: Report = (code, message, span, help) => found.push(diagnostic(code, message, span, help === undefined ? {} : { help }));
  const before = new Map<string, Span>();
  for (const d of file.declarations) {
    checkName(d, before, found);
    if (d.kind === "train") checkTrain(d, report);
    else if (d.kind !== "import" && d.kind !== "const") checkCallable(d, report);
  }
  return found;
}

function checkName(d: Declaration, before: Map<string, Span>, found: Diagnostic[]): void {
  const names = d.kind === "import" ? d.names.map((n) => n.as) : d.kind === "train" ? (d.name ? [d.name] : []) : [d.name];
  const space = d.kind === "train" ? "train " : d.kind === "import" ? "import " : "";
  for (const { name, span } of names) {
    const had = before.get(space + name);
    if (had) {
      const notes = [{ message: "it is declared before", span: had }];
      found.push(diagnostic("name", `\`${name}\` is declared twice in this file`, span, { notes }));
    } else before.set(space + name, span);
  }
}

function checkCallable(d: Fn | Layer | Model, report: Report): void {
  const upper = d.kind !== "fn";
  if (isUpperCase(d.name.name) !== upper) {
    const why = upper ? `a ${d.kind} owns parameters: its name is upper case` : "a fn owns no parameters: its name is lower case";
    report("name", why, d.name.span, `call it \`${recased(d.name.name, upper)}\``);
  }
  checkParams(d, report);
  if (d.kind === "model") checkModel(d, report);
  checkStatements(d.body, d.kind, report);
}
const recased = (name: string, upper: boolean): string => name.replace(/[A-Za-z]/, (c) => (upper ? c.toUpperCase() : c.toLowerCase()));

const words: ReadonlySet<string> = new Set(["training", "inf", "pi", "f32", "i32", "u8", "bool"]);
function checkParams(d: Callable, report: Report): void {
  const seen = new Set<string>();
  for (const { name } of d.params) {
    if (words.has(name.name)) report("name", `\`${name.name}\` cannot be a parameter: it has a meaning of its own`, name.span);
    if (seen.has(name.name)) report("name", `the parameter \`${name.name}\` is declared twice`, name.span);
    seen.add(name.name);
  }
}

function checkModel(d: Model, report: Report): void {
  const open = (p: Param) => p.value === null && !(p.type && isTensorType(p.type));
  for (const p of d.params.filter(open)) {
    report(
      "type",
      `the parameter \`${p.name.name}\` of a model needs a tensor type or a default`,
      p.span,
      `an input: ${p.name.name}: f32[N, ...]; a hyper-parameter: ${p.name.name} = 10`,
    );
  }
  const seen = new Set<string>();
  for (const { name } of d.outputs) {
    if (seen.has(name.name)) report("name", `the output \`${name.name}\` is named twice`, name.span);
    seen.add(name.name);
  }
}

function checkTrain(d: Train, report: Report): void {
  checkStatements(d.body, "train", report);
  const top = new Set<object>(d.body.statements);
  walk(d.body, (s) => {
    if (s.kind === "input" && !top.has(s)) {
      report("train", "`input` stands at the top of the block: the step and the evaluation have the same inputs", s.span);
    }
  });
}

/** Which statements each kind of body may hold. */
const owners: ReadonlySet<string> = new Set(["layer", "model", "train"]);
function checkStatements(body: Block, kind: "fn" | "layer" | "model" | "train", report: Report): void {
  walk(body, (s) => {
    if (isTrainOnly(s) && kind !== "train") report("train", `\`${wordOf(s)}\` stands in a \`train\` block`, s.span);
    if ((s.kind === "param" || s.kind === "state" || s.kind === "use" || s.kind === "update") && !owners.has(kind)) {
      report("name", `a fn owns no parameters: \`${s.kind}\` stands in a layer`, s.span, "declare it as a `layer`");
    }
  });
}
const isTrainOnly = (s: { readonly kind: string }): s is Extract<Statement, { kind: "input" | "metric" | "freeze" | "setting" }> =>
  s.kind === "input" || s.kind === "metric" || s.kind === "freeze" || s.kind === "setting";
const wordOf = (s: Extract<Statement, { kind: "input" | "metric" | "freeze" | "setting" }>): string =>
  s.kind === "setting" ? `${s.name.name} "..."` : s.kind;
