import { expect, test } from "vitest";
import { checkFile } from "../../../compiler/frontend/elaborate.ts";
import { build, headlines, modelOf, request } from "./elaborating.ts";

test("recursion is bounded", () => {
  build(`fn down(n: int) { if n == 0 { return 0 }; return down(n - 1) }\n${modelOf("assert down(50) == 0\ny = x")}`);
  const endless = (declaration: string, call: string) => headlines(`${declaration}\n${modelOf(`y = ${call}`)}`);
  const limit = (name: string) => [`error[limit]: 64 applications are nested here, \`${name}\` is one too many`];
  expect(endless("fn f(x) { return f(x) }", "f(x)")).toEqual(limit("f"));
  expect(endless("fn f(x) { return f(x) + f(x) }", "f(x)")).toEqual(limit("f"));
  expect(endless("fn f(x) { return g(x) }\nfn g(x) { return f(x) }", "f(x)")).toEqual(limit("f"));
  expect(endless("layer R(x) { return x |> r: R }", "x |> R")).toEqual(limit("R"));
  expect(
    endless(
      "layer A(x, net = none) { return net(x, net) }\nlayer B(x, net) { return net(x, net) }",
      "x |> go: Go\n}\nlayer Go(x) {\nuse b = B()\nreturn b(x, b)",
    )[0],
  ).toMatch(/^error\[limit\]: 64 applications/);
  expect(endless(`fn deep(n) { return ${"(1 + ".repeat(50)}deep(n)${")".repeat(50)} }`, "x * deep(1)")).toEqual([
    "error[limit]: this expression is nested too deeply",
  ]);
});

test("work is bounded", () => {
  const error = (body: string) => headlines(modelOf(body))[0];
  expect(error("for i in range(100000) { for j in range(100000) { k = 1 } }\ny = x")).toBe(
    "error[limit]: the program expands to more than 2000000 steps",
  );
  expect(error("for i in range(100000) { for j in range(100000) { } }\ny = x")).toMatch(/2000000 steps$/);
  expect(error("for i in range(100000) { x = x + 1; x = x * 2; x = -x }\ny = x")).toMatch(
    /^error\[limit\]: the program expands to more than/,
  );
  expect(error("for i in range(100000) { x = x |> l{i}: Linear(6) }\ny = x")).toMatch(/^error\[limit\]: the program expands to more than/);
  expect(error("a = range(1000000000)\ny = x")).toBe("error[limit]: this range has more than 100000 items");
  expect(error("a = [0] * 100001\ny = x")).toBe("error[limit]: this list has more than 100000 items");
  expect(error("a = [0 for i in range(1000) for j in range(1000)]\ny = x")).toBe("error[limit]: this list has more than 100000 items");
  expect(error("a = [1]\nfor i in range(40) { a = a + a }\ny = x")).toBe("error[limit]: this list has more than 100000 items");
  expect(error('a = "a"\nfor i in range(40) { a += a }\ny = x')).toBe("error[limit]: this string has more than 10000 characters");
  expect(error("a, b = [1], [1]\nfor i in range(60) { a, b = [a, a], [b, b] }\nassert a == b\ny = x")).toBe(
    "error[limit]: the program expands to more than 2000000 steps",
  );
  expect(error("a = [1]\nfor i in range(60) { a = [a, a] }\nassert len(str(a)) > 0\ny = x[9]")).toBe(
    "error[limit]: this string has more than 10000 characters",
  );
  expect(error("y = zeros([100000, 100000])")).toBe("error[limit]: zeros: [100000, 100000] has more than 1073741824 elements");
  expect(error("y = x |> Linear(1000000000)")).toMatch(/^error\[limit\]/);
  expect(error("y = reshape(zeros([100000]), [-1, 1]) * zeros([100000])")).toMatch(
    /^error\[limit\]: a tensor f32\[100000, 100000\] has more/,
  );
  for (const huge of [
    "unstack(zeros([1000000]))[0]",
    "split(zeros([1000000]), 1000000)[0]",
    'pad(x, [(0, 1000000000)], mode="edge")',
    "upsample(zeros([1, 1, 1000]), 1000000.5)",
    'upsample(zeros([1, 1, 1000]), 1000000, mode="bilinear")',
    "upsample(zeros([1, 1, 1000]), 10000000)",
    "adaptive_avg_pool(zeros([1, 1, 3000, 1]), (2999, 1))",
    "pad(x, [(0, 1000000000)])",
    "concat([x] * 100001)",
  ]) {
    expect(error(`y = ${huge}`), huge).toMatch(/^error\[limit\]/);
  }
});

