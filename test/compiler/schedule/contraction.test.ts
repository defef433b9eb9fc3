/** Tiles of sums of products: all remainders, packing, slices, phases and groups, against the meaning and bit for bit. */
import { describe, expect, test } from "vitest";
import { scheduleCpu } from "../../../compiler/schedule/cpu.ts";
import { wasmKernelPasses } from "../../../compiler/schedule/passes.ts";
import { type Graph, topological } from "../../../ir/graph/graph.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { printKernel } from "../../../ir/kernel/print.ts";
import { verifyKernel } from "../../../ir/kernel/verify.ts";
import { sizeOf } from "../../../ir/type.ts";
import { interpretSingle, runThreads, runWasm } from "../../codegen/support.ts";
import { evaluateGraph } from "../../ir/ops/evaluate.ts";
import { lowerGraph, noise, runLowered } from "../lower/run.ts";
import { furthest, inputsOf } from "./comparing.ts";

interface Case {
  readonly text: string;
  /** The loops of some kernel show it. */
  readonly shows?: RegExp;
  readonly hides?: RegExp;
}
const product = (m: number, k: number, n: number): string => `graph g(%a: f32[${m},${k}], %b: f32[${k},${n}]) {
  %0 = matmul(%a, %b) : f32[${m},${n}]
  %1 = tanh(%0) : f32[${m},${n}]
  return y = %1
}`;
interface Geometry {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly y: readonly number[];
  readonly how: string;
}
const forward = ({ x, w, y, how }: Geometry): string => `graph g(%x: f32[${x}]) {
  @w = param "w" f32[${w}]
  @b = param "b" f32[${y[1]},1,1]
  %0 = conv2d(%x, @w) {${how}} : f32[${y}]
  %1 = add(%0, @b) : f32[${y}]
  return y = %1
}`;
const inputGrad = ({ x, w, y, how }: Geometry): string => `graph g(%dy: f32[${y}]) {
  @w = param "w" f32[${w}]
  %0 = conv2d_input_grad(%dy, @w) {${how}, shape=[${x}]} : f32[${x}]
  %1 = relu(%0) : f32[${x}]
  return dx = %1
}`;
const weightGrad = ({ x, w, y, how }: Geometry): string => `graph g(%x: f32[${x}], %dy: f32[${y}]) {
  @w = param "w" f32[${w}]
  %0 = conv2d_weight_grad(%x, %dy) {${how}, shape=[${w}]} : f32[${w}]
  %1 = sub(@w, %0) : f32[${w}]
  return norm = %0
  update @w = %1
}`;
const strided: Geometry = { x: [2, 9, 9, 8], w: [6, 9, 4, 3], y: [2, 6, 4, 4], how: "stride=[2,2], padding=[1,0,1,1]" };
const dilated: Geometry = { x: [1, 8, 11, 10], w: [5, 8, 3, 2], y: [1, 5, 4, 9], how: "stride=[3,1], padding=[2,1,0,1], dilation=[2,2]" };
const pointwise: Geometry = { x: [1, 12, 7, 6], w: [10, 12, 1, 1], y: [1, 10, 4, 3], how: "stride=[2,2]" };
const plain: Geometry = { x: [2, 12, 5, 7], w: [10, 12, 1, 1], y: [2, 10, 5, 7], how: "groups=1" };
const unused: Geometry = { x: [1, 4, 9, 9], w: [4, 4, 2, 2], y: [1, 4, 3, 3], how: "stride=[3,3]" };
const groups: Geometry = { x: [1, 16, 6, 7], w: [24, 8, 3, 3], y: [1, 24, 6, 7], how: "padding=[1,1,1,1], groups=2" };
const oddGroups: Geometry = { x: [2, 9, 5, 6], w: [15, 3, 3, 2], y: [2, 15, 3, 3], how: "stride=[1,2], padding=[0,0,1,0], groups=3" };
const long: Geometry = { x: [1, 26, 41, 40], w: [10, 26, 2, 1], y: [1, 10, 40, 40], how: "groups=1" };

