import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Expr, File, Statement } from "../../../compiler/frontend/ast.ts";
import { printAst } from "../../../compiler/frontend/format.ts";
import { longestFile, parse } from "../../../compiler/frontend/parse.ts";
import type { Span } from "../../../ir/diagnostic.ts";
import { renderDiagnostics } from "../../../ir/diagnostic.ts";
import { programs } from "./programs.ts";

function parsed(text: string): File {
  const { file, problems } = parse(text, "a.dlm");
  expect(renderDiagnostics(problems, new Map([["a.dlm", text]]))).toBe("");
  return file;
}
const inFunction = (lines: string) => `fn f(x) {\n${lines}\n}\n`;
/** The statements of a function body, as tree text. */
const tree = (lines: string): string[] =>
  printAst(parsed(inFunction(lines)))
    .trimEnd()
    .split("\n")
    .slice(3)
    .filter((l) => !l.startsWith("  comment "))
    .map((l) => l.slice(4));
const statements = (lines: string): readonly Statement[] => {
  const [first] = parsed(inFunction(lines)).declarations;
  return first?.kind === "fn" ? first.body.statements : [];
};
const problemsOf = (text: string): string[] => parse(text, "a.dlm").problems.map((p) => p.message);

describe("expressions", () => {
  test.each([
    ["a + b |> relu", "(|> (+ a b) relu)"],
    ["a + b * c - d", "(- (+ a (* b c)) d)"],
    ["a || b && c == d + e", "(|| a (&& b (== c (+ d e))))"],
    ["a == -1 && b != -2 || !c", "(|| (&& (== a (- 1)) (!= b (- 2))) (! c))"],
    ["-2 ** -2 ** 2", "(- (** 2 (- (** 2 2))))"],
    ["a @ b / c // d % e", "(% (// (/ (@ a b) c) d) e)"],
    ["-x.y[0](z)", "(- (call (index (. x y) 0) z))"],
    ["x[a:N, ..., ::2, 1:, :-1, (z: L(x)):N]", "(index x a:N ... ::2 1: :(- 1) (paren (z: L x)):N)"],
    [
      "x |> layer{i + 1}.{j}: B(3) |> 0: C |> features.1.conv.0.0.1: D(1, k=2)",
      "(|> (|> (|> x (layer{(+ i 1)}.{j}: B 3)) 0: C) (features.1.conv.0.0.1: D 1 k=2))",
    ],
    ["x |> 3x3.{k}b: Y |> _: Z", "(|> (|> x 3x3.{k}b: Y) _: Z)"],
    ["if.else: Linear(x) + in: Linear(y)", "(+ (if.else: Linear x) (in: Linear y))"],
    ["f(a, model: L(x), name=b: L(x), model=layer)", "(call f a (model: L x) name=(b: L x) model=layer)"],
    ["[p: L(x), q{i}: L(x)]", "(square (p: L x) (q{i}: L x))"],
    ["[i * j for i, (j, _) in range(3) for k in ks]", "(each (* i j) for (i (j _)) in (call range 3) for k in ks)"],
    ["((a), (), (b,), [c,], (d, e))", "(round (paren a) (round) (round b) (square c) (round d e))"],
    ["if a { 1 } else if b { 2 } else { 3 } |> f", "(|> (if a { 1 } else if b { 2 } else { 3 }) f)"],
    ["if c{ x }[0]", "(index (if c { x }) 0)"],
    ["1_000 + 2.5E1 + 1e-3", "(+ (+ 1000 25.0) 0.001)"],
    ['"a \\" \\\\ \\n\\t#"', JSON.stringify('a " \\ \n\t#')],
    ["[1, 2][0]", "(index (square 1 2) 0)"],
  ])("%s", (text, expected) => expect(tree(`v = ${text}`)).toEqual([`v = ${expected}`]));

  test("`as`, `from` and the contextual words are names", () => {
    const lines = "state = 3\nparam = state; use = as; input, metric = x\nlayer = from(model)\nfreeze |> f\nuse update = train\nmodel -x";
    expect(tree(lines)).toEqual([
      ...["state = 3", "param = state", "use = as", "(input metric) = x", "layer = (call from model)"],
      ...["(|> freeze f)", "use update = train", "(- model x)"],
    ]);
  });
  test("comparisons do not chain", () => {
    expect(problemsOf(inFunction("y = a < b == c"))).toEqual(["found `==`, expected `&&`, `||` or the end of the expression"]);
    expect(tree("y = a < b && b < c || (a < b) == c")).toHaveLength(1);
  });
});

