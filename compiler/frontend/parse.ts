/** Text -> syntax tree. Never throws: what is wrong comes back as problems, all of a file's at once. */
import { EOF, type IToken } from "chevrotain";
import { type Diagnostic, diagnostic, type Note } from "../../ir/diagnostic.ts";
import type { Comment, File } from "./ast.ts";
import type { OpenBracket } from "./brackets.ts";
import { type Mistake, readDeclarations } from "./grammar.ts";
import { spanOf } from "./leaves.ts";
import { describeMistake, describeSlip } from "./syntax-help.ts";
import { passTokens } from "./token-pass.ts";
import { lex } from "./tokens.ts";

/** Some ten thousand lines. */
export const longestFile = { characters: 1 << 19, tokens: 250_000 };
const mostProblems = 20;

export interface Parsed {
  readonly file: File;
  /** In source order. Where there are any, the tree has holes (`error` nodes, missing declarations). */
  readonly problems: readonly Diagnostic[];
}

export function parse(text: string, path: string): Parsed {
  if (text.length > longestFile.characters) return refused(path, text.length, "characters");
  const source = plainLines(text);
  const { tokens: lexed, comments } = lex(source);
  if (lexed.length > longestFile.tokens) return refused(path, lexed.length, "tokens");
  const { tokens, slips } = passTokens(lexed);
  const docs = documentation(source, comments);
  const problems = collect(path);
  for (const slip of slips) if (slip.kind !== "unclosed") problems.add(describeSlip(slip.kind, slip.token, path));
  for (const slip of slips) if (slip.kind === "unclosed") problems.addUnclosed(slip.bracket);
  const declarations = readDeclarations(tokens, {
    path,
    docAbove: docs.above,
    failed: problems.addMistake,
    report: problems.add,
    full: problems.full,
  });
  const lines = source.split("\n");
  const start = { line: 1, column: 1 };
  const end = { line: lines.length, column: lines.at(-1)!.length + 1 };
  const rest = comments.filter((c) => !docs.used.has(c)).map((c): Comment => ({ text: c.image.trimEnd(), span: spanOf(path, c, c) }));
  return { file: { kind: "file", path, declarations, comments: rest, span: { file: path, start, end } }, problems: problems.all() };
}

/** Without a byte order mark, with `\n` at the end of every line: what spans count in. */
export const plainLines = (text: string): string => text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");

function refused(path: string, count: number, unit: "characters" | "tokens"): Parsed {
  const span = { file: path, start: { line: 1, column: 1 }, end: { line: 1, column: 2 } };
  const message = `the file has ${count} ${unit}, at most ${longestFile[unit]} are read`;
  return { file: { kind: "file", path, declarations: [], comments: [], span }, problems: [diagnostic("limit", message, span)] };
}

/** `##` lines on their own belong to what begins the line below them. */
function documentation(source: string, comments: readonly IToken[]) {
  const lines = new Map<number, IToken>();
  for (const c of comments) {
    const before = source.slice(c.startOffset - c.startColumn! + 1, c.startOffset);
    if (/^##(?!#)/.test(c.image) && before.trim() === "") lines.set(c.startLine!, c);
  }
  const used = new Set<IToken>();
  const above = (token: IToken, previous: IToken): string | null => {
    if (previous.startLine === token.startLine) return null;
    const found: IToken[] = [];
    for (let line = token.startLine! - 1; lines.has(line); line--) found.push(lines.get(line)!);
    found.reverse();
    for (const c of found) used.add(c);
    return found.length > 0 ? found.map((c) => c.image.slice(2).replace(/^ /, "").trimEnd()).join("\n") : null;
  };
  return { above, used };
}

interface Unclosed {
  readonly bracket: OpenBracket;
  readonly notes: Note[];
}
function collect(path: string) {
  const found: Diagnostic[] = [];
  const unclosed: Unclosed[] = [];
  const size = () => found.length + unclosed.length;
  /** An error behind a bracket that nothing closes is a consequence: it becomes a note there. */
  const cause = ({ start, found, expected }: Mistake): Unclosed | undefined => {
    const inside = unclosed.filter(({ bracket: { token } }) => token.startOffset >= start.startOffset && precedes(token, found));
    return inside.findLast((u) => expected.includes(u.bracket.closer)) ?? inside.at(-1);
  };
  return {
    add: (problem: Diagnostic) => void found.push(problem),
    addUnclosed: (bracket: OpenBracket) => void unclosed.push({ bracket, notes: [] }),
    addMistake: (mistake: Mistake) => {
      const problem = describeMistake(mistake, path);
      const opener = cause(mistake);
      if (opener) opener.notes.push({ message: problem.message, span: problem.span });
      else found.push(problem);
    },
    full: () => size() >= mostProblems,
    all: () => capped([...found, ...unclosed.map((u) => describeUnclosed(u, path))].sort(bySpan)),
  };
}
function capped(problems: readonly Diagnostic[]): Diagnostic[] {
  if (problems.length < mostProblems) return [...problems];
  const last = problems[mostProblems - 1]!;
  const note = { message: `no more than ${mostProblems} errors are shown`, span: null };
  return [...problems.slice(0, mostProblems - 1), { ...last, notes: [...last.notes, note] }];
}
const precedes = (a: IToken, b: IToken) => b.tokenType === EOF || a.startOffset < b.startOffset;
const bySpan = (a: Diagnostic, b: Diagnostic) => a.span!.start.line - b.span!.start.line || a.span!.start.column - b.span!.start.column;

function describeUnclosed({ bracket: { token, closer, suspect }, notes }: Unclosed, path: string): Diagnostic {
  const more = suspect
    ? [{ message: `a ${closer} may be missing before the one`, span: spanOf(path, suspect, suspect) }]
    : notes.slice(0, 1);
  return diagnostic("syntax", `\`${token.image}\` is never closed, expected ${closer}`, spanOf(path, token, token), { notes: more });
}
