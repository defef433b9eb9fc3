/** What users read when something is wrong, and where it is. */

/** A place in a source file. Lines and columns count from 1; `end` is exclusive and on the same or a later line. */
export interface Span {
  readonly file: string;
  readonly start: { readonly line: number; readonly column: number };
  readonly end: { readonly line: number; readonly column: number };
}
export type Severity = "error" | "warning" | "note";
export interface Note {
  readonly message: string;
  readonly span: Span | null;
}
export interface Diagnostic {
  readonly severity: Severity;
  /** A short stable word: `syntax`, `name`, `shape`, `type`, `label`, `constant`, `limit`, `train`, `file`, `data`, `weights`, `flag`, ... */
  readonly code: string;
  readonly message: string;
  readonly span: Span | null;
  readonly notes: readonly Note[];
  readonly help: string | null;
}
export const diagnostic = (
  code: string,
  message: string,
  span: Span | null,
  more: { help?: string; notes?: readonly Note[]; severity?: Severity } = {},
): Diagnostic => ({
  severity: more.severity ?? "error",
  code,
  message,
  span,
  notes: more.notes ?? [],
  help: more.help ?? null,
});

/** The user's mistake: one or more diagnostics. Commands render it and exit with 1. */
export class CompileError extends Error {
  readonly diagnostics: readonly Diagnostic[];
  /** Text of the files that spans point into, by `Span.file`. */
  readonly sources: ReadonlyMap<string, string>;
  constructor(diagnostics: readonly Diagnostic[], sources: ReadonlyMap<string, string> = new Map()) {
    super(renderDiagnostics(diagnostics, sources));
    this.name = "CompileError";
    this.diagnostics = diagnostics;
    this.sources = sources;
  }
}
export const fail = (code: string, message: string, span: Span | null, more: { help?: string; notes?: readonly Note[] } = {}): never => {
  throw new CompileError([diagnostic(code, message, span, more)]);
};

/** Our mistake. `context` is a thunk that prints the IR at hand. */
export function invariant(condition: unknown, message: string, context?: () => string): asserts condition {
  if (!condition) throw new Error(`internal error: ${message}${context ? `\n${context()}` : ""}`);
}

export const renderDiagnostics = (ds: readonly Diagnostic[], sources: ReadonlyMap<string, string>): string =>
  ds.map((d) => renderDiagnostic(d, sources)).join("\n\n");

/**
 *     error[shape]: conv1: Conv2d expects 4 dimensions (N, C, H, W), got f32[1, 784]
 *       --> net.dlm:4:14
 *       4 |   x = image |> conv1: Conv2d(32, kernel=5)
 *         |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^
 *       note: `image` is declared f32[1, 784] at net.dlm:3:11
 *       help: reshape it first: image |> reshape([N, 1, 28, 28])
 */
export function renderDiagnostic(d: Diagnostic, sources: ReadonlyMap<string, string>): string {
  const out = [`${d.severity}[${d.code}]: ${d.message}`];
  if (d.span) out.push(`  --> ${at(d.span)}`, ...excerpt(d.span, sources));
  for (const n of d.notes) out.push(`  note: ${n.message}${n.span ? ` at ${at(n.span)}` : ""}`);
  if (d.help) out.push(`  help: ${d.help}`);
  return out.join("\n");
}
const at = (s: Span) => `${s.file}:${s.start.line}:${s.start.column}`;

/** Longest piece of a source line that is shown. */
const width = 120;

function excerpt({ file, start, end }: Span, sources: ReadonlyMap<string, string>): string[] {
  const line = sources.get(file)?.split("\n")[start.line - 1]?.replace(/\r$/, "");
  if (line === undefined) return [];
  const from = Math.max(0, start.column - 1 > width - 40 ? start.column - 41 : 0);
  const shown = printable(line.slice(from, from + width));
  const first = start.column - 1 - from;
  const last = end.line === start.line ? end.column - 1 - from : shown.length;
  const number = String(start.line);
  const caret = " ".repeat(Math.max(0, first)) + "^".repeat(Math.max(1, Math.min(last, shown.length) - first));
  return [`  ${number} | ${shown}`, `  ${" ".repeat(number.length)} | ${caret}`];
}
/** Control characters would move the caret or the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is replaced
const printable = (s: string) => s.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