test("long chains need no stack", () => {
  const sum = Array.from({ length: 5000 }, () => "1").join(" + ");
  build(modelOf(`assert ${sum} == 5000\ny = x`));
  build(modelOf(`y = x${" |> relu".repeat(3000)}`));
  build(modelOf(`y = x${"[:]".repeat(3000)}`));
  build(modelOf(`y = ${"- ".repeat(60)}x`));
  expect(headlines(modelOf(`y = x * ${Array.from({ length: 3000 }, () => "1").join(" ** ")}`))[0]).toMatch(/^error\[(limit|syntax)\]/);
});

test("check finds the mistakes of all models, and of bodies that none enters", () => {
  const text = `
layer Unused(x: f32[N, C]) {
  a, b = f(x)
  ys = [q * C for q in a]
  return undefined_name(ys) + y
}
fn f(x) { return x, x }
model A(x: f32[N, 2]) -> y { y = x + unknown1 }
model B(x: f32[N, 2]) -> y { y = x |> fc: Linear(2) }
train B { loss = mean(unknown2); optimizer = sgd(lr=0.1) }
train other: B { loss = mean(y) }
`;
  const { diagnostics, sources } = checkFile(request(text));
  expect(diagnostics.map((d) => `${d.span?.start.line} ${d.message}`)).toEqual([
    "5 unknown name `undefined_name`",
    "5 unknown name `y`",
    "8 unknown name `unknown1`",
    "10 unknown name `unknown2`",
  ]);
  expect([...sources.keys()]).toEqual(["net.dlm"]);
});

test("after a syntax error nothing is reported that follows from it", () => {
  const { diagnostics } = checkFile(
    request(`
layer Broken(x { return x }
model A(x: f32[N, 2]) -> y {
  h = (x |> fc1: Linear(3
  z = h + 1
  y = z |> Broken |> fc2: Linear("a")
}
`),
  );
  expect(diagnostics.every((d) => d.code === "syntax")).toBe(true);
});

test("no text crashes the elaboration", () => {
  const source = `layer B(x: f32[N, C], k = 2) { state s: f32[C] = 0; param w: f32[C] = ones; if training { update s = mean(x, 0) }; return x * w + s }
model M(x: f32[N, 4]) -> y { use b = B(3); for i in range(2) { x = b(x) |> l{i}: Linear(4) }; y = x[:, 1:] @ b.w[1:] }
train M { input t: f32[N]; loss = mse(y, t); metric m = mean(y); optimizer "*" = sgd(lr=0.1); freeze "b.*" }`;
  const tokens = source.match(/[A-Za-z_]+|\d+|"[^"]*"|[^\sA-Za-z_\d]/g)!;
  let seed = 1;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed % n;
  };
  for (let round = 0; round < 400; round++) {
    const mutated = [...tokens];
    for (let k = 0; k <= random(3); k++) {
      const at = random(mutated.length);
      const other = tokens[random(tokens.length)]!;
      mutated.splice(at, random(2), ...(random(3) ? [other] : []));
    }
    expect(Array.isArray(checkFile(request(mutated.join(" "))).diagnostics)).toBe(true);
  }
});

test("check suggests labels", () => {
  const text = "model M(x: f32[N, 2]) -> y { for i in range(2) { x = x |> Linear(2) }; y = x |> fc: Linear(2) }";
  const { diagnostics } = checkFile(request(text));
  expect(diagnostics.map((d) => `${d.severity} ${d.message}; ${d.help}`)).toEqual([
    "note this `Linear` has no label; its parameters are called `linear_1`; name it: name: Linear(...)",
  ]);
  expect(build(text).warnings).toEqual([]);
});
