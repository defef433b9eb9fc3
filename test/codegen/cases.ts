/** Small kernels, in the form that `flatten` leaves, that together use every operation; inputs are the awkward numbers. */
import { hasBinary, hasUnary } from "../../ir/kernel/arithmetic.ts";
import {
  add,
  at,
  axis,
  binary,
  bitcast,
  bool,
  buffer,
  cast,
  declare,
  div,
  eq,
  f32,
  fma,
  grid,
  i32,
  lane,
  lanes,
  load,
  local,
  lt,
  max,
  mod,
  mul,
  names,
  not,
  outline,
  pack,
  reduce,
  select,
  serial,
  set,
  splat,
  store,
  sub,
  u32,
  unary,
  when,
  zip,
} from "../../ir/kernel/build.ts";
import type { BinaryOp, Buffer, Expr, Kernel, Lanes, ScalarType, Stmt, UnaryOp } from "../../ir/kernel/kernel.ts";
import type { Memory } from "./support.ts";

export interface Case {
  readonly kernel: Kernel;
  readonly inputs: Memory;
}
export const scalarTypes: readonly ScalarType[] = ["f32", "i32", "u32", "bool"];
/** Expanded by `legalize`: no target spells them. */
export const expanded: ReadonlySet<string> = new Set(["sign", "exp", "log", "sin", "cos", "tanh", "erf", "pow", "f32 mod"]);

const int = { min: -(2 ** 31), max: 2 ** 31 - 1 };
const samples: Record<ScalarType, readonly number[]> = {
  f32: [
    0,
    -0,
    1,
    -1,
    0.5,
    1.5,
    2.5,
    -2.5,
    -7.25,
    3.1,
    1e-3,
    16777217,
    2147483648,
    -2147483648,
    4294967296,
    3e38,
    -3e38,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ],
  i32: [0, 1, -1, 2, -2, 3, 7, -7, 8, 255, 256, -256, 65537, 123456789, int.max, int.min, int.max - 1, int.min + 1, 40, -3],
  u32: [0, 1, 2, 3, 7, 31, 255, 65535, 65536, 123456789, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1, 2 ** 32 - 2, 40, 5, 6, 9, 10, 11],
  bool: [0, 1, 1, 0],
};
/** All pairs, in two lists of a length that four divides. */
function pairs(type: ScalarType): readonly [readonly number[], readonly number[]] {
  const s = samples[type];
  return [s.flatMap((a) => s.map(() => a)), s.flatMap(() => s)];
}
/** u32 lives in no bound buffer: it travels as i32. */
const storedAs = (type: ScalarType) => (type === "u32" ? "i32" : type);
const stored = (type: ScalarType, values: readonly number[]) => (type === "u32" ? values.map((v) => v | 0) : values);

const wideLoad = (b: Buffer, index: Expr): Expr => ({ kind: "load", lanes: 4, buffer: b, base: null, index: [index] });
const toStored = (type: ScalarType, e: Expr) => (type === "u32" ? bitcast("i32", e) : e);

/** y[i] = f(a[i], b[i]), an element or four at a time. */
function elementwise(name: string, from: ScalarType, to: ScalarType, lanes: Lanes, f: (a: Expr, b: Expr) => Expr): Case {
  const [p, q] = pairs(from);
  const n = p.length;
  const bound = (x: string, space: "in" | "out", type: ScalarType) => buffer(x, space, [n], null, storedAs(type));
  const [a, b, y] = [bound("a", "in", from), bound("b", "in", from), bound("y", "out", to)];
  const read = (x: Buffer, i: Expr) => {
    const word = lanes === 1 ? load(x, i) : wideLoad(x, i);
    return from === "u32" ? bitcast("u32", word) : word;
  };
  const body = grid("i", n / lanes, (i) => {
    const index = at(i, lanes);
    return [store(y, [index], toStored(to, f(read(a, index), read(b, index))))];
  });
  return { kernel: { name: `${name}${lanes}`, buffers: [a, b, y], body: [body] }, inputs: { a: stored(from, p), b: stored(from, q) } };
}

