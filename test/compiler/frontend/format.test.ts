import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { File } from "../../../compiler/frontend/ast.ts";
import { format } from "../../../compiler/frontend/format.ts";
import { parse } from "../../../compiler/frontend/parse.ts";
import { CompileError } from "../../../ir/diagnostic.ts";
import { programs } from "./programs.ts";

/** The tree without the places. */
const meaning = (file: File): unknown =>
  JSON.parse(JSON.stringify(file, (key, value) => (/^(span|pathSpan)$/.test(key) ? undefined : value)));

function expectStable(text: string): void {
  const before = parse(text, "a.dlm");
  expect(before.problems).toEqual([]);
  const formatted = format(text, "a.dlm");
  expect(meaning(parse(formatted, "a.dlm").file)).toEqual(meaning(before.file));
  expect(format(formatted, "a.dlm")).toBe(formatted);
  expect(formatted).not.toMatch(/[ \t\r]$|\n\n\n/m);
}

test("a file of everything", async () => {
  const text = readFileSync(join(import.meta.dirname, "formatted/layers.dlm"), "utf8");
  expectStable(text);
  await expect(format(text, "layers.dlm")).toMatchFileSnapshot("formatted/layers.formatted.dlm");
});

test("random programs keep their meaning, and formatting twice is formatting once", () => {
  fc.assert(fc.property(programs, expectStable), { numRuns: 250 });
});

describe("the models of this repository are formatted", () => {
  const root = join(import.meta.dirname, "../../..");
  const files = ["examples", "compiler", "docs"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".dlm"))
      .map((name) => join(folder, name)),
  );
  test.each(files)("%s", (path) => {
    const text = readFileSync(join(root, path), "utf8");
    expectStable(text);
    expect(format(text, path)).toBe(text);
  });
});

const body = (line: string) => `fn f(x) {\n  ${line}\n}\n`;
const formatLine = (line: string) => format(body(line), "a.dlm").split("\n").slice(1, -2).join("\n").trim();

test.each([
  ["x=a+b*-c**2", "x = a + b * -c ** 2"],
  ["y = f( a,k = 1 , )", "y = f(a, k=1)"],
  ["y = x[0 :3,1: ,: -1, ::2, a+1 :b]", "y = x[0:3, 1:, :-1, ::2, a + 1 : b]"],
  ["(a , b) = (1 ,)", "a, b = (1,)"],
  ["a ,= x", "a, = x"],
  ["x = x|>f|>a.{i+1}:G( 1 )", "x = x |> f |> a.{i + 1}: G(1)"],
  ["for (i,(j,k)) in xs{ y=1 }", "for i, (j, k) in xs { y = 1 }"],
  ["use a.b   as c=D( )", "use a.b as c = D"],
  ["x = ( if a{ 1 }else{ 2 } )", "x = (if a { 1 } else { 2 })"],
  ["x = 1_000 + 5e-4;y=--x", "x = 1_000 + 5e-4\n  y = --x"],
  ["x = f( # why\n # and\n a, # this\n # that\n )", "x = f(  # why\n    # and\n    a,  # this\n    # that\n  )"],
  ["x = a # one\n # two\n |> f # three\n |> g", "x = a  # one\n    # two\n    |> f  # three\n    |> g"],
  [
    "y = f(k = if a{ 1 } else { 2 },l=x|>g,m = [i for i in xs],n = 2*3)",
    "y = f(k = if a { 1 } else { 2 }, l = x |> g, m=[i for i in xs], n=2 * 3)",
  ],
  // Stages on lines of their own begin below the first `|>`, unless that begins a line itself or stands far right.
  ["y = x |> a\n |> b\n |> c |> d", "y = x |> a\n        |> b\n        |> c |> d"],
  ["y = x\n |> a\n |> b", "y = x\n    |> a\n    |> b"],
  ["return x |> a # one\n # two\n |> b", "return x |> a  # one\n           # two\n           |> b"],
  ["y = f(x |> a\n |> b, 1)", "y = f(\n    x |> a\n      |> b,\n    1,\n  )"],
  [`y = ${"long".repeat(10)} |> a\n |> b`, `y = ${"long".repeat(10)} |> a\n    |> b`],
  [`y = ${"long".repeat(24)} |> ${"a".repeat(20)} |> b`, `y = ${"long".repeat(24)}\n    |> ${"a".repeat(20)} |> b`],
  [`y = x |> ${"a".repeat(60)} |> ${"b".repeat(60)} |> c`, `y = x |> ${"a".repeat(60)}\n        |> ${"b".repeat(60)} |> c`],
  ["x = - # why\n 3", "x = -  # why\n    3"],
])("%s", (before, after) => expect(formatLine(before)).toBe(after));

test("blank lines: at most one, none at the ends", () => {
  expect(format("\n\nfn f(x) {\n\n\n  a = 1\n\n\n\n  return a\n\n}\n\n\n\nfn g() { return 1 }\n\n", "a.dlm")).toBe(
    "fn f(x) {\n  a = 1\n\n  return a\n}\n\nfn g() { return 1 }\n",
  );
  expect(format("", "a.dlm")).toBe("");
  expect(format("\ufeff# only a comment\r\n", "a.dlm")).toBe("# only a comment\n");
});

test("what does not parse is not formatted", () => {
  expect(() => format("fn f(x) { return }", "a.dlm")).toThrow(CompileError);
});

test("chains of any length", () => {
  const sum = `x = a${" + a".repeat(5_000)}`;
  expect(formatLine(sum).replace(/\s+/g, " ")).toBe(sum);
  expectStableText(body(`x = a${" |> f".repeat(5_000)}`));
  expectStableText(body(`x = a${".b".repeat(5_000)}`));
});
/** Without comparing trees, which would recurse. */
const expectStableText = (text: string) => {
  const formatted = format(text, "a.dlm");
  expect(format(formatted, "a.dlm") === formatted).toBe(true);
};