describe("lines", () => {
  test.each([
    ["y = x\n\n  |> f # comment\n# another\n  |> g", ["y = (|> (|> x f) g)"]],
    ["y = a +\nb *\n\nc", ["y = (+ a (* b c))"]],
    ["y = f(a\n, b\n)\n[0]", ["y = (call f a b)", "(square 0)"]],
    ["y = if a { 1 }\nelse if b { 2 }\n\nelse { 3 }", ["y = if a", "  1", "else if b", "  2", "else", "  3"]],
    ["a = 1; ; b = 2;\n;c = 3", ["a = 1", "b = 2", "c = 3"]],
    ["for i in\nxs { a = 1\n\n b = 2 }", ["for i in xs", "  a = 1", "  b = 2"]],
    ["y = f(if a {\nb = 1\nb + 1 } else { 2 }, 3)", ["y = (call f (if a { b = 1; (+ b 1) } else { 2 }) 3)"]],
    ["a\n-b", ["a", "(- b)"]],
    ["a, b = c,\nd", ["(a b) = (bare c d)"]],
    ["param w:\nf32[\n3\n] =\nzeros", ["param w: f32[3] = zeros"]],
  ])("%s", (text, expected) => expect(tree(text)).toEqual(expected));

  test("line ends, tabs, byte order mark", () => {
    const text = "\ufefffn f(x) {\r\n\ty = x\r\n\t  |> g\r  return y\r\n}\r\n";
    expect(printAst(parsed(text))).toBe(printAst(parsed("fn f(x) {\n y = x |> g\n return y\n}")));
  });
  test("a declaration word in column 1 begins a declaration", () => {
    const { file, problems } = parse("layer A(x) {\n  y = f(x,\nlayer B(x) { return x }\n", "a.dlm");
    expect(file.declarations.map((d) => d.kind === "layer" && d.name.name)).toEqual(["B"]);
    expect(problems.map((p) => p.message)).toEqual(["`{` is never closed, expected `}`", "`(` is never closed, expected `)`"]);
  });
});

describe("documentation and comments", () => {
  test("belongs to what begins right below", () => {
    const file = parsed(`## Not directly above.

## One.
##  Two.
layer A(x) { # a
  ## Weight.
  param w: f32[] = zeros
  ## Not about a binding.
  y = 1; param b: f32[] = zeros  ## behind
  return y
}
## Block.
train A {
  ## Target.
  input t: i32[N]
  #### A heading.
  metric m = 1
}
`);
    const [layer, train] = file.declarations;
    expect(layer).toMatchObject({ doc: "One.\n Two.", body: { statements: [{ doc: "Weight." }, {}, { doc: null }, {}] } });
    expect(train).toMatchObject({ doc: "Block.", body: { statements: [{ doc: "Target." }, { doc: null }] } });
    expect(file.comments.map((c) => c.text)).toEqual([
      "## Not directly above.",
      "# a",
      "## Not about a binding.",
      "## behind",
      "#### A heading.",
    ]);
  });
  test("an import has none", () => expect(parsed('## A comment.\nimport { a } from "./a.dlm"').comments).toHaveLength(1));
});