const isExpanded = (op: string, type: ScalarType) => expanded.has(op) || expanded.has(`${type} ${op}`);
const unaryOps = [
  "neg",
  "abs",
  "sign",
  "sqrt",
  "exp",
  "log",
  "sin",
  "cos",
  "tanh",
  "erf",
  "floor",
  "ceil",
  "round",
  "not",
] as const satisfies readonly UnaryOp[];
const binaryOps = [
  "add",
  "sub",
  "mul",
  "div",
  "mod",
  "min",
  "max",
  "pow",
  "lt",
  "le",
  "eq",
  "ne",
  "and",
  "or",
  "xor",
  "shl",
  "shr",
] as const satisfies readonly BinaryOp[];
const comparisons: ReadonlySet<BinaryOp> = new Set<BinaryOp>(["lt", "le", "eq", "ne"]);
const lanesOf: readonly Lanes[] = [1, 4];

const unaryCases = (lanes: Lanes): Case[] =>
  scalarTypes.flatMap((type) =>
    unaryOps
      .filter((op) => hasUnary(op, type) && !isExpanded(op, type))
      .map((op) => elementwise(`${op}_${type}_`, type, type, lanes, (a) => unary(op, a))),
  );
const binaryCases = (lanes: Lanes): Case[] =>
  scalarTypes.flatMap((type) =>
    binaryOps
      .filter((op) => hasBinary(op, type) && !isExpanded(op, type))
      .map((op) => {
        const isShift = op === "shl" || op === "shr";
        const shift = lanes === 1 ? u32(7) : splat(u32(7));
        return elementwise(`${op}_${type}_`, type, comparisons.has(op) ? "bool" : type, lanes, (a, b) =>
          binary(op, a, isShift ? shift : b),
        );
      }),
  );
const castCases = (lanes: Lanes): Case[] =>
  scalarTypes.flatMap((from) =>
    scalarTypes.filter((to) => to !== from).map((to) => elementwise(`cast_${from}_${to}_`, from, to, lanes, (a) => cast(to, a))),
  );
const otherCases = (lanes: Lanes): Case[] => {
  const one = (e: Expr) => (lanes === 1 ? e : splat(e));
  return [
    elementwise("fma_", "f32", "f32", lanes, (a, b) => fma(a, b, one(f32(0.1)))),
    ...scalarTypes.map((t) => elementwise(`select_${t}_`, t, t, lanes, (a, b) => select(lt(a, b), a, b))),
    elementwise("select_scalar_", "f32", "f32", lanes, (a, b) => select(eq(mod(axis("i"), i32(3)), i32(1)), a, b)),
    elementwise("bits_", "f32", "i32", lanes, (a) => bitcast("i32", a)),
    elementwise("floats_", "i32", "f32", lanes, (a) => bitcast("f32", binary("and", a, one(i32(0x7f7fffff))))),
    elementwise("constants_", "i32", "f32", lanes, (a) =>
      select(
        eq(a, one(i32(1))),
        one(f32(Number.POSITIVE_INFINITY)),
        select(eq(a, one(i32(2))), one(f32(-0)), select(eq(a, one(i32(3))), one(f32(Number.NaN)), one(f32(1e-7)))),
      ),
    ),
    elementwise("true_", "bool", "bool", lanes, (a) => binary("xor", a, one(bool(true)))),
    elementwise("least_", "i32", "i32", lanes, (a) => max(a, one(i32(int.min)))),
    elementwise("nested_", "f32", "f32", lanes, (a, b) => binary("min", max(a, b), max(b, unary("abs", max(a, one(f32(2))))))),
  ];
};
export const operationCases: readonly Case[] = lanesOf.flatMap((l) => [
  ...unaryCases(l),
  ...binaryCases(l),
  ...castCases(l),
  ...otherCases(l),
]);

/* ---- the rest of the language ---------------------------------------------------------------------------------- */

const wave = Array.from({ length: 64 }, (_, i) => Math.fround(Math.sin(i * 12.9898) * 3));
const kernel = (name: string, buffers: readonly Buffer[], ...body: readonly Stmt[]): Kernel => ({ name, buffers, body });
const f32s = (name: string, space: "in" | "out" | "inout" | "scratch", n: number) => buffer(name, space, [n]);

