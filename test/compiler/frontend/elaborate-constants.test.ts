import { expect, test } from "vitest";
import { build, headlines, modelOf } from "./elaborating.ts";

/** Every line is a condition that holds while compiling. */
const holds = (...conditions: string[]): void => {
  build(modelOf(`${conditions.map((c) => `assert ${c}`).join("\n")}\ny = x`));
};
/** What the language says about an expression. */
const wrong = (expression: string): string | undefined => headlines(modelOf(`z = ${expression}\ny = x`))[0];

test("ints and floats", () => {
  holds("7 / 2 == 3.5", "6 / 2 == 3.0", 'kind(6 / 2) == "float"', "7 // 2 == 3", "-7 // 2 == -4", "7 // -2 == -4");
  holds("-7 % 3 == 2", "7 % -3 == -2", "7.5 % 2 == 1.5", "-7.5 // 2 == -4.0", "2 ** 10 == 1024", "2 ** -1 == 0.5", "2.0 ** 2 == 4.0");
  holds("-2 ** 2 == -4", "2 ** 3 ** 2 == 512", "2 ** -1 * 4 == 2.0", "1 < 1.5", "2 >= 2", "!(1 > 2)", "0 - 0 == 0", "-0 == 0");
  expect(wrong("1 / 0")).toBe("error[constant]: division by zero");
  expect(wrong("1.0 % 0")).toBe("error[constant]: division by zero");
  expect(wrong("2 ** 60")).toBe("error[limit]: this int is too large");
  expect(wrong("true + 1")).toBe("error[type]: `+` does not work on true and the int 1");
  expect(wrong("-true")).toBe("error[type]: `-` needs a number, got true");
});

test("equality: values of different kinds differ, none is equal to nothing else", () => {
  holds("1 != none", "none == none", '"a" + "b" == "ab"', '"1" != 1', "[1, (2, 3)] == (1, [2, 3])", "[1] != [1, 2]", "true != 1");
  holds("relu == relu", "relu != gelu", "Linear == Linear", "x != none", "!(x == none)", "f32 != i32", "x.dtype == f32");
  const warned = build(modelOf("assert 1 != 1.0\ny = x")).warnings;
  expect(warned.map((w) => w.message)).toEqual(["an int and a float are of different kinds, so they are never equal"]);
});

test("lists", () => {
  holds("[1, 2] + [3] == [1, 2, 3]", "[0] * 3 == [0, 0, 0]", "2 * [1, 2] == [1, 2, 1, 2]", "len([[], []]) == 2", "() == []", "(1,) == [1]");
  holds(
    "[1, 2, 3][-1] == 3",
    "[1, 2, 3][1:] == [2, 3]",
    "[1, 2, 3][:-1] == [1, 2]",
    "[0, 1, 2, 3, 4][1:5:2] == [1, 3]",
    "[1, 2][5:] == []",
  );
  holds("[i * j for i in range(3) for j in range(i)] == [0, 0, 2]", "[a + b for a, b in zip([1, 2], [3, 4, 5])] == [4, 6]");
  holds("range(5, 1, -2) == [5, 3]", "range(2, 4) == [2, 3]", "enumerate([7]) == [(0, 7)]", "reversed([1, 2]) == [2, 1]");
  expect(wrong("[1, 2][2]")).toBe("error[constant]: there is no item 2 in a list of 2");
  expect(wrong("[1, 2][0.0]")).toBe("error[type]: an index must be an int, got the float 0.0");
  expect(wrong("[1, 2][::-1]")).toBe("error[constant]: the step of a slice is positive, got -1");
});

test("functions on constants", () => {
  holds(
    "min(3, 1, 2) == 1",
    "max([1, 5]) == 5",
    "max(1.0, 2) == 2",
    "sum([1, 2, 3]) == 6",
    "sum([]) == 0",
    "sum([true, false, true]) == 2",
  );
  holds("abs(-3) == 3", "abs(-2.5) == 2.5", "floor(2.7) == 2", "ceil(2.1) == 3", "floor(-2.5) == -3", "round(2.5) == 2", "round(3.5) == 4");
  holds("sqrt(16) == 4.0", "exp(0) == 1.0", "log(1) == 0.0", "int(3.9) == 3", "int(-3.9) == -3", "float(2) == 2.0", "int(true) == 1");
  holds('str(1.0) == "1.0"', 'str([1, "a"]) == "[1, \\"a\\"]"', 'str(true) == "true"', "inf > 1e300", "pi > 3.14");
  holds(
    'kind(1) == "int"',
    'kind(1.0) == "float"',
    'kind(x) == "tensor"',
    'kind([]) == "list"',
    'kind(none) == "none"',
    'kind(true) == "bool"',
  );
  holds(
    'kind(relu) == "function"',
    'kind(dropout) == "function"',
    'kind(Linear) == "layer"',
    'kind(f32) == "type"',
    'kind(zeros) == "function"',
  );
  holds(
    'kind("") == "string"',
    'kind(normal(1.0)) == "initializer"',
    'kind(sgd(0.1)) == "optimizer"',
    'kind(step_decay(0.1, 10)) == "schedule"',
  );
  expect(wrong("log(0)")).toBe("error[constant]: log(0) is not a number");
  expect(wrong("int(x)")).toBe("error[constant]: int needs a constant, got a tensor f32[4, 6]");
  expect(wrong("len(x)")).toBe("error[type]: len needs a list, got a tensor f32[4, 6]");
});

