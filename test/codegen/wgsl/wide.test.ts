/** Elements by fours, and folds of few terms at several places at once. */
import { describe, expect, test } from "vitest";
import { wideBuffers } from "../../../codegen/wgsl/wide.ts";
import { add, at, buffer, f32, grid, i32, load, splat, store } from "../../../ir/kernel/build.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import { checkGraphs } from "./graphs.ts";

/** Extents of channels and of the image; a halo is in memory around what a convolution reads. */
const singleChannels = (channels: number, size: number, stride: number, out: number) => `graph g(%x: f32[2,${channels},${size},${size}]) {
    @w = param "w" f32[${channels},1,3,3]
    %0 = relu(%x) : f32[2,${channels},${size},${size}]
    %1 = conv2d(%0, @w) {padding=[1,1,1,1], stride=[${stride},${stride}], groups=${channels}} : f32[2,${channels},${out},${out}]
    %2 = relu(%1) : f32[2,${channels},${out},${out}]
    return y = %2
  }`;
const graphs: Record<
  string,
  { readonly text: string; readonly kernel: RegExp; readonly fours: boolean; readonly together?: number; readonly runs?: true }
> = {
  elements: {
    text: `graph g(%x: f32[3,5,8], %z: f32[8]) {
      %0 = mul(%x, %z) : f32[3,5,8]
      %1 = tanh(%0) : f32[3,5,8]
      return y = %1
    }`,
    kernel: /tanh/,
    fours: true,
    runs: true,
  },
  "rows that are no fours": {
    text: `graph g(%x: f32[6,10,10], %z: f32[6,10,10]) {
      %0 = less(%x, %z) : bool[6,10,10]
      %1 = where(%0, %x, %z) : f32[6,10,10]
      return y = %1
    }`,
    kernel: /where/,
    fours: true,
    runs: true,
  },
  "an odd number": {
    text: `graph g(%x: f32[3,5,7]) {
      %0 = exp(%x) : f32[3,5,7]
      return y = %0
    }`,
    kernel: /exp/,
    fours: false,
  },
  "what lies apart": {
    text: `graph g(%x: f32[12,20]) {
      %0 = permute(%x) {axes=[1,0]} : f32[20,12]
      %1 = exp(%0) : f32[20,12]
      return y = %1
    }`,
    kernel: /exp/,
    fours: false,
    runs: true,
  },
  "single channels": { text: singleChannels(8, 9, 1, 9), kernel: /conv2d/, fours: true, runs: true },
  "single channels of a large image": { text: singleChannels(12, 54, 1, 54), kernel: /conv2d/, fours: true, together: 2, runs: true },
  "single channels, at every other place": { text: singleChannels(20, 88, 2, 44), kernel: /conv2d/, fours: true, together: 2 },
  windows: {
    text: `graph g(%x: f32[2,8,9,9]) {
      @w = param "w" f32[8,8,3,3]
      %0 = conv2d(%x, @w) {padding=[1,1,1,1]} : f32[2,8,9,9]
      %1 = max_pool2d(%0) {kernel=[3,3], stride=[2,2], padding=[1,1,1,1]} : f32[2,8,5,5]
      return y = %1
    }`,
    kernel: /max_pool/,
    fours: true,
    runs: true,
  },
};
checkGraphs(
  Object.fromEntries(
    Object.entries(graphs).map(([name, { text, kernel, fours, together = 1, runs = false }]) => [
      name,
      {
        text,
        runs,
        complaints: (_made, shaders) =>
          shaders.flatMap(({ name: of, code }) => {
            const isWide = /b_y: array<vec4<f32>/.test(code);
            const written = code.match(/^ *b_y\[.*\] = /gm)?.length;
            return !kernel.test(of) || (isWide === fours && (!fours || written === together)) ? [] : [code];
          }),
      },
    ]),
  ),
);

describe("buffers of vectors", () => {
  const [x, y, z] = [buffer("x", "in", [64]), buffer("y", "out", [64]), buffer("z", "out", [64])];
  const fours = (b: Buffer, start: Expr): Expr => ({ kind: "load", lanes: 4, buffer: b, base: null, index: [start] });
  const ones = splat(f32(1));
  /** Of a kernel of such statements in invocation i; `same`: names of one memory. */
  const wide = (body: (i: Expr) => readonly Stmt[], same: readonly string[] = []) => {
    const own = [buffer("s", "scratch", [64]), buffer("w", "workgroup", [64])];
    const k = { name: "k", buffers: [x, y, z, ...own], body: [grid("i", 16, body)] };
    return [...wideBuffers(k, (name) => (same.includes(name) ? same[0]! : name))].sort();
  };

  test("are those that are read and written by fours", () => {
    expect(wide((i) => [store(y, [at(i, 4)], fours(x, at(i, 4)))])).toEqual(["x", "y"]);
    expect(wide((i) => [store(y, [at(i, 4)], add(fours(x, at(i, 4)), splat(load(x, i))))])).toEqual(["x", "y"]);
    expect(wide((i) => [store(y, [i], load(x, i))])).toEqual([]);
  });
  test("are none where fours do not begin at multiples of four", () => {
    expect(wide((i) => [store(y, [at(i, 4)], fours(x, at(i, 4, i32(1))))])).toEqual(["y"]);
    expect(wide((i) => [store(y, [i], ones), store(z, [at(i, 4)], ones)])).toEqual(["z"]);
  });
  test("are none where an element is written alone: neighbours, which another invocation writes, would be torn", () => {
    const both = (b: Buffer) => (i: Expr) => [store(b, [at(i, 4)], ones), store(b, [i], f32(2))];
    expect(wide(both(y))).toEqual([]);
    expect(wide(both(buffer("w", "workgroup", [64])))).toEqual([]);
    expect(wide((i) => [store(y, [i], load(x, i)), store(z, [at(i, 4)], fours(y, at(i, 4)))])).toEqual(["z"]);
    // Nobody else has the neighbours of what is an invocation's own.
    expect(wide(both(buffer("s", "scratch", [64])))).toEqual(["s"]);
  });
  test("are none where an element is written alone under another name of the same memory", () => {
    const body = (i: Expr) => [store(y, [at(i, 4)], ones), store(z, [i], f32(2))];
    expect(wide(body)).toEqual(["y"]);
    expect(wide(body, ["y", "z"])).toEqual([]);
  });
});
