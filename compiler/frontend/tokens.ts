/** The words of the language. What depends on context (ends of lines, slice colons, contextual words) is decided in token-pass.ts. */
import { createToken, type IToken, Lexer, type TokenType } from "chevrotain";

const category = (name: string, parents: readonly TokenType[] = []) => createToken({ name, pattern: Lexer.NA, categories: [...parents] });

/** Everything but `}`: what a block's loop takes in, so that a statement can complain about it. */
export const Anything = category("Anything");
/** Any word or number may be a part of a label. */
export const LabelText = category("LabelText");
export const Word = category("Word", [Anything, LabelText]);
/** Left-associative binary operators; `**` and `|>` have their own rules. */
export const Operator = category("Operator", [Anything]);
/** `- !` in front of an operand. */
export const Sign = category("Sign", [Anything]);

export const Name = createToken({ name: "Name", label: "a name", pattern: /[A-Za-z_][A-Za-z0-9_]*/, categories: [Word] });

const word = (text: string, categories: TokenType[]) =>
  createToken({ name: `'${text}'`, label: `\`${text}\``, pattern: new RegExp(text), longer_alt: Name, categories });
const reserved = (text: string) => word(text, [Word]);
export const If = reserved("if");
export const Else = reserved("else");
export const For = reserved("for");
export const In = reserved("in");
export const Return = reserved("return");
export const Assert = reserved("assert");
export const True = reserved("true");
export const False = reserved("false");
export const None = reserved("none");
export const As = word("as", [Name]);
export const From = word("from", [Name]);

/** Words of the grammar that are never names. */
export const grammarWords: readonly string[] = [If, Else, For, In, Return, Assert, True, False, None].map((t) => t.name.slice(1, -1));

/** Lexed as a name; the token pass makes it a word of the grammar where one stands. */
const contextual = (text: string) => createToken({ name: `'${text}'`, label: `\`${text}\``, pattern: Lexer.NA, categories: [Word] });
export const Import = contextual("import");
export const Const = contextual("const");
export const Fn = contextual("fn");
export const Layer = contextual("layer");
export const Model = contextual("model");
export const Train = contextual("train");
export const Param = contextual("param");
export const State = contextual("state");
export const Update = contextual("update");
export const Use = contextual("use");
export const Input = contextual("input");
export const Metric = contextual("metric");
export const Freeze = contextual("freeze");
const byText = (types: readonly TokenType[]): ReadonlyMap<string, TokenType> => new Map(types.map((t) => [t.name.slice(1, -1), t]));
export const declarationWords = byText([Import, Const, Fn, Layer, Model, Train]);
export const contextualWords = byText([...declarationWords.values(), ...[Param, State, Update, Use, Input, Metric, Freeze]]);

export const Float = createToken({
  name: "Float",
  label: "a number",
  pattern: /\d+(?:_\d+)*(?:\.\d+(?:_\d+)*(?:[eE][+-]?\d+)?|[eE][+-]?\d+)/,
  categories: [LabelText, Anything],
});
export const Int = createToken({
  name: "Int",
  label: "a number",
  pattern: /\d+(?:_\d+)*/,
  longer_alt: Float,
  categories: [LabelText, Anything],
});
export const Text = createToken({ name: "Text", label: "a string", pattern: /"(?:[^"\\\n]|\\[^\n])*"/, categories: [Anything] });

const symbol = (text: string, categories: TokenType[] = [Anything]) =>
  createToken({ name: text, label: `\`${text}\``, pattern: new RegExp(text.replace(/\W/g, "\\$&")), categories });
