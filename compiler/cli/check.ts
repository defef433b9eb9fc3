/** `dlm check FILE...`: mistakes and warnings, for people and for editors. */
import { CompileError, type Diagnostic, diagnostic, renderDiagnostics, type Span } from "../../ir/diagnostic.ts";
import { importedText } from "./build.ts";
import { readText } from "./files.ts";
import { exit, type Io } from "./io.ts";
import type { Command } from "./options.ts";

export const checkCommand: Command = {
  name: "check",
  usage: "FILE...",
  summary: "Reports mistakes; exit 1 if there are any errors.",
  files: "many",
  options: { json: { help: "print a list of objects on standard output, for editors" } },
  run: async (args, io) => {
    const found = await Promise.all(args.files.map(checkPath));
    if (args.has("json")) io.out(`${JSON.stringify(found.flatMap((f) => f.diagnostics.map((d) => jsonDiagnostic(d, f.path))))}\n`);
    else for (const f of found) print(f, io);
    return found.some((f) => f.diagnostics.some((d) => d.severity === "error")) ? exit.mistake : exit.fine;
  },
};

interface Found {
  readonly path: string;
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, string>;
}
/** A file that cannot be read is reported like any other mistake. */
async function checkPath(path: string): Promise<Found> {
  const [{ checkFile }, { parse }] = await Promise.all([import("../frontend/elaborate.ts"), import("../frontend/parse.ts")]);
  try {
    const text = readText(path);
    const found = checkFile({ path, text, resolve: importedText });
    const empty = found.diagnostics.length === 0 && parse(text, path).file.declarations.length === 0;
    return empty ? { path, ...found, diagnostics: [nothing(path)] } : { path, ...found };
  } catch (error) {
    if (error instanceof CompileError) return { path, diagnostics: error.diagnostics, sources: error.sources };
    throw error;
  }
}

const nothing = (path: string): Diagnostic => diagnostic("file", `${path} declares nothing`, null, { severity: "warning" });

function print({ path, diagnostics, sources }: Found, io: Io): void {
  if (diagnostics.length > 0) io.err(`${renderDiagnostics(diagnostics, sources)}\n\n`);
  else io.out(`${path}: fine\n`);
}

/** Lines and columns count from 1; `end` is exclusive. `range` is null where no place in a file is to blame. */
const jsonDiagnostic = ({ span, severity, code, message, notes, help }: Diagnostic, path: string) => ({
  file: span?.file ?? path,
  severity,
  code,
  message,
  range: rangeOf(span),
  notes: notes.map((n) => ({ message: n.message, file: n.span?.file ?? null, range: rangeOf(n.span) })),
  help,
});
const rangeOf = (span: Span | null) => span && { start: span.start, end: span.end };
