/** Habits from Python, PyTorch and other languages that show in a syntax error, and what to write instead. */
import type { IToken } from "chevrotain";
import { comparisonEnd, declarationList, type Mistake } from "./grammar.ts";
import * as t from "./tokens.ts";

/** A mistake with what the rules below ask of it. */
interface Scene {
  readonly found: IToken;
  readonly next: IToken;
  readonly expected: string;
  readonly previous: IToken | undefined;
  readonly before: readonly IToken[];
  /** The first word of the statement. */
  readonly start: string;
  /** A pipeline came before, and its last name or `)` just now. */
  readonly afterStage: boolean;
}
interface Habit {
  readonly when: (s: Scene) => boolean;
  readonly help: string | ((s: Scene) => string);
}

const image = (s: Scene, ...images: readonly string[]) => images.includes(s.found.image);
const previousIs = (s: Scene, ...images: readonly string[]) => s.previous !== undefined && images.includes(s.previous.image);
const startIs = (s: Scene, ...words: readonly string[]) => words.includes(s.start);
const atTop = (s: Scene) => s.expected === declarationList;
const endExpected = (s: Scene) => s.expected === t.LineEnd.LABEL;
const argsExpected = (s: Scene) => s.expected === t.LParen.LABEL;
const blockExpected = (s: Scene) => s.expected === t.LCurly.LABEL;
const valueExpected = (s: Scene) => s.expected.startsWith("an expression") || s.expected.startsWith("an argument");

/** What libraries are called in other languages. */
const modules = ["nn", "F", "torch", "tf", "keras", "layers", "np", "jnp", "jax", "math"];

