/**
 * One pass over the tokens decides what depends on context, so that the grammar need not:
 * which ends of lines end a statement, which `:` belong to a slice, which words are words of the grammar.
 */
import type { IToken, TokenType } from "chevrotain";
import { type Brackets, isContextual, matchBrackets, startsDeclaration } from "./brackets.ts";
import { prune } from "./prune.ts";
import * as t from "./tokens.ts";

/** Something wrong that the pass put right, so that parsing goes on as if it had not been there. */
export type Slip =
  | { readonly kind: "slashes" | "too deep" | "brace" | "operator"; readonly token: IToken }
  /** Reported unless the parser says more about the same place. */
  | { readonly kind: "unclosed"; readonly bracket: Brackets["unclosed"][number]; readonly token: IToken };

export interface Tokens {
  readonly tokens: IToken[];
  readonly slips: readonly Slip[];
}

interface Open {
  readonly closer: IToken;
  /** Ends of lines mean nothing inside. */
  readonly joins: boolean;
  readonly isIndex: boolean;
}
interface State {
  readonly out: IToken[];
  readonly slips: Slip[];
  readonly open: Open[];
  readonly brackets: Brackets;
  readonly unclosed: ReadonlySet<IToken>;
  /** The word that began the statement, or the last `if` or `for` in it. */
  header: IToken | null;
}

export function passTokens(lexed: readonly IToken[]): Tokens {
  const { tokens, slashes, tooDeep } = prune(lexed);
  const brackets = matchBrackets(tokens);
  const slips: Slip[] = [
    ...slashes.map((token) => ({ kind: "slashes", token }) as const),
    ...tooDeep.map((token) => ({ kind: "too deep", token }) as const),
    ...brackets.unclosed.map((bracket) => ({ kind: "unclosed", bracket, token: bracket.token }) as const),
  ];
  const state: State = { out: [], slips, open: [], brackets, unclosed: new Set(brackets.unclosed.map((b) => b.token)), header: null };
  let next = tokens.length;
  const following = new Int32Array(tokens.length); // index of the next token that is not the end of a line
  for (let i = tokens.length - 1; i >= 0; i--) {
    following[i] = next;
    if (!t.is(tokens[i], t.Newline)) next = i;
  }
  tokens.forEach((token, i) => {
    if (t.is(token, t.Newline)) endLine(state, token, tokens[following[i]!], tokens[following[i]! + 1]);
    else if (t.is(token, t.Semicolon)) endStatement(state, token);
    else place(state, token, tokens[i + 1]);
  });
  while (t.is(state.out.at(-1), t.LineEnd)) state.out.pop();
  return { tokens: state.out, slips };
}

function place(state: State, token: IToken, next: IToken | undefined): void {
  const previous = state.out.at(-1);
  const top = state.open.at(-1);
  const starts = !previous || t.is(previous, t.LineEnd) || (t.is(previous, t.LCurly) && !top?.joins);
  if (starts || hasBlock.has(token.tokenType)) state.header = token;
  if (starts && next && isContextual(token, next)) {
    const word = t.retagged(token, t.contextualWords.get(token.image)!);
    state.header = word;
    state.out.push(word);
    return;
  }
  const closer = state.brackets.closers.get(token);
  if (closer) state.open.push(opened(token, closer, previous));
  else if (top?.closer === token) state.open.pop();
  state.out.push(top?.isIndex && t.is(token, t.Colon) ? t.retagged(token, t.SliceColon) : token);
}
function opened(token: IToken, closer: IToken, previous: IToken | undefined): Open {
  const joins = !t.is(token, t.LCurly) || t.is(previous, t.Import);
  return { closer, joins, isIndex: t.is(token, t.LSquare) && previous !== undefined && endsValue(previous) };
}
const valueEnds: ReadonlySet<TokenType> = new Set([
  ...[t.Name, t.As, t.From, t.Int, t.Float, t.Text, t.True, t.False, t.None],
  ...[t.RParen, t.RSquare, t.RCurly],
]);
const endsValue = (token: IToken) => valueEnds.has(token.tokenType);

/** `then`: the first token of the next line that has one, `after` the one after it. */
function endLine(state: State, token: IToken, then: IToken | undefined, after: IToken | undefined): void {
  const previous = state.out.at(-1);
  if (!previous || !then || state.open.at(-1)?.joins) return;
  if (!startsDeclaration(then, after)) {
    if (t.continues(previous) || state.unclosed.has(previous) || continuesBefore.has(then.tokenType)) return;
    const slip = slipAt(state, previous, then, after);
    if (slip) {
      state.slips.push({ kind: slip, token: then });
      return;
    }
  }
  endStatement(state, token);
}
const continuesBefore: ReadonlySet<TokenType> = new Set([t.Pipe, t.Arrow, t.Else]);

function endStatement({ out }: State, token: IToken): void {
  const previous = out.at(-1);
  if (previous && !t.is(previous, t.LineEnd) && !t.is(previous, t.LCurly)) out.push(t.retagged(token, t.LineEnd));
}

/** The next line begins with what belongs at the end of this one. */
function slipAt(state: State, previous: IToken, then: IToken, after: IToken | undefined): "brace" | "operator" | null {
  if (t.is(previous, t.LineEnd) || t.is(previous, t.LCurly)) return null;
  if (t.is(then, t.LCurly) && !startsHole(then, after) && state.header && hasBlock.has(state.header.tokenType)) return "brace";
  const inBlock = state.open.length > 0;
  return inBlock && leading.has(then.tokenType) && !startsComment(then, after) ? "operator" : null;
}
/** `{i}.conv: ...`, as far as can be told from its first two tokens. */
const startsHole = (brace: IToken, after: IToken | undefined) => after !== undefined && t.adjacent(brace, after) && !t.is(after, t.Newline);
/** `//` and `/*` of other languages. */
const startsComment = (slash: IToken, after: IToken | undefined) =>
  slash.image === "//" || (slash.image === "/" && after !== undefined && after.image.startsWith("*") && t.adjacent(slash, after));
const hasBlock: ReadonlySet<TokenType> = new Set([t.Fn, t.Layer, t.Model, t.Train, t.If, t.For]);
const leading: ReadonlySet<TokenType> = new Set([t.Plus, t.Times, t.Compare, t.Power, t.And, t.Or, t.Comma]);