test("bools: && and || stop early, if needs a bool", () => {
  holds("true || 1 // 0 == 0", "!(false && 1 // 0 == 0)", "true && !false", "if 1 < 2 { true } else { false }");
  expect(wrong("1 && true")).toBe("error[type]: `&&` does not work on the int 1 and true");
  expect(wrong("if 0 { 1 } else { 2 }")).toBe("error[type]: `if` needs a bool, got the int 0");
  expect(wrong("if false { 1 }")).toBe("error[type]: this `if` has no value: no condition holds and there is no `else`");
});

test("shapes are constants", () => {
  holds("x.shape == [4, 6]", "x.shape[1] == 6", "x.rank == 2", "x.size == 24", "sum(x).rank == 0", "sum(x).shape == []");
});

test("a body is one scope, a comprehension opens its own", () => {
  build(modelOf("if true { a = 1 }\nfor i in range(3) { b = i }\nassert a + b + i == 5\nc = [a for a in range(9)]\nassert a == 1\ny = x"));
  build(modelOf("a, (b, _) = (1, (2, 3))\na += b\na *= 2\na -= 1\nassert a == 5\nxs = []\nxs += [a]\nassert xs == [5]\ny = x"));
  build(modelOf("max = max(1, 2)\nassert max == 2\ny = x"));
  expect(headlines(modelOf("a = if true {\n b = 2\n b + 1\n} else { 0 }\nassert a + b == 5\ny = q"))).toEqual([
    "error[name]: unknown name `q`",
  ]);
});

test("a hyper-parameter or constant may be given from outside", () => {
  const source = 'const width = 4\nmodel M(x: f32[N, 3], k = 1, act = relu, mode = "a", p = 0.5, sizes = [1], f = none) -> y {\n';
  const check = (set: Record<string, string>, condition: string) => build(`${source}assert ${condition}\ny = x }`, { set });
  check({ width: "7" }, "width == 7");
  check({ k: "3 * 2" }, "k == 6");
  check({ act: "gelu" }, "act == gelu");
  check({ mode: "b c" }, 'mode == "b c"');
  check({ mode: '"b"' }, 'mode == "b"');
  check({ p: "1" }, "p == 1.0");
  check({ sizes: "[width, 2]" }, "sizes == [4, 2]");
  check({ f: "true" }, "f == true");
  const rated = `const rate = step_decay(0.1, every=5)\n${modelOf("y = x")}`;
  for (const rate of ["0.01", "1", "cosine(0.1, steps=9)"]) build(rated, { set: { rate } });
  expect(headlines(rated, { set: { rate: "relu" } })).toEqual([
    expect.stringContaining("--set rate=relu: the default is of kind schedule"),
  ]);
  const flag = (set: Record<string, string>) => headlines(`${source}y = x }`, { set });
  expect(flag({ k: "1.5" })).toEqual(["error[flag]: --set k=1.5: the default is of kind int, got the float 1.5"]);
  expect(flag({ kk: "1" })).toEqual(["error[flag]: --set kk: `M` has no hyper-parameter and its file no constant of this name"]);
  expect(flag({ k: "1 +" })).toEqual(["error[flag]: --set k=1 +: this is not a constant expression"]);
  expect(flag({ k: "1) const z = (2" })).toEqual(["error[flag]: --set k=1) const z = (2: this is not a constant expression"]);
  expect(flag({ k: "nothing" })).toEqual(["error[flag]: --set k=nothing: unknown name `nothing`"]);
});

test("what a value-if did not take binds nothing, either", () => {
  expect(headlines(modelOf("a = if true { 1 } else {\n b = 2\n b\n}\ny = x * b"))).toEqual(["error[name]: `b` has no value here"]);
  expect(headlines("fn f(x, c) { if c { return [x] }; return x }\nmodel M(x: f32[2]) -> y { y = f(x, nothing) + [] }")).toEqual([
    "error[name]: unknown name `nothing`",
  ]);
  expect(headlines("fn f(x) { if nothing { return [x] }; return [x] }\nmodel M(x: f32[2]) -> y { y = f(x) + 1 }")).toEqual([
    "error[name]: unknown name `nothing`",
  ]);
  expect(wrong("inf - inf")).toBe("error[constant]: this is not a number");
});