/** The first that applies is shown. */
const habits: readonly Habit[] = [
  // Characters and literals
  {
    when: (s) => t.is(s.found, t.QuotedText),
    help: (s) => `strings are written in double quotes: "${s.found.image.replace(/^'|'$/g, "")}"`,
  },
  { when: (s) => t.is(s.found, t.Unknown), help: (s) => strangeness(s.found.image) },
  { when: (s) => t.is(s.found, t.Text) && previousIs(s, '""'), help: "documentation is written as `## ...` lines above a declaration" },
  {
    when: (s) => t.is(s.found, t.Text) && s.previous !== undefined && t.isName(s.previous) && t.adjacent(s.previous, s.found),
    help: 'there are no prefixes on strings: "layer" + str(i)',
  },
  {
    when: (s) => (previousIs(s, ".") && t.is(s.before.at(-2), t.Int)) || (image(s, ".") && t.is(s.next, t.Int) && valueExpected(s)),
    help: "a number has a digit on both sides of its dot: `1.0`, `0.5`",
  },
  {
    when: (s) => startIs(s, "import", "from") || (atTop(s) && image(s, "import", "from")),
    help: 'an import is written `import { a, b } from "./file.dlm"`',
  },
  // Comments
  {
    when: (s) => s.before.some((b) => b.image === "//" && b.startLine === s.found.startLine),
    help: "`//` divides; a comment starts with `#`",
  },
  { when: (s) => (image(s, "/") && t.is(s.next, t.Times)) || (image(s, "*") && previousIs(s, "/")), help: "a comment starts with `#`" },
  // Words for operators
  { when: (s) => previousIs(s, "not") || (image(s, "not") && endExpected(s)), help: "`not` is written `!`" },
  { when: (s) => image(s, "and"), help: "`and` is written `&&`" },
  { when: (s) => image(s, "or"), help: "`or` is written `||`" },
  { when: (s) => image(s, "is"), help: "`is` is written `==`: `x == none`" },
  {
    when: (s) => image(s, "in") && s.before.length > 0 && !startIs(s, "for") && !previousIs(s, "|>"),
    help: "`in` belongs to `for`; there is no test of membership",
  },
  {
    when: (s) => s.before.some((b) => b.image === "lambda"),
    help: "there are no functions without a name: declare a `fn` and pass its name",
  },
  { when: (s) => image(s, "if") && endExpected(s), help: "the condition comes first: `if c { a } else { b }`" },
  // Operators
  { when: (s) => s.expected === comparisonEnd, help: "comparisons do not chain: `a < b && b < c`" },
  { when: (s) => image(s, ">") && previousIs(s, "<"), help: "`<>` is written `!=`" },
  { when: (s) => image(s, "=") && s.next.image === ">", help: "there are no functions without a name: declare a `fn` and pass its name" },
  { when: (s) => image(s, "+") && previousIs(s, "+"), help: "to count on: `x += 1`" },
  {
    when: (s) => image(s, "*", "**") && previousIs(s, "(", ","),
    help: "there is no unpacking with `*`: pass the list, or name the arguments",
  },
  // Bindings
  { when: (s) => t.is(s.found, t.Equals) && previousIs(s, "=="), help: "`===` is written `==`" },
  { when: (s) => image(s, ":") && t.is(s.next, t.Equals), help: "`:=` is written `=`" },
  {
    when: (s) => isAssign(s) && continuedLine(s) !== null,
    help: (s) => `line ${continuedLine(s)?.startLine} ends with \`${continuedLine(s)?.image}\` and so goes on here`,
  },
  { when: (s) => isAssign(s) && (blockExpected(s) || startIs(s, "assert", "return")), help: "`=` binds a name; `==` compares" },
  { when: (s) => isAssign(s) && atTop(s), help: "at the top level `const` binds a name: `const width = 64`" },
  {
    when: (s) => isAssign(s) && (previousIs(s, "]") || s.before.some((b) => t.is(b, t.Dot))),
    help: "nothing changes in place: bind a new value to a name",
  },
  {
    when: (s) => startIs(s, "let", "var", "val", "mut") && s.before.length === 1,
    help: "a name is bound without a word before it: `x = ...`",
  },
  { when: (s) => argsExpected(s) && startIs(s, "if", "elif", "else", "for"), help: "a body is written in braces: `{ ... }`" },
  { when: (s) => argsExpected(s) && image(s, "[", "=") && s.before.length === 3, help: "a binding has no type: `x = ...`" },
  // Pipelines and labels
  {
    when: (s) => s.afterStage && image(s, "{", ".") && labelFollows(s),
    help: "a label is written without spaces, directly before its `:`: `layer{i}.conv: Conv2d(64, 3)`",
  },
  {
    when: (s) => previousIs(s, "|>"),
    help: "after `|>` stands a name, with or without label and arguments: `x |> act: relu`, `x |> max_pool(2)`",
  },
  {
    when: (s) => s.afterStage && image(s, ".") && previousIs(s, ...modules),
    help: (s) => `names have no module in front of them: \`${s.next.image}\``,
  },
  {
    when: (s) => s.afterStage && image(s, "[", "."),
    help: (s) => `put the pipeline in parentheses: \`(x |> f)${s.found.image === "[" ? "[0]" : ".shape"}\``,
  },
  {
    when: (s) => s.afterStage && (isOperator(s.found) || t.is(s.found, t.Power)),
    help: (s) => `put the pipeline in parentheses: \`(x |> f) ${s.found.image} y\``,
  },
  {
    when: (s) => previousIs(s, ":") && s.expected === t.Name.LABEL,
    help: "`name: Layer(...)` labels a layer; an argument is named with `=`",
  },
  // Blocks
  { when: (s) => blockExpected(s) && t.is(s.found, t.LineEnd) && t.is(s.next, t.LCurly), help: "`{` stands on the line of its header" },
  { when: (s) => blockExpected(s) && image(s, "->"), help: "`fn` and `layer` give what they `return`; only a model names its outputs" },
  { when: (s) => blockExpected(s), help: "a body is written in braces: `{ ... }`" },
  { when: (s) => s.expected === t.Arrow.LABEL, help: "a model names its outputs: `model Net(x: f32[N, 3]) -> y { ... }`" },
  {
    when: (s) => image(s, "{") && valueExpected(s) && previousIs(s, "=", "(", ",", "[", "return"),
    help: "there are no dictionaries; a list is written `[a, b]`",
  },
  { when: (s) => image(s, "else") && s.before.length === 0, help: "`else` stands behind the `}` of its `if`" },
  { when: (s) => startIs(s, "elif") || image(s, "elif"), help: "`elif` is written `else if`" },
  { when: (s) => startIs(s, "while"), help: "there is no `while`: loops are unrolled, `for i in range(n) { ... }`" },
  { when: (s) => startIs(s, "raise", "throw"), help: 'a condition is checked with `assert condition, "message"`' },
  {
    when: (s) => startIs(s, "freeze", "optimizer") && t.is(s.before.at(1) ?? s.found, t.Times),
    help: (s) => `names of parameters are matched by strings: \`${s.start} "*.bias"\``,
  },
  // Declarations
  { when: (s) => image(s, "}") && atTop(s), help: "no `{` is open here" },
  {
    when: (s) => image(s, ")", "]"),
    help: (s) => (endExpected(s) || s.before.length === 0 ? `no \`${s.found.image === ")" ? "(" : "["}\` is open here` : ""),
  },
  {
    when: (s) => image(s, "def", "function", "func", "defn"),
    help: "a function is declared with `fn`, or with `layer` if it owns parameters",
  },
  {
    when: (s) => startIs(s, "def", "function", "func"),
    help: "a function is declared with `fn`, or with `layer` if it owns parameters, at the top level of the file",
  },
  {
    when: (s) => startIs(s, "class", "struct") || image(s, "class", "struct"),
    help: "what owns parameters is a `layer`; what has named inputs and outputs is a `model`",
  },
  { when: (s) => atTop(s) && t.declarationWords.has(s.found.image), help: (s) => `behind \`${s.found.image}\` stands a name` },
  { when: (s) => s.before.length === 0 && t.declarationWords.has(s.start), help: "declarations stand at the top level of the file" },
  { when: (s) => image(s, "export") && atTop(s), help: "every declaration of a file can be imported" },
  {
    when: (s) => t.isWord(s.found) && !t.isName(s.found) && (s.expected === t.Name.LABEL || t.is(s.next, t.Equals)),
    help: (s) => `\`${s.found.image}\` is a word of the language`,
  },
];

