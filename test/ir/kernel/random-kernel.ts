/** Sound kernels at random: every index stays inside, every variable is set before it is read. */

import { bufferElements } from "../../../ir/kernel/address.ts";
import type { TypedMemory } from "../../../ir/kernel/arithmetic.ts";
import * as k from "../../../ir/kernel/build.ts";
import type { Buffer, Expr, Kernel, LoopKind, ScalarType, Stmt, UnaryOp } from "../../../ir/kernel/kernel.ts";
import { layout } from "../../../ir/layout.ts";

export interface Options {
  /** Chooses what becomes a vector loop among loops of 4n. */
  readonly canVectorize: (body: readonly Stmt[], axis: string, ranges: ReadonlyMap<string, number>) => boolean;
}
type Random = (n: number) => number;
const random = (seed: number): Random => {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
};
interface Scope {
  readonly axes: readonly { readonly name: string; readonly extent: number }[];
  readonly variables: readonly { readonly name: string; readonly type: ScalarType }[];
  readonly arrays: readonly Buffer[];
  readonly depth: number;
  /** Register indices may use these. */
  readonly unrolled: readonly string[];
}

export function randomKernel(seed: number, options: Options): Kernel {
  const r = random(seed);
  const pick = <T>(list: readonly T[]): T => list[r(list.length)]!;
  const fresh = k.names(["x", "w", "ids", "bytes", "mask", "y", "z", "tmp"]);
  const places = ["0 1", "1 0", "0/2 1 0%2", "1/4 0 1%4", "0+1,1 1", "1+0,2 0+2,1", "0 1/2 1%2"];
  const x = k.buffer("x", "in", [6, 8], layout(pick(places)));
  const w = k.buffer("w", "in", [8, 4], layout(pick(places)));
  const ids = k.buffer("ids", "in", [8], null, "i32");
  const bytes = k.buffer("bytes", "in", [8], null, "u8");
  const mask = k.buffer("mask", "in", [8], null, "bool");
  const y = k.buffer("y", "out", [6, 8], layout(pick(places)));
  const z = k.buffer("z", "out", [8], null, "i32");
  const tmp = k.buffer("tmp", "scratch", [8], layout("0+1,0"));

  /** Small integers, which may lie anywhere. */
  const index = (s: Scope, depth: number): Expr => {
    if (depth === 0 || r(3) === 0) return s.axes.length && r(4) ? k.axis(pick(s.axes).name) : k.i32(r(9) - 2);
    const sub = () => index(s, depth - 1);
    switch (r(8)) {
      case 0:
        return k.add(sub(), sub());
      case 1:
        return k.sub(sub(), sub());
      case 2:
        return k.mul(sub(), k.i32(r(6) - 1));
      case 3:
        return k.binary("div", sub(), k.i32(r(6)));
      case 4:
        return k.binary("mod", sub(), k.i32(r(6)));
      case 5:
        return k.binary(pick(["min", "max"]), sub(), sub());
      case 6:
        return k.load(pick([ids, bytes]), inside(s, 8, depth - 1));
      default:
        return k.select(bool(s, 1), sub(), sub());
    }
  };
  /** An index in [0, extent). */
  const inside = (s: Scope, extent: number, depth: number): Expr => {
    const fitting = s.axes.filter((a) => a.extent <= extent);
    if (fitting.length && r(3)) return k.axis(pick(fitting).name);
    return depth > 0 && r(2) ? (r(2) ? k.clamp(index(s, depth), extent) : k.mod(index(s, depth), k.i32(extent))) : k.i32(r(extent));
  };
  const variable = (s: Scope, type: ScalarType): Expr | null => {
    const fitting = s.variables.filter((v) => v.type === type);
    return fitting.length ? k.local(pick(fitting).name, type) : null;
  };
  const bool = (s: Scope, depth: number): Expr => {
    if (depth === 0) return r(2) ? k.load(mask, inside(s, 8, 1)) : k.bool(r(2) === 1);
    const compare = pick(["lt", "le", "eq", "ne"] as const);
    switch (r(4)) {
      case 0:
        return k.binary(compare, index(s, depth), index(s, depth));
      case 1:
        return k.binary(compare, float(s, depth - 1), float(s, depth - 1));
      case 2:
        return k.binary(pick(["and", "or", "xor"]), bool(s, depth - 1), bool(s, depth - 1));
      default:
        return k.not(bool(s, depth - 1));
    }
  };
  const unsigned = (s: Scope, depth: number): Expr => {
    if (depth === 0) return k.u32(r(2) ? r(100) : 0xffffff00 + r(256));
    switch (r(4)) {
      case 0:
        return k.binary(pick(["add", "mul", "xor", "and", "or", "sub"]), unsigned(s, depth - 1), unsigned(s, depth - 1));
      case 1:
        return (r(2) ? k.shl : k.shr)(unsigned(s, depth - 1), r(32));
      case 2:
        return k.cast("u32", index(s, depth - 1));
      default:
        return k.bitcast("u32", float(s, depth - 1));
    }
  };
  const unaryOps: readonly UnaryOp[] = ["neg", "abs", "sign", "floor", "ceil", "round", "sqrt"];
  const float = (s: Scope, depth: number): Expr => {
    if (depth === 0) return variable(s, "f32") ?? k.f32(pick([0, 1, -2.5, 0.1, 3e8, 1e-20, -0]));
    const sub = () => float(s, depth - 1);
    switch (r(10)) {
      case 0:
      case 1:
        return k.load(x, inside(s, 6, 2), inside(s, 8, 2));
      case 2:
        return s.arrays.length && r(2) ? registerAt(s) : k.load(w, inside(s, 8, 1), inside(s, 4, 1));
      case 3:
        return k.unary(pick(unaryOps), sub());
      case 4:
        return k.fma(sub(), sub(), sub());
      case 5:
        return k.select(bool(s, 1), sub(), sub());
      case 6:
        return k.cast("f32", pick<(s: Scope, depth: number) => Expr>([bool, index, unsigned])(s, 2));
      case 7:
        return k.bitcast("f32", k.binary("and", unsigned(s, 1), k.u32(0x3fffffff)));
      default:
        return k.binary(pick(["add", "sub", "mul", "div", "min", "max"]), sub(), sub());
    }
  };
  const registerIndex = (s: Scope, extent: number): Expr =>
    s.unrolled.length && r(2) ? k.mod(k.axis(pick(s.unrolled)), k.i32(extent)) : k.i32(r(extent));
  const registerAt = (s: Scope): Expr => {
    const b = pick(s.arrays);
    return k.load(b, ...b.shape.map((n) => registerIndex(s, n)));
  };

  const body = (outer: Scope, length: number): Stmt[] => {
    let s = outer;
    return Array.from({ length }, () => stmt(s)).flatMap(({ stmts, scope }) => {
      s = { ...s, variables: [...s.variables, ...scope.variables], arrays: [...s.arrays, ...scope.arrays] };
      return stmts;
    });
  };
  type Made = { readonly stmts: readonly Stmt[]; readonly scope: Pick<Scope, "variables" | "arrays"> };
  const made = (...stmts: Stmt[]): Made => ({ stmts, scope: { variables: [], arrays: [] } });
  const stmt = (s: Scope): Made => {
    const settable = s.variables.filter((v) => v.type === "f32");
    switch (r(s.depth > 0 ? 10 : 6)) {
      case 0: {
        const name = fresh("v");
        const type = pick(["f32", "f32", "i32", "bool", "u32"] as const);
        const init = ({ f32: float, i32: index, bool, u32: unsigned } as const)[type](s, 2);
        return { stmts: [k.declare(name, init)], scope: { variables: [{ name, type }], arrays: [] } };
      }
      case 1:
        if (settable.length) return made(k.set(pick(settable).name, float(s, 2)));
        return made(k.store(z, [inside(s, 8, 1)], index(s, 2)));
      case 2:
        return made(k.store(tmp, [inside(s, 8, 1)], float(s, 2)));
      case 3: {
        const acc = k.buffer(fresh("acc"), "register", r(2) ? [2] : [2, 2]);
        const fill = acc.shape.length === 1 ? [[0], [1]] : [0, 1, 2, 3].map((n) => [n >> 1, n & 1]);
        const init = fill.map((at) => k.store(acc, at.map(k.i32), float(s, 1)));
        return { stmts: [k.array(acc), ...init], scope: { variables: [], arrays: [acc] } };
      }
      case 4:
        if (s.arrays.length) {
          const acc = pick(s.arrays);
          return made(
            k.store(
              acc,
              acc.shape.map((n) => registerIndex(s, n)),
              float(s, 2),
            ),
          );
        }
        return made(k.store(y, [inside(s, 6, 1), inside(s, 8, 1)], float(s, 3)));
      case 5:
        return made(k.store(y, [inside(s, 6, 1), inside(s, 8, 1)], float(s, 3)));
      case 6:
        return made(k.when(bool(s, 2), body({ ...s, depth: s.depth - 1 }, 2)));
      default:
        return made(loop(s));
    }
  };
  const loop = (s: Scope): Stmt => {
    const name = fresh("i");
    const isOuter = s.axes.every((a) => a.name.startsWith("g"));
    const kind: LoopKind = pick(isOuter ? ["serial", "unrolled"] : ["serial", "serial", "unrolled"]);
    const extent = pick(kind === "unrolled" ? [1, 2, 3] : [1, 2, 3, 4, 4, 8]);
    const inner: Scope = {
      ...s,
      axes: [...s.axes, { name, extent }],
      unrolled: kind === "unrolled" ? [...s.unrolled, name] : s.unrolled,
      depth: s.depth - 1,
    };
    const stmts = body(inner, 3);
    const ranges = new Map(inner.axes.map((a) => [a.name, a.extent]));
    const vectors = kind === "serial" && extent % 4 === 0 && options.canVectorize(stmts, name, ranges);
    return { kind: "for", axis: name, extent, loop: vectors ? "vector" : kind, body: stmts };
  };
  const g = fresh("g");
  const start: Scope = { axes: [{ name: g, extent: 2 }], variables: [], arrays: [], depth: 3, unrolled: [] };
  const zero = fresh("i");
  const clear = k.serial(zero, 8, (i) => [k.store(tmp, [i], k.f32(0))]);
  return { name: "random", buffers: [x, w, ids, bytes, mask, y, z, tmp], body: [k.grid(g, 2, () => [clear, ...body(start, 5)])] };
}

/** Memory for the buffers of `randomKernel`, the same for every call. */
export function randomMemory(kernel: Kernel): Record<string, TypedMemory> {
  const r = random(7);
  const out: Record<string, TypedMemory> = {};
  for (const b of kernel.buffers) {
    if (b.space === "scratch") continue;
    const n = bufferElements(b);
    const value = { f32: () => r(64) / 8 - 4, i32: () => r(21) - 10, u8: () => r(256), bool: () => r(2), u32: () => 0 }[b.type];
    const make = { f32: Float32Array, i32: Int32Array, u8: Uint8Array, bool: Uint8Array, u32: Uint32Array }[b.type];
    out[b.name] = make.from(Array.from({ length: n }, value));
  }
  return out;
}
