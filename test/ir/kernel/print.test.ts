/** Kernels as text and back. */
import fc from "fast-check";
import { expect, test } from "vitest";
import * as k from "../../../ir/kernel/build.ts";
import type { Kernel } from "../../../ir/kernel/kernel.ts";
import { parseKernel } from "../../../ir/kernel/parse.ts";
import { printKernel } from "../../../ir/kernel/print.ts";
import { randomKernel } from "./random-kernel.ts";

const text =
  `kernel tile(in x: f32[4,8]{1 0+1,1}, in ids: i32[4], in w: f32[8,4]{1 0} as f16, out y: f32[4,8] as f16, scratch v: u32[3], workgroup sa: f32[2,2], global sums: f32[4]) {
  grid i in 4 {
    thread t in 2 {
      outline panel {
        var acc: f32x4 = splat(-0.0)
        var late: bool
        array regs: f32x4[2,3]{1 0}
        late = !true
      }
      barrier
    }
  }
}`.replace("!true", "not(true) & 1 + 2 * 3 < (1 + 2) * 3");

test("prints what it reads", () => {
  expect(printKernel(parseKernel(text))).toBe(text);
});
const exchanging = `kernel join(in x: f32[64], out y: f32[1]) {
  thread t in 64 {
    var acc: f32 = x[t]
    if subgroups(4, 64) {
      serial bit in 7 while bit < subgroup.bits() {
        exchange other: f32 = acc + 1.0 by bit
        acc = acc + other
      }
      exchange is: bool = subgroup.lane() == 0 by 1
    }
    if not(subgroups(4, 64)) {
      y[0] = f32(subgroup.size())
    }
  }
}`;
test("subgroups, and loops that end before", () => {
  const kernel = parseKernel(exchanging);
  expect(printKernel(kernel)).toBe(exchanging);
  expect(parseKernel(printKernel(kernel))).toEqual(kernel);
});
test.each([
  "1 - (2 - 3) - 4",
  "(1 + 2) * 3 / (4 * 5) % -6",
  "min(max(-1, 2), 3)",
  "i32(f32(1) / 2.5e-7 + inf - -inf)",
  "i32(bits.f32(4294967295u >> 3u ^ 1u & 2u | 3u) * 1e+21)",
  "select(1.0 <= nan & (true | false) == true, 1, 2)",
  "i32(reduce.add(splat(1.0)) + lane(splat(2.0) * splat(-3.0), 3))",
  "reduce.add(zip.low(lanes(), splat(2))) + lane(zip.high(splat(1), lanes()), 1)",
  "reduce.max(lanes() % splat(2))",
  "i32(reduce.max(pack(1.0, -2.0, 3.0, 4.0)))",
  "i32(fma(1.0, pow(2.0, 0.5), erf(tanh(3.0))))",
])("%s", (expr) => {
  const source = `kernel e(out y: i32[1]) {\n  y[0] = ${expr}\n}`;
  const kernel = parseKernel(source);
  expect(printKernel(kernel)).toBe(source);
  expect(parseKernel(printKernel(kernel))).toEqual(kernel);
});
test("reads what it prints", () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const kernel = randomKernel(seed, { canVectorize: () => true });
      const printed = printKernel(kernel);
      const parsed = parseKernel(printed);
      expect(parsed).toEqual(kernel);
      expect(printKernel(parsed)).toBe(printed);
    }),
    { numRuns: 150 },
  );
});
test("pointers know their buffer", () => {
  const x = k.buffer("x", "in", [8]);
  const y = k.buffer("y", "out", [8]);
  const kernel: Kernel = {
    name: "p",
    buffers: [x, y],
    body: [
      { kind: "pointer", name: "x_0", buffer: x, from: null, offset: k.i32(0) },
      { kind: "pointer", name: "x_1", buffer: x, from: "x_0", offset: k.sub(k.mul(k.i32(2), k.local("n", "i32")), k.i32(3)) },
      { kind: "pointer", name: "y_0", buffer: y, from: null, offset: k.i32(4) },
      {
        kind: "store",
        buffer: y,
        base: "y_0",
        index: [k.i32(1)],
        value: { kind: "load", lanes: 4, buffer: x, base: "x_1", index: [k.i32(2)] },
      },
    ],
  };
  const inLoop: Kernel = { ...kernel, body: [{ kind: "for", axis: "n", extent: 2, loop: "serial", body: kernel.body }] };
  expect(printKernel(inLoop)).toContain("pointer x_1 = x_0 + (2 * n - 3)");
  expect(parseKernel(printKernel(inLoop))).toEqual(inLoop);
});
test.each([
  ["kernel k() { y[0] = 1 }", "1:14", "`y` is neither a buffer nor a pointer"],
  ["kernel k(out y: f32[2]) {\n  y[0] = z\n}", "2:10", "unknown name `z`"],
  ["kernel k(out y: f16[2]) { }", "1:17", "`f16` is not a type"],
  ["kernel k(out y: f32[2]) { y[0] = max(1.0) }", "1:41", "`max` takes 2 arguments"],
  ["kernel k(out y: f32[2]) { serial i 2 { } }", "1:36", "expected `in`, found `2`"],
  ["kernel k(out y: f32[2]) { @ }", "1:27", "unexpected `@`"],
  ["kernel k(out y: f32[2]) { ", "1:27", "end of text"],
])("complains about %s", (source, place, message) => {
  let caught = "";
  try {
    parseKernel(source);
  } catch (e) {
    caught = String(e);
  }
  expect(caught).toContain(message);
  expect(caught).toContain(`kernel:${place}`);
});