const cases: Record<string, Case> = {
  "rows and columns left over": { text: product(7, 9, 21) },
  "two rows": { text: product(2, 5, 39) },
  "one row": { text: product(1, 10, 43) },
  "few columns": { text: product(33, 4, 3), shows: /parts/ },
  "columns besides vectors, finished four rows at a time": { text: product(34, 4, 6), shows: /vector lane in 4 \{\s+serial j\w* in 2/ },
  "rows of b copied into panels": { text: product(50, 19, 27), shows: /packed/ },
  "more than a block of rows": { text: product(131, 1030, 10), shows: /packed/ },
  "a long sum in slices": { text: product(25, 1600, 10), shows: /slice in 4/ },
  "columns of b gathered into panels": {
    text: `graph g(%q: f32[2,30,17], %k: f32[2,26,17]) {
      %0 = permute(%k) {axes=[0,2,1]} : f32[2,17,26]
      %1 = matmul(%q, %0) : f32[2,30,26]
      return y = %1
    }`,
    shows: /packed/,
  },
  "both operands transposed, an update in place": {
    text: `graph g(%x: f32[40,25], %dy: f32[40,18]) {
      @w = param "w" f32[25,18]
      %0 = permute(%x) {axes=[1,0]} : f32[25,40]
      %1 = matmul(%0, %dy) : f32[25,18]
      %2 = sub(@w, %1) : f32[25,18]
      return y = %1
      update @w = %2
    }`,
    shows: /outline gather/,
  },
  "gathered rows, more than one block of them and of panels": {
    text: `graph g(%x: f32[600,103], %dy: f32[600,75]) {
      %0 = permute(%x) {axes=[1,0]} : f32[103,600]
      %1 = matmul(%0, %dy) : f32[103,75]
      return y = %1
    }`,
    shows: /slice in 2[\s\S]*outline gather/,
  },
  "strided convolution": { text: forward(strided) },
  "its input gradient in phases": { text: inputGrad(strided), hides: /var as.*select/ },
  "its weight gradient": { text: weightGrad(strided) },
  "dilated and strided: input gradient": { text: inputGrad(dilated), hides: /var as.*select/ },
  "dilated and strided: weight gradient": { text: weightGrad(dilated) },
  "rows of an image as one axis": { text: forward(plain), shows: /serial m\w* in 8 / },
  "phases without taps": { text: inputGrad(pointwise), hides: /var as.*select/ },
  "more phases than taps": { text: inputGrad(unused), hides: /var as.*select/ },
  "grouped convolution": { text: forward(groups), shows: /array acc/ },
  "grouped: input gradient": { text: inputGrad(groups), shows: /array acc/ },
  "grouped: weight gradient": { text: weightGrad(groups), shows: /array acc/ },
  "odd groups": { text: forward(oddGroups), shows: /array acc/ },
  "odd groups: input gradient": { text: inputGrad(oddGroups), shows: /array acc/, hides: /var as.*select/ },
  "odd groups: weight gradient": { text: weightGrad(oddGroups), shows: /array acc/ },
  "a weight gradient in slices of the image": { text: weightGrad(long), shows: /slice in/ },
};

const valuesOf = (g: Graph): Record<string, number[]> =>
  Object.fromEntries(
    [...new Set([...g.inputs, ...topological(g).filter((n) => n.op.schema.kind === "leaf")])].map((n, i) => [
      String(n.attrs.name),
      noise(sizeOf(n.type.shape), i),
    ]),
  );
describe.each(Object.entries(cases))("%s", (_, { text, shows, hides }) => {
  const graph = parseGraph(text);
  const logical = lowerGraph(graph, { schedule: scheduleCpu, layouts: true }).kernels;
  test("has the form", () => {
    const loops = logical.map(printKernel).join("\n");
    expect(loops).toContain("outline panel");
    if (shows) expect(loops).toMatch(shows);
    if (hides) expect(loops).not.toMatch(hides);
    for (const k of logical) expect(verifyKernel(k, "logical")).toEqual([]);
  });
  test("means the same", () => {
    const given = valuesOf(graph);
    const { outputs, updates } = evaluateGraph(graph, given);
    for (const layouts of [false, true]) {
      const actual = runLowered(graph, given, { schedule: scheduleCpu, layouts });
      for (const [name, values] of Object.entries({ ...outputs, ...updates }))
        expect(furthest(actual[name]!, values), name).toBeLessThan(1e-9);
    }
  });
  test("has the same bits on WebAssembly, on one thread and on three", async () => {
    for (const k of logical.map((x) => wasmKernelPasses.reduce((y, p) => p.run(y), x))) {
      const want = interpretSingle(k, inputsOf(k));
      const got = await runWasm(k, inputsOf(k));
      for (const [name, values] of Object.entries(want)) expect(furthest(got[name]!, values), `${k.name}: ${name}`).toBe(0);
      expect(await runThreads([k], inputsOf(k), 3)).toEqual(got);
    }
  });
});
