import { expect, test } from "vitest";
import { printAst } from "../../../compiler/frontend/format.ts";
import { parse } from "../../../compiler/frontend/parse.ts";

test("a tree as text", () => {
  const text = `import { A as B } from "./a.dlm"
## A model.
model Net(x: f32[N, 2 * C, ...rest], k = 1) -> y: f32[N], z {
  y = x |> fc{k + 1}.b: Linear(4, bias=false) |> relu # comment
  z, _ = -a ** -b + c[0, 1:, ::2, ...].shape, 1.0
  if k == 1 { z = (x) } else if k == 2 { y } else { none }
  for i, (a, b) in [(1, 2), (3,)] { use h.{i} as block = Block(i) }
  param w: f32[] = [i for i in "s"]
  w = if a { 1 } |> f() |> g
}
train Net { freeze "*.bias"; optimizer "a" = sgd(); assert true, "no" }
`;
  expect(printAst(parse(text, "net.dlm").file)).toMatchInlineSnapshot(`
    "file net.dlm
      import A as B from "./a.dlm"
      ## A model.
      model Net
        parameter x: f32[N, (* 2 C), ...rest]
        parameter k = 1
        output y: f32[N]
        output z
        y = (|> (|> x (fc{(+ k 1)}.b: Linear 4 bias=false)) relu)
        (z _) = (bare (+ (- (** a (- b))) (. (index c 0 1: ::2 ...) shape)) 1.0)
        if (== k 1)
          z = (paren x)
        else if (== k 2)
          y
        else
          none
        for (i (a b)) in (square (round 1 2) (round 3))
          use h.{i} as block = Block i
        param w: f32[] = (each i for i in "s")
        w = (|> (|> (if a { 1 }) (f)) g)
      train Net
        freeze "*.bias"
        optimizer "a" = (call sgd)
        assert true "no"
      comment # comment
    "
  `);
});

test("long chains do not recurse", () => {
  const { file } = parse(`const x = a${" - a * 2".repeat(5_000)}`, "a.dlm");
  expect(printAst(file)).toHaveLength("file a.dlm\n  const x = \n".length + "(- ".length * 5_000 + 1 + " (* a 2))".length * 5_000);
});
