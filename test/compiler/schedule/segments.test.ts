/** Sums of rows by their index on the CPU: one look at every index in each block of rows, whatever follows in the kernel. */
import { expect, test } from "vitest";
import { compileGraphs } from "../../../compiler/compile-graphs.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import { load } from "../../../runtime/index.ts";
import { programOf } from "../../graph-program.ts";

const [count, width] = [37, 6];
const input = (name: string, dtype: "f32" | "i32", shape: readonly number[]) => ops.input({}, { name, dtype, shape });
const dy = input("dy", "f32", [count, width]);
const ids = input("ids", "i32", [count]);
const data = Float32Array.from({ length: count * width }, (_, i) => (i % 11) - 4);

async function run(y: Node, rows: readonly number[], threads: number) {
  const graph = { name: "M", inputs: [dy, ids], outputs: [{ name: "y", value: y }], updates: [] };
  const compiled = await compileGraphs("M", { forward: graph }, [], { target: "wasm" });
  const net = await load(programOf(graph, "wasm", compiled), { threads });
  const { y: result } = await net.run({ dy: data, ids: Int32Array.from(rows) });
  net.dispose();
  return { result: [...result!], kernels: compiled.lowered.kernels };
}

test.each([1, 5, 16, 33, 100])("%i rows, arithmetic before and after them", async (rows) => {
  const drawn = Array.from({ length: count }, (_, i) => (i * i * 7) % rows);
  const sums = Array.from({ length: rows * width }, () => 0);
  drawn.forEach((row, i) => {
    for (let j = 0; j < width; j++) sums[row * width + j]! += data[i * width + j]!;
  });
  const two = ops.full({}, { value: 2, dtype: "f32", shape: [] });
  const y = ops.sub({ a: two, b: ops.collect({ dy: ops.mul({ a: dy, b: two }), ids }, { rows }) });
  const { result, kernels } = await run(y, drawn, 1);
  expect(result).toEqual(sums.map((s) => 2 - 2 * s));
  expect((await run(y, drawn, 3)).result).toEqual(result);
  const sum = kernels.find((k) => k.name.includes("collect"))!;
  expect(sum.body.length).toBe(1);
  expect(sum.body[0]).toMatchObject({ kind: "for", loop: "grid", extent: Math.ceil(rows / Math.ceil(rows / 16)) });
});

test("sums of integers that are said with a comparison", async () => {
  const places = ops.iota({}, { axis: 0, dtype: "i32", shape: [5] });
  const column = ops.reshape({ x: places }, { shape: [5, 1] });
  const zero = ops.full({}, { value: 0, dtype: "i32", shape: [] });
  const matched = ops.where({ cond: ops.equal({ a: column, b: ids }), a: ids, b: zero });
  const graph = {
    name: "M",
    inputs: [dy, ids],
    outputs: [{ name: "y", value: ops.reduceSum({ x: matched }, { axes: [1] }) }],
    updates: [],
  };
  const compiled = await compileGraphs("M", { forward: graph }, [], { target: "wasm" });
  const net = await load(programOf(graph, "wasm", compiled));
  const drawn = Int32Array.from({ length: count }, (_, i) => i % 7);
  const { y } = await net.run({ dy: data, ids: drawn });
  net.dispose();
  expect([...y!]).toEqual([0, 1, 2, 3, 4].map((row) => row * drawn.filter((id) => id === row).length));
});