const isAssign = (s: Scene) => t.is(s.found, t.Equals) || t.is(s.found, t.AssignOperator);
const isOperator = (token: IToken) => token.tokenType.CATEGORIES?.includes(t.Operator) === true;
/** `layer {i}` and `a . b`, not `a.b`. */
const labelFollows = (s: Scene) => t.is(s.found, t.LCurly) || (t.isLabelText(s.next) && !t.adjacent(s.previous!, s.found));
/** The last token of an earlier line that made the statement go on. */
function continuedLine({ before, found }: Scene): IToken | null {
  const last = before.findLast((b) => b.startLine! < found.startLine!);
  return last && t.continues(last) ? last : null;
}

const strange: Readonly<Record<string, string>> = {
  "?": "a choice is written `if c { a } else { b }`",
  "&": "`&&` is the logical and",
  "|": "`||` is the logical or, `|>` a pipeline",
  "^": "powers are written `a ** b`",
  "~": "negation is written `!a`",
  "\\": "a line goes on inside `( )` and `[ ]`, after an operator and before `|>`",
  "\u00a0": "this is a no-break space: write an ordinary one",
  "\u201c": "strings are written in straight double quotes",
  "\u201d": "strings are written in straight double quotes",
  "\u2018": "strings are written in straight double quotes",
  "\u2019": "strings are written in straight double quotes",
  "\u2212": "the minus sign is `-`",
  "\u2013": "the minus sign is `-`",
  "\u00d7": "multiplication is written `*`",
};

const strangeness = (text: string): string =>
  strange[text.charAt(0)] ?? (/^\p{L}/u.test(text) ? "names are made of the letters A to Z and a to z, digits and `_`" : "");

export function habitOf(mistake: Mistake): string | null {
  const { found, next, expected, before, start } = mistake;
  const previous = before.at(-1);
  const pipe = before.findLastIndex((b) => t.is(b, t.Pipe));
  const stageEnds = previous !== undefined && (t.isName(previous) || t.is(previous, t.RParen));
  const scene = { found, next, expected, previous, before, start: start.image, afterStage: pipe >= 0 && stageEnds };
  const habit = habits.find(({ when }) => when(scene));
  const help = typeof habit?.help === "function" ? habit.help(scene) : habit?.help;
  return help || null;
}
