/** Several graphs that share one entry `prepare`. */
import { expect, test } from "vitest";
import { splitPrepareOf } from "../../../compiler/passes/index.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { printGraph } from "../../../ir/graph/print.ts";
import { verifyGraph } from "../../../ir/graph/verify.ts";
import { equivalent } from "./numeric.ts";

const graph = (name: string, batch: number, operation: string) =>
  parseGraph(`graph ${name}(%x: f32[${batch},3]) {
    @w = param "fc.weight" f32[4,3]
    %0 = ${operation}(@w) : f32[4,3]
    %1 = permute(%0) {axes=[1,0]} : f32[3,4]
    %2 = matmul(%x, %1) : f32[${batch},4]
    return y = %2
  }`);

test("equal values are prepared once, others have names of their own", () => {
  const graphs = [graph("forward", 1, "exp"), graph("evaluate", 8, "exp"), graph("other", 2, "tanh")];
  const { prepare, mains } = splitPrepareOf(graphs);
  expect(prepare.updates.map((u) => u.target.attrs.name)).toEqual(["fc.weight'permute", "fc.weight'permute'2"]);
  expect(mains.map((g) => /prepared "(.*)"/.exec(printGraph(g))![1])).toEqual([
    "fc.weight'permute",
    "fc.weight'permute",
    "fc.weight'permute'2",
  ]);
  for (const g of [prepare, ...mains]) expect(verifyGraph(g)).toEqual([]);
  graphs.forEach((g, i) => {
    equivalent(g, [prepare, mains[i]!]);
  });
});

test("a graph without variables stays the same object", () => {
  const plain = parseGraph("graph f(%x: f32[3]) { %0 = exp(%x) : f32[3] return y = %0 }");
  const { prepare, mains } = splitPrepareOf([plain]);
  expect(prepare.updates).toEqual([]);
  expect(mains[0]).toBe(plain);
});
