/** What the verifier complains about, and what it leaves alone. */
import { expect, test } from "vitest";
import * as k from "../../../ir/kernel/build.ts";
import type { Kernel, Stmt } from "../../../ir/kernel/kernel.ts";
import { parseKernel } from "../../../ir/kernel/parse.ts";
import { requireSound, type Stage, verifyKernel } from "../../../ir/kernel/verify.ts";

const buffers =
  "in x: f32[4,8], in ids: i32[8], in mask: bool[8], in bytes: u8[8], out y: f32[4,8], out z: i32[8], out f: f32[32], in g: f32[32], global kept: f32[2]";
const inKernel = (body: string) => parseKernel(`kernel k(${buffers}) { ${body} }`);

test.each<readonly [problem: string, body: string]>([
  ["i is declared twice", "serial i in 4 { y[i, 0] = 0.0 } serial i in 4 { y[i, 1] = 0.0 }"],
  ["a is declared twice", "serial i in 4 { var a: f32 = 0.0 } serial j in 4 { var a: f32 = 1.0 }"],
  ["x is declared twice", "var x: f32 = 0.0"],
  ["i: extent 0", "serial i in 0 { }"],
  ["j: a vector loop of 6", "vector j in 6 { y[0, j] = 0.0 }"],
  ["g1: grid loop inside a serial loop", "serial i in 2 { grid g1 in 2 { y[i, g1] = 0.0 } }"],
  ["j: vector loop inside a vector loop", "vector i in 4 { vector j in 4 { y[i, j] = 0.0 } }"],
  ["x[0, 0] + ids[0]: operands disagree in type or lanes", "y[0, 0] = x[0, 0] + ids[0]"],
  ["x[0, 0]:4 * x[0, 1]: operands disagree in type or lanes", "y[0, 0] = x[0, 0]:4 * x[0, 1]"],
  ["tanh(ids[0]): tanh of i32", "z[0] = tanh(ids[0])"],
  ["pow(ids[0], 2): pow of i32", "z[0] = pow(ids[0], 2)"],
  ["shift by something else", "z[0] = i32(1u << 32u)"],
  ["condition is not bool", "z[0] = select(1, 2, 3)"],
  ["splat of four lanes", "y[0, 0] = splat(x[0, 0]:4)"],
  ["lane of a scalar", "y[0, 0] = lane(x[0, 0], 1)"],
  ["zip of scalars", "y[0, 0] = lane(zip.low(x[0, 0], x[0, 1]), 1)"],
  ["bits of bool", "z[0] = bits.i32(mask[0])"],
  ["y: f32 expected, ids[0] is i32", "y[0, 0] = ids[0]"],
  ["a: f32x4 expected, x[0, 0] is f32", "var a: f32x4 = x[0, 0]"],
  ["if: bool expected, ids[0] is i32", "if ids[0] { }"],
  ["a is set but is no variable", "a = 1.0"],
  ["i is set but is no variable", "serial i in 2 { i = 1 }"],
  ["x is written but of space in", "x[0, 0] = 0.0"],
  ["x: 1 indices for 2 axes", "y[0, 0] = x[0]"],
  ["index of x: i32 expected, 0.0 is f32", "y[0, 0] = x[0, 0.0]"],
  ["x: index i + 1 of axis 0 is in 1..4, outside 0..3", "serial i in 4 { y[i, 0] = x[i + 1, 0] }"],
  ["y: index -1 of axis 1 is in -1..-1, outside 0..7", "if mask[0] { y[0, -1] = 0.0 }"],
  ["a is set inside an outline but declared outside", "var a: f32 = 0.0 outline o { a = 1.0 }"],
  ["acc is set inside an outline but declared outside", "array acc: f32[2] outline o { acc[0] = 1.0 }"],
  ["acc: register index i is not constant", "array acc: f32[2] serial i in 2 { acc[i] = 1.0 }"],
  ["barrier under an if", "thread t in 4 { if mask[t] { barrier } }"],
  ["pack of four lanes", "y[0, 0] = pack(x[0, 0]:4, x[0, 0]:4, x[0, 0]:4, x[0, 0]:4)"],
  ["parts are not numbers of one type", "y[0, 0] = pack(x[0, 0], 1, 2, 3)"],
  ["kept is of space global, and both written and read in one grid loop", "grid i in 2 { kept[i] = kept[1 - i] }"],
  ["barrier outside thread loops", "serial i in 4 { barrier }"],
  ["barrier under an if", "thread t in 4 { serial i in 4 while i < t { barrier } }"],
  ["i: a grid loop with a while", "grid i in 4 while i < 2 { }"],
  ["while of i: bool expected, i is i32", "serial i in 4 while i { }"],
  ["a: an exchange under an if", "thread t in 4 { if subgroups(4, 4) { if mask[t] { exchange a: i32 = t by 0 } } }"],
  ["a: an exchange under an if", "thread t in 4 { if subgroups(4, 4) { if subgroup.lane() < 2 { exchange a: i32 = t by 0 } } }"],
  ["a: an exchange where nobody asks for subgroups", "thread t in 4 { exchange a: i32 = t by 0 }"],
  ["a: an exchange where nobody asks for subgroups", "thread t in 4 { if not(subgroups(4, 4)) { exchange a: i32 = t by 0 } }"],
  ["a: an exchange not in one thread loop", "if subgroups(4, 4) { exchange a: i32 = 1 by 0 }"],
  ["a: an exchange not in one thread loop", "thread t in 4 { thread u in 4 { if subgroups(4, 4) { exchange a: i32 = t by 0 } } }"],
  ["a: invocations may disagree on the bit ids[t]", "thread t in 4 { if subgroups(4, 4) { exchange a: i32 = t by ids[t] } }"],
  ["bit of a: i32 expected", "thread t in 4 { if subgroups(4, 4) { exchange a: i32 = t by 0.0 } }"],
  ["a: f32 expected, t is i32", "thread t in 4 { if subgroups(4, 4) { exchange a: f32 = t by 0 } }"],
  ["subgroup.size(): nobody asks for subgroups", "z[0] = subgroup.size()"],
  ["subgroups(2, 8): no sizes of subgroups", "if subgroups(2, 8) { }"],
  ["ids[0] + lanes(): operands disagree in type or lanes", "z[0] = ids[0] + lanes()"],
  ["acc[0]: 1 lanes of 4", "array acc: f32x4[1] y[0, 0] = acc[0]"],
])("%s", (problem, body) => {
  expect(verifyKernel(inKernel(body), "logical").join("\n")).toContain(problem);
});
test.each<readonly [what: string, body: string]>([
  ["an access under an if", "serial i in 4 { if i < 3 { y[i, 0] = x[i + 1, 0] } }"],
  ["an index that is not exactly known", "serial i in 4 { y[i, 0] = x[min(i + 1, 3), ids[i]] }"],
  ["register indices that unroll makes constant", "array acc: f32[2] unrolled i in 2 { acc[i] = 1.0 }"],
  ["one condition for four lanes", "y[0, 0] = select(mask[0], x[0, 0]:4, x[0, 4]:4)"],
  ["bytes in four lanes", "y[0, 0] = select(mask[0]:4, x[0, 0]:4, x[0, 4]:4)"],
  ["numbers of lanes", "y[0, 0] = f32(lanes() + splat(ids[0]))"],
  [
    "barriers under what all agree on",
    "thread t in 8 { if subgroups(4, 8) { if subgroup.size() < 8 { barrier } } if not(subgroups(4, 8)) { barrier } }",
  ],
  [
    "an exchange of each bit",
    "thread t in 8 { if subgroups(4, 8) { serial b in 3 while b < subgroup.bits() { exchange a: i32 = t by b } } }",
  ],
  ["an access under a while", "serial i in 8 while i < 3 { y[i + 1, 0] = x[i, 0] }"],
  ["a loop that invocations leave apart", "thread t in 8 { serial i in 8 while i < t { z[t] = i } }"],
  ["a variable set in its own outline", "outline o { var a: f32 a = 1.0 }"],
  ["what one grid loop leaves for the next", "grid i in 2 { kept[i] = 1.0 } grid j in 2 { y[j, 0] = kept[1 - j] }"],
  ["barriers in loops", "thread t in 4 { serial i in 2 { barrier } }"],
  ["names of functions", "vector lane in 4 { y[0, lane] = 0.0 }"],
])("accepts %s", (_, body) => {
  expect(verifyKernel(inKernel(body), "logical")).toEqual([]);
});
test("halos and blocks may be reached", () => {
  const at = (index: string) => parseKernel(`kernel k(in x: f32[6]{0/4+1,0 0%4}, out y: f32[1]) { y[0] = x[${index}] }`);
  expect(verifyKernel(at("-1"), "logical")).toEqual([]);
  expect(verifyKernel(at("6"), "logical")).toEqual([]);
  expect(verifyKernel(at("-2"), "logical")).toHaveLength(1);
  expect(verifyKernel(at("7"), "logical")).toHaveLength(1);
});
test.each<readonly [problem: string, stage: Stage, body: string]>([
  ["x is not flat", "flat", "f[0] = g[0]"],
  ["i: unrolled loop is left", "flat", "unrolled i in 2 { f[i] = 0.0 }"],
  ["i: vector loop is left", "flat", "vector i in 4 { f[i] = 0.0 }"],
  ["acc: register array is left", "flat", "array acc: f32[2]"],
  ["a pointer before the pass that makes them", "flat", "pointer p = g"],
  ["g: access without a pointer", "pointers", "pointer p = f p[0] = g[0]"],
  ["p[-1]: an index behind a pointer is not negative", "pointers", "pointer p = f p[-1] = 0.0"],
  ["p: an index behind a pointer is one constant", "pointers", "pointer p = f serial i in 4 { p[i] = 0.0 }"],
])("%s", (problem, stage, body) => {
  expect(verifyKernel(inKernel(body), stage).join("\n")).toContain(problem);
});
test("WGSL has three grid axes and three thread axes", () => {
  const nest = (kind: string, depth: number) =>
    `${Array.from({ length: depth }, (_, i) => `${kind} ${kind[0]}${i} in 2 { `).join("")} y[0, 0] = 0.0 ${"}".repeat(depth)}`;
  for (const kind of ["grid", "thread"]) {
    expect(verifyKernel(inKernel(nest(kind, 3)), "logical", { wgsl: true })).toEqual([]);
    expect(verifyKernel(inKernel(nest(kind, 4)), "logical", { wgsl: true }).join()).toContain(`more than 3 ${kind} axes`);
    expect(verifyKernel(inKernel(nest(kind, 4)), "logical")).toEqual([]);
  }
});
test("what text cannot say", () => {
  const y = k.buffer("y", "out", [4]);
  const other = k.buffer("y", "out", [8]);
  const complaints = (body: readonly Stmt[], buffers: Kernel["buffers"] = [y]) =>
    verifyKernel({ name: "k", buffers, body }, "logical").join();
  expect(complaints([k.store(y, [k.i32(0)], k.local("later"))])).toContain("later: not declared");
  expect(complaints([k.store(other, [k.i32(0)], k.f32(0))])).toContain("y is not the buffer of that name");
  expect(complaints([k.store(y, [k.i32(0)], k.f32(0))], [])).toContain("y is not a buffer of the kernel");
  expect(complaints([k.serial("i", 4, () => [k.store(y, [k.local("i", "u32")], k.f32(0))])])).toContain("an axis is one i32");
  expect(complaints([k.declare("a", k.f32(0)), k.declare("b", k.local("a", "i32"))])).toContain("declared as f32 with 1 lanes");
  expect(complaints([k.declare("serial", k.f32(0))])).toContain("`serial` is not a name");
  expect(complaints([k.declare("a", k.i32(2 ** 31))])).toContain("not a constant of type i32");
  expect(complaints([], [k.buffer("u", "in", [4], null, "u32")])).toContain("u: u32 in space in");
});

test("a complaint shows the kernel", () => {
  expect(() => requireSound(inKernel("y[0, 0] = x[0, 0] + ids[0]"))).toThrow(/operands disagree in type or lanes.*kernel k\(in x/s);
  expect(() => requireSound(inKernel("y[0, 0] = x[0, 0]"))).not.toThrow();
  expect(() => requireSound(inKernel("pointer p = f pointer q = g p[0] = q[1]"))).toThrow("x is not flat");
});