describe("spans", () => {
  const lines = inFunction("y = a |> l{i}: F(b, k=c[1:2]) |> g\nfor i, (j, _) in xs { z = -p ** q + (r.s, t) }").split("\n");
  const at = ({ start, end }: Span) => {
    expect(start.line).toBe(end.line);
    return lines[start.line - 1]!.slice(start.column - 1, end.column - 1);
  };
  test("cover what was written, no more", () => {
    const [bind, loop] = statements("y = a |> l{i}: F(b, k=c[1:2]) |> g\nfor i, (j, _) in xs { z = -p ** q + (r.s, t) }");
    const found: string[] = [];
    const visit = (node: unknown): void => {
      if (typeof node !== "object" || node === null) return;
      if ("span" in node) found.push(at(node.span as Span));
      for (const child of Object.values(node)) visit(child);
    };
    visit(bind);
    expect(found).toEqual([
      ...["y = a |> l{i}: F(b, k=c[1:2]) |> g", "y", "a |> l{i}: F(b, k=c[1:2]) |> g", "a |> l{i}: F(b, k=c[1:2])", "a", "l{i}", "i"],
      ...["F", "b", "b", "k=c[1:2]", "k", "c[1:2]", "1:2", "1", "2", "c", "g"],
    ]);
    found.length = 0;
    visit(loop);
    expect(found).toEqual([
      ...["for i, (j, _) in xs { z = -p ** q + (r.s, t) }", "i, (j, _)", "i", "j, _", "j", "_", "xs", "{ z = -p ** q + (r.s, t) }"],
      ...["z = -p ** q + (r.s, t)", "z", "-p ** q + (r.s, t)", "-p ** q", "p ** q", "p", "q", "(r.s, t)", "r.s", "s", "r", "t"],
    ]);
  });
  test("of declarations", () => {
    const text = 'import { a as b } from "./x.dlm"\nmodel M(x: f32[N, ...r], k = 1) -> y: f32[H = 3] {\n}\ntrain t: M { }';
    const file = parsed(text);
    const [imported, model, train] = file.declarations;
    expect(imported).toMatchObject({
      pathSpan: { start: { column: 24 }, end: { column: 33 } },
      span: { start: { column: 1 }, end: { column: 33 } },
    });
    expect(model).toMatchObject({ span: { start: { line: 2, column: 1 }, end: { line: 3, column: 2 } } });
    expect(train).toMatchObject({ model: { span: { start: { line: 4, column: 10 }, end: { line: 4, column: 11 } } } });
    expect(file.span).toMatchObject({ start: { line: 1, column: 1 }, end: { line: 4, column: 15 } });
  });
});

describe("recovery", () => {
  test("the statement is skipped, its blocks as a whole, the next line is read", () => {
    const text = "a = 1\nfor i range(3) {\n  b = 1 1\n  if x { c = 1 }\n}\nd = 1\nif x { e = }\nf = [1,\n2 2]\ng = 1";
    const { file, problems } = parse(inFunction(text), "a.dlm");
    expect(problems.map((p) => p.span!.start.line)).toEqual([3, 8, 10]);
    expect(
      printAst(file)
        .trim()
        .split("\n")
        .slice(3)
        .map((l) => l.trim()),
    ).toEqual(["a = 1", "error", "d = 1", "if x", "error", "error", "g = 1"]);
  });
  test("behind a broken header the body is read", () => {
    expect(problemsOf("fn f(x, 3) {\n  y = )\n}\nlayer 3(x) { z = ( }\n")).toHaveLength(4);
  });
  test("no more than twenty errors", () => {
    const { problems } = parse(inFunction("a = = 1\n".repeat(500)), "a.dlm");
    expect(problems).toHaveLength(20);
    expect(problems[19]!.notes).toEqual([{ message: "no more than 20 errors are shown", span: null }]);
  });
});