export const Pipe = symbol("|>");
export const Arrow = symbol("->");
export const Ellipsis = symbol("...");
export const Dot = symbol(".");
export const Comma = symbol(",");
export const Colon = symbol(":");
export const LParen = symbol("(");
export const RParen = symbol(")");
export const LSquare = symbol("[");
export const RSquare = symbol("]");
export const LCurly = symbol("{");
export const RCurly = symbol("}", []);
export const Or = symbol("||", [Operator]);
export const And = symbol("&&", [Operator]);
export const Plus = symbol("+", [Operator]);
export const Minus = symbol("-", [Operator, Sign]);
export const Not = symbol("!", [Sign]);
export const Power = symbol("**");
export const Compare = createToken({ name: "Compare", label: "a comparison", pattern: /==|!=|<=|>=|<|>/, categories: [Operator] });
export const Times = createToken({ name: "Times", label: "an operator", pattern: /\/\/|[*/%@]/, categories: [Operator] });
export const Assign = createToken({ name: "Assign", label: "`=`", pattern: Lexer.NA, categories: [Anything] });
export const Equals = createToken({ name: "=", label: "`=`", pattern: /=/, categories: [Assign] });
export const AssignOperator = createToken({ name: "AssignOperator", pattern: /[+\-*/]=/, categories: [Assign] });

/** The `:` of a slice, made from `Colon` directly inside the `[ ]` of an index. */
export const SliceColon = createToken({ name: "SliceColon", label: "`:`", pattern: Lexer.NA, categories: [Anything] });
/** Made from the ends of lines and from `;`. */
export const LineEnd = createToken({ name: "LineEnd", label: "the end of the line", pattern: Lexer.NA });
export const Newline = createToken({ name: "Newline", pattern: /\n/, line_breaks: true });
export const Semicolon = createToken({ name: ";", pattern: /;/ });

const Space = createToken({ name: "Space", pattern: /[ \t]+/, group: Lexer.SKIPPED });
export const CommentText = createToken({ name: "Comment", pattern: /#[^\n]*/, group: "comments" });

/** Not in the language; kept as tokens so that the parser can say what it found and go on. */
export const OpenText = createToken({ name: "OpenText", pattern: /"(?:[^"\\\n]|\\[^\n])*\\?/, categories: [Anything] });
export const QuotedText = createToken({ name: "QuotedText", pattern: /'[^'\n]*'?/, categories: [Anything] });
export const Unknown = createToken({
  name: "Unknown",
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is recognised
  pattern: /\r|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\uffff]+|[$&?\\^`|~]/,
  categories: [Anything],
});

export const vocabulary: TokenType[] = [
  ...[Space, Newline, CommentText, Anything, LabelText, Word, Operator, Sign, Assign],
  ...[If, Else, For, In, Return, Assert, True, False, None, As, From, Name, ...contextualWords.values()],
  ...[Float, Int, Text, OpenText, QuotedText],
  ...[Pipe, Arrow, Ellipsis, Dot, Or, And, Comma, Semicolon, Colon, SliceColon, LineEnd],
  ...[LParen, RParen, LSquare, RSquare, LCurly, RCurly],
  ...[Compare, AssignOperator, Equals, Power, Times, Minus, Plus, Not, Unknown],
];

let lexer: Lexer | undefined;
/** Spaces are dropped, comments come apart, everything else is a token: no text is refused here. */
export function lex(text: string): { tokens: IToken[]; comments: IToken[] } {
  lexer ??= new Lexer(vocabulary, { ensureOptimizations: true, skipValidations: false });
  const { tokens, groups } = lexer.tokenize(text);
  return { tokens, comments: groups.comments ?? [] };
}

export const is = (token: IToken | undefined, type: TokenType): boolean => token?.tokenType === type;
export const isWord = (token: IToken): boolean => token.tokenType.CATEGORIES?.includes(Word) === true || isName(token);
export const isName = ({ tokenType: t }: IToken): boolean => t === Name || t === As || t === From;
export const isLabelText = (token: IToken): boolean => isWord(token) || is(token, Int) || is(token, Float);
/** Nothing, not even a space, stands between them. */
export const adjacent = (a: IToken, b: IToken): boolean => a.startOffset + a.image.length === b.startOffset;
export const retagged = (token: IToken, type: TokenType): IToken => ({
  ...token,
  tokenType: type,
  tokenTypeIdx: type.tokenTypeIdx!,
});

const goesOn: ReadonlySet<TokenType> = new Set([
  Pipe,
  Arrow,
  Or,
  And,
  Comma,
  Equals,
  AssignOperator,
  Compare,
  Power,
  Times,
  Minus,
  Plus,
  Not,
  Colon,
  In,
]);
/** The end of a line after such a token is not the end of a statement. */
export const continues = (token: IToken): boolean => goesOn.has(token.tokenType);
