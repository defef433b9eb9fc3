/** Takes out what would make everything after it unreadable: `//` used as a comment, and declarations that nest too deep. */
import type { IToken } from "chevrotain";
import { closes, isCloser, isOpener, startsDeclaration } from "./brackets.ts";
import { continues, is, LCurly, Newline } from "./tokens.ts";

/** Brackets of all kinds. The parser, and what walks its trees, may recurse that far. */
export const deepestNesting = 64;

export interface Pruned {
  readonly tokens: readonly IToken[];
  /** `//` at the start of a line, where no statement goes on: the line is dropped. */
  readonly slashes: readonly IToken[];
  /** Brackets that nest too deep: the declarations around them are dropped. */
  readonly tooDeep: readonly IToken[];
}

export function prune(tokens: readonly IToken[]): Pruned {
  const kept: IToken[] = [];
  const slashes: IToken[] = [];
  const tooDeep: IToken[] = [];
  let open: IToken[] = [];
  let declaration = 0;
  let dropping: "line" | "declaration" | null = null;
  tokens.forEach((token, i) => {
    if (startsDeclaration(token, tokens[i + 1])) {
      open = [];
      declaration = kept.length;
      dropping = null;
    } else if (dropping === "line" && is(token, Newline)) dropping = null;
    if (dropping !== null) return;
    if (token.image === "//" && startsStatement(tokens[i - 1], kept, open)) {
      slashes.push(token);
      dropping = "line";
      return;
    }
    nest(open, token);
    kept.push(token);
    if (open.length > deepestNesting) {
      tooDeep.push(token);
      kept.length = declaration;
      dropping = "declaration";
    }
  });
  return { tokens: kept, slashes, tooDeep };
}

function nest(open: IToken[], token: IToken): void {
  if (isOpener(token)) open.push(token);
  else if (isCloser(token)) {
    const at = open.findLastIndex((o) => closes(o, token));
    if (at >= 0) open.length = at;
  }
}
function startsStatement(before: IToken | undefined, kept: readonly IToken[], open: readonly IToken[]): boolean {
  if (before && !is(before, Newline)) return false;
  const enclosing = open.at(-1);
  const previous = kept.findLast((t) => !is(t, Newline));
  return (!enclosing || is(enclosing, LCurly)) && (!previous || !continues(previous));
}