describe("limits", () => {
  const nested = (open: string, inner: string, close: string, n: number) => `const x = ${open.repeat(n)}${inner}${close.repeat(n)}`;
  test.each([
    ["(", ")"],
    ["[", "]"],
    ["f(", ")"],
    ["a[", "]"],
    ["if a { ", " }"],
    ["(if a { (", ") })"],
  ])("brackets nest 64 deep: %s", (open, close) => {
    const each = (open.match(/[([{]/g) ?? []).length;
    const most = Math.floor(64 / each);
    expect(problemsOf(nested(open, "1", close, most))).toEqual([]);
    expect(problemsOf(nested(open, "1", close, most + 1))).toEqual(["nested deeper than 64 levels"]);
    expect(problemsOf(`${nested(open, "1", close, 20_000)}\nconst y = 1 1`)).toEqual([
      "nested deeper than 64 levels",
      "found `1`, expected the end of the line",
    ]);
  });
  test("errors at the deepest place", () => {
    expect(problemsOf(nested("if a { ", "1 +", " }", 64))).toEqual(["found `}`, expected an expression"]);
    expect(problemsOf(nested("(", "1 +", ")", 64))).toEqual(["found `)`, expected an expression"]);
  });
  test.each(["-", "!", "2 ** ", "2 ** -"])("signs and powers nest: %s", (sign) => {
    expect(problemsOf(`const x = ${sign.repeat(20)}1`)).toEqual([]);
    expect(problemsOf(`const x = ${sign.repeat(50_000)}1`)).toEqual(["nested deeper than 64 levels"]);
  });
  test.each([" + a", " |> f", ".b", "()", "[0]", " && a", " + f(a)"])("chains may be long: %s", (link) => {
    const [bind] = statements(`x = a${link.repeat(20_000)}`);
    let depth = 0;
    let at = (bind as Extract<Statement, { kind: "bind" }>).value as Expr | undefined;
    for (; at; depth++)
      at =
        "left" in at
          ? at.left
          : at.kind === "pipe" || at.kind === "field" || at.kind === "index"
            ? at.value
            : at.kind === "call"
              ? at.callee
              : undefined;
    expect(depth).toBe(20_001);
  });
  test("many of everything", () => {
    expect(statements("x = a\n".repeat(20_000))).toHaveLength(20_000);
    expect(parsed("fn f(x) { return x }\n".repeat(5_000)).declarations).toHaveLength(5_000);
    expect(statements(`if a { b }${" else if a { b }".repeat(10_000)}`)).toHaveLength(1);
    expect(statements(`x = [${"1, ".repeat(40_000)}]`)).toHaveLength(1);
    expect(parsed(`${"## line\n".repeat(20_000)}fn f() { return 1 }`).comments).toEqual([]);
  });
  test("large files are refused before they are read", () => {
    expect(problemsOf("x".repeat(10_000_000))).toEqual([`the file has 10000000 characters, at most ${longestFile.characters} are read`]);
    expect(problemsOf("1 ".repeat(longestFile.characters / 2))).toEqual([
      `the file has 262144 tokens, at most ${longestFile.tokens} are read`,
    ]);
  });
  test("a line of any length", () => {
    const [problem] = parse(`const x = ${"a".repeat(100_000)} ${"b".repeat(100_000)}`, "a.dlm").problems;
    expect(problem!.message).toBe(`found \`${"b".repeat(37)}...\`, expected the end of the line`);
  });
});

/** Whatever comes in: no exception, no endless loop, problems with places inside the text that can be rendered. */
function expectOrderly(text: string): void {
  const { file, problems } = parse(text, "a.dlm");
  const lines = text.split(/\r\n?|\n/);
  expect(problems.length).toBeLessThanOrEqual(20);
  for (const { message, span } of problems) {
    expect(message).not.toMatch(/undefined|\[object|Anything|Token/);
    expect(span!.start.line).toBeLessThanOrEqual(lines.length);
    expect(span!.start.column).toBeLessThanOrEqual(lines[span!.start.line - 1]!.length + 1);
  }
  expect(renderDiagnostics(problems, new Map([["a.dlm", text]])).length).toBeLessThan(20_000);
  printAst(file);
}

describe("whatever comes in", () => {
  const files = ["syntax-errors", "formatted"].flatMap((folder) =>
    readdirSync(join(import.meta.dirname, folder)).map((name) => readFileSync(join(import.meta.dirname, folder, name), "utf8")),
  );
  const pieces = [
    ..."()[]{}|,.:;=+-*/%@!<>#\"'\n \t\\$&?^~0a_",
    "|>",
    "->",
    "...",
    "**",
    "//",
    "==",
    "+=",
    "\r",
    "\0",
    "\ud800",
    "é",
    "\u2028",
    "😀",
  ];
  const words = [
    "if",
    "else",
    "for",
    "in",
    "return",
    "model",
    "layer",
    "fn",
    "train",
    "import",
    "param",
    "use",
    "as",
    "true",
    "not",
    "lambda",
    "\nfn f(x) {\n",
    "{i}",
    "1.5",
  ];

  test("files with pieces taken out, put in and exchanged", () => {
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      cut: fc.nat(30),
      piece: fc.constantFrom("", ...pieces, ...words),
    });
    const edits = fc.tuple(fc.constantFrom(...files), fc.array(edit, { minLength: 1, maxLength: 5 }));
    fc.assert(
      fc.property(edits, ([file, list]) => {
        const text = list.reduce((now, { at, cut, piece }) => {
          const place = Math.floor(at * now.length);
          return now.slice(0, place) + piece + now.slice(place + cut);
        }, file);
        expectOrderly(text);
      }),
      { numRuns: 1500 },
    );
  });
  test("random programs, cut off anywhere", () => {
    fc.assert(
      fc.property(programs, fc.double({ min: 0, max: 1, noNaN: true }), (text, part) => expectOrderly(text.slice(0, text.length * part))),
      { numRuns: 300 },
    );
  });
  test("tokens in any order", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces, ...words), { maxLength: 200, size: "max" }), (list) => expectOrderly(list.join(" "))),
      { numRuns: 500 },
    );
  });
  test("any characters", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), expectOrderly), { numRuns: 500 });
    expectOrderly("é$ ` ? ~ \\ x\n".repeat(20_000));
    for (const s of [...pieces, ...words]) expectOrderly(s.repeat(2_000));
  });
});