function lanesAndReductions(): Case {
  const [x, y] = [f32s("x", "in", 64), f32s("y", "out", 16 * 10)];
  const body = grid("i", 16, (i) => {
    const v: Expr = { kind: "var", type: "f32", lanes: 4, name: "v" };
    const sums = (["add", "min", "max"] as const).map((op) => reduce(op, v));
    const ints = reduce("add", cast("i32", v));
    const mixed = zip("high", zip("low", cast("i32", v), lanes), splat(i32(7)));
    const first = lane(lt(v, splat(f32(0))), 2);
    const values = [
      ...sums,
      lane(v, 0),
      lane(v, 3),
      cast("f32", ints),
      cast("f32", lane(mixed, 2)),
      select(first, f32(1), f32(2)),
      lane(splat(lane(v, 1)), 3),
      lane(pack(lane(v, 3), lane(v, 2), lane(v, 1), f32(7)), 1),
    ];
    return [declare("v", wideLoad(x, at(i, 4))), ...values.map((e, n) => store(y, [at(i, 10, n)], e))];
  });
  return { kernel: kernel("lanes", [x, y], body), inputs: { x: wave } };
}
/** Numbers of lanes; divisors are constants, or differ between lanes. */
function numbersOfLanes(): Case {
  const [x, y] = [buffer("x", "in", [64], null, "i32"), buffer("y", "out", [64 * 4], null, "i32")];
  const body = grid("i", 16, (i) => {
    const position = add(splat(at(i, 4)), lanes);
    const read = wideLoad(x, at(i, 4));
    const values = [
      div(read, splat(i32(7))),
      mod(position, splat(i32(3))),
      mul(div(read, position), lanes),
      select(lt(lanes, splat(mod(i, i32(4)))), mod(read, sub(position, splat(i32(20)))), splat(lane(lanes, 3))),
    ];
    return values.map((e, n) => store(y, [at(i, 16, n * 4)], e));
  });
  return {
    kernel: kernel("numbers_of_lanes", [x, y], body),
    inputs: { x: wave.map((v, i) => (i % 9 === 0 ? int.min + i : Math.trunc(v * 1e8))) },
  };
}
/** Indices from memory, bytes, floor division of what may be negative, conditions. */
function gather(): Case {
  const [x, y] = [f32s("x", "in", 64), f32s("y", "out", 64)];
  const ids = buffer("ids", "in", [64], null, "i32");
  const bytes = buffer("bytes", "in", [64], null, "u8");
  const flags = buffer("flags", "out", [64], null, "bool");
  const low = buffer("low", "out", [64], null, "u8");
  const body = grid("i", 64, (i) => [
    declare("id", load(ids, i)),
    declare("bin", div(local("id", "i32"), i32(5))),
    store(y, [i], add(load(x, mod(local("id", "i32"), i32(64))), cast("f32", mul(local("bin", "i32"), load(bytes, i))))),
    store(flags, [i], lt(local("bin", "i32"), i32(0))),
    store(low, [i], local("id", "i32")),
    when(eq(mod(i, i32(3)), i32(0)), [store(y, [i], f32(-1))]),
  ]);
  const inputs = { x: wave, ids: wave.map((v, i) => Math.trunc(v * 100) + i * 7 - 200), bytes: wave.map((_, i) => (i * 37) % 256) };
  return { kernel: kernel("gather", [ids, x, y, bytes, flags, low], body), inputs };
}
/** Four bytes at a time. */
function wideBytes(): Case {
  const bytes = buffer("bytes", "in", [64], null, "u8");
  const flags = buffer("flags", "in", [64], null, "bool");
  const [y, low] = [f32s("y", "out", 64), buffer("low", "out", [64], null, "u8")];
  const isSet = buffer("is_set", "out", [64], null, "bool");
  const body = grid("i", 16, (i) => {
    const b = wideLoad(bytes, at(i, 4));
    return [
      store(y, [at(i, 4)], select(wideLoad(flags, at(i, 4)), cast("f32", b), splat(f32(0.5)))),
      store(low, [at(i, 4)], sub(b, splat(i32(100)))),
      store(isSet, [at(i, 4)], binary("or", not(wideLoad(flags, at(i, 4))), splat(load(flags, i)))),
    ];
  });
  const inputs = { bytes: wave.map((_, i) => (i * 37) % 256), flags: wave.map((v) => Number(v > 0)) };
  return { kernel: kernel("wide_bytes", [bytes, flags, y, low, isSet], body), inputs };
}
/** A small matrix product by rows of a tile, in a function of its own, with scratch and loops that do not read their axis. */
function tile(): Case {
  const [a, b, y] = [f32s("a", "in", 64), f32s("b", "in", 64), f32s("y", "out", 64)];
  const s = f32s("s", "scratch", 8);
  const name = names();
  const acc = (j: number): Expr => ({ kind: "var", type: "f32", lanes: 4, name: `acc.${j}` });
  const body = grid("i", 8, (i) => [
    declare("scale", cast("f32", add(i, i32(1)))),
    serial("c", 8, (c) => [store(s, [c], mul(load(a, at(i, 8, c)), local("scale")))]),
    outline("row", [
      ...[0, 1].map((j) => declare(`acc.${j}`, splat(f32(0)))),
      serial("r", 2, () => [
        serial(name("k"), 8, (k) => [0, 1].map((j) => set(`acc.${j}`, fma(splat(load(s, k)), wideLoad(b, at(k, 8, j * 4)), acc(j))))),
      ]),
      ...[0, 1].map((j) => store(y, [at(i, 8, j * 4)], max(mul(acc(j), splat(local("scale"))), splat(f32(0))))),
    ]),
  ]);
  return { kernel: kernel("tile", [a, b, y, s], body), inputs: { a: wave, b: wave.map((v) => -v) } };
}
/** The same in the form of `pointers`. */
function behindPointers(): Case {
  const [x, y] = [f32s("x", "in", 64), f32s("y", "inout", 64)];
  const behind = (b: Buffer, base: string, offset: number, lanes: Lanes): Expr => ({
    kind: "load",
    lanes,
    buffer: b,
    base,
    index: [i32(offset)],
  });
  const pointer = (name: string, b: Buffer, from: string | null, offset: Expr): Stmt => ({
    kind: "pointer",
    name,
    buffer: b,
    from,
    offset,
  });
  const body = grid("i", 7, (i) => [
    pointer("y1", y, "y0", mul(i, i32(8))),
    pointer("x1", x, null, mul(i, i32(8))),
    {
      kind: "store",
      buffer: y,
      base: "y1",
      index: [i32(4)],
      value: fma(behind(x, "x1", 4, 4), behind(y, "y1", 8, 4), splat(behind(x, "x1", 2, 1))),
    },
  ]);
  return { kernel: kernel("behind", [x, y], pointer("y0", y, null, i32(0)), body), inputs: { x: wave, y: wave.map((v) => v + 1) } };
}
/** Rows that start anywhere: four lanes are not aligned. */
function unaligned(): Case {
  const [x, y] = [f32s("x", "in", 63), f32s("y", "out", 63)];
  const body = grid("i", 9, (i) => [
    store(y, [at(i, 7)], mul(wideLoad(x, at(i, 7)), splat(f32(2)))),
    serial("j", 3, (j) => [store(y, [add(at(i, 7, 4), j)], load(x, add(at(i, 7, 4), j)))]),
  ]);
  return { kernel: kernel("unaligned", [x, y], body), inputs: { x: wave.slice(0, 63) } };
}
/** Vectors and single elements of the same buffers. */
function mixed(): Case {
  const [x, y] = [f32s("x", "in", 62), f32s("y", "out", 62)];
  return {
    kernel: kernel(
      "mixed",
      [x, y],
      grid("i", 15, (i) => [store(y, [at(i, 4)], add(wideLoad(x, at(i, 4)), splat(load(x, add(i, i32(3))))))]),
      grid("t", 2, (t) => [store(y, [add(t, i32(60))], load(x, add(t, i32(60))))]),
    ),
    inputs: { x: wave.slice(0, 62) },
  };
}
export const pointerCases: readonly Case[] = [behindPointers()];
export const languageCases: readonly Case[] = [lanesAndReductions(), numbersOfLanes(), gather(), wideBytes(), tile(), unaligned(), mixed()];
