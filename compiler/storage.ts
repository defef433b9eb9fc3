/**
 * Which tensors a GPU keeps as halves (`storage: "f16"`); arithmetic stays in single precision. Large tensors only, where bytes
 * cost time and memory:
 *
 * - parameters, and what `prepare` makes of them, of two axes or more: biases, scales and running statistics are small beside
 *   them, and often work on every result;
 * - values between kernels, unless the kernel that makes one goes through far more than it: sums and statistics of large tensors
 *   may be too large for a half.
 *
 * Inputs, outputs, states, tables, what `init` and `prepare` need on their way, and what a kernel keeps for itself stay as they are.
 * A half holds values up to 65504. Parameters with finite values beyond are refused when they are written (runtime/webgpu/memory.ts);
 * what a run or `prepare` makes is not looked at, and becomes infinite. WGSL lets a device round to either of the two nearest
 * halves, and take what is below 2^-14 for zero.
 */
import { invariant } from "../ir/diagnostic.ts";
import type { VariableKind } from "../ir/graph/graph.ts";
import { type Buffer, type Expr, elementType, type Kernel, type Space, type Stmt } from "../ir/kernel/kernel.ts";
import { mapExpr, mapSame, mapStmt } from "../ir/kernel/rewrite.ts";
import { elementsIn } from "../ir/layout.ts";
import { type Lowered, type LoweredCall, type LoweredEntry, type Value, wholeOf } from "../ir/lowered.ts";
import { entryOf } from "../ir/program.ts";
import { type Stored, sizeOf, type TensorType } from "../ir/type.ts";

/**
 * Fewer elements stay f32: 16 KiB, which small GPUs bring from memory in a microsecond, a tenth of what lies between two
 * dispatches (runtime/choose-device.ts).
 */
const fewest = 4096;
/** A kernel that touches a tensor so many times as large moves hardly less for a result in halves. */
const farMore = 16;

const isLarge = ({ dtype, shape }: TensorType, least: number): boolean => dtype === "f32" && sizeOf(shape) >= least;
const half: { readonly stored: Stored } = { stored: "f16" };
/** How a variable is stored: nothing where it is as its type says. */
export const storageOf = (kind: VariableKind, type: TensorType, least = fewest): { readonly stored?: Stored } =>
  (kind === "param" || kind === "prepared") && isLarge(type, least) && type.shape.filter((d) => d > 1).length > 1 ? half : {};

/**
 * Values in halves, and kernels that load and store them as such: one for each way in which its operands are stored. Of fewer than
 * `least` elements values stay as they are.
 */
export function inHalves(lowered: Lowered, least = fewest): Lowered {
  const values = memo((v: Value): Value => {
    const home = v.home.kind === "inside" ? { ...v.home, of: values(v.home.of) } : v.home;
    return { ...v, home, ...(isHalf(v) ? half : {}) };
  });
  const between = new Set(lowered.entries.flatMap((e) => valuesBetween(e, least)));
  const isHalf = (v: Value): boolean => {
    const { home, type } = wholeOf(v);
    return home.kind === "variable" ? storageOf(home.variable, type, least).stored !== undefined : between.has(wholeOf(v));
  };
  const kernels = variants(lowered.kernels);
  const entries = lowered.entries.map((e) => ({ ...e, calls: e.calls.map((c) => storedCall(c, values, kernels.of)) }));
  return { ...lowered, entries, kernels: kernels.all() };
}

/** Of what a run makes on its way. */
function valuesBetween({ name, calls }: LoweredEntry, least: number): readonly Value[] {
  if (entryOf(name) === "init" || entryOf(name) === "prepare") return [];
  return calls.flatMap(({ inputs, outputs }) => {
    const most = Math.max(...[...inputs, ...outputs].map(elementsOf));
    return outputs.map(wholeOf).filter((v) => v.home.kind === "arena" && isLarge(v.type, least) && farMore * elementsOf(v) > most);
  });
}
const elementsOf = ({ type }: Value): number => elementsIn(type.shape, type.layout);

type VariantOf = (kernel: string, operands: readonly (Stored | undefined)[]) => string;
function storedCall(c: LoweredCall, inMemory: (v: Value) => Value, variantOf: VariantOf): LoweredCall {
  const [inputs, [first, ...others]] = [c.inputs.map(inMemory), c.outputs.map(inMemory) as [Value, ...Value[]]];
  const outputs: LoweredCall["outputs"] = [first, ...others];
  const kernel = variantOf(
    c.kernel,
    [...inputs, ...outputs].map((v) => v.stored),
  );
  return { ...c, kernel, inputs, outputs, inPlace: c.inPlace.map((list) => list.map(inMemory)) };
}

/** Kernels with bound buffers stored as wanted; the name of the kernel stays with the one that has none. */
function variants(kernels: readonly Kernel[]): { readonly of: VariantOf; readonly all: () => readonly Kernel[] } {
  const originals = new Map(kernels.map((k) => [k.name, k]));
  const made = new Map<string, Kernel>();
  const names = new Set(originals.keys());
  const unused = (base: string): string => {
    let name = base;
    for (let n = 1; names.has(name); n++) name = `${base}_${n}`;
    names.add(name);
    return name;
  };
  const make = (k: Kernel, operands: readonly (Stored | undefined)[]): Kernel =>
    operands.some((s) => s) ? { ...storedAs(k, operands), name: unused(`${k.name}_f16`) } : k;
  return {
    of: (name, operands) => {
      const kernel = originals.get(name);
      invariant(kernel, `there is no kernel ${name}`);
      const key = JSON.stringify([name, operands]);
      const variant = made.get(key) ?? make(kernel, operands);
      made.set(key, variant);
      return variant.name;
    },
    all: () => [...made.values()],
  };
}

const bound: ReadonlySet<Space> = new Set<Space>(["in", "out", "inout"]);
/** `operands`: of each bound buffer, in order. */
function storedAs(k: Kernel, operands: readonly (Stored | undefined)[]): Kernel {
  const own = k.buffers.filter((b) => bound.has(b.space));
  invariant(own.length === operands.length, `${k.name} has ${own.length} buffers for ${operands.length} operands`);
  const changed = new Map(
    own.flatMap((b, i): (readonly [string, Buffer])[] => {
      const stored = operands[i];
      if (!stored) return [];
      invariant(elementType(b) === "f32", `${k.name}: ${b.name} of ${b.type} cannot be stored as ${stored}`);
      return [[b.name, { ...b, stored }]];
    }),
  );
  const buffer = (b: Buffer): Buffer => changed.get(b.name) ?? b;
  const expr = (e: Expr): Expr => {
    const inside = mapExpr(e, expr);
    return inside.kind === "load" && changed.has(inside.buffer.name) ? { ...inside, buffer: buffer(inside.buffer) } : inside;
  };
  const body = (stmts: readonly Stmt[]): readonly Stmt[] =>
    mapSame(stmts, (s) => {
      const inside = mapStmt(s, expr, body);
      return inside.kind === "store" && changed.has(inside.buffer.name) ? { ...inside, buffer: buffer(inside.buffer) } : inside;
    });
  return { ...k, buffers: k.buffers.map(buffer), body: body(k.body) };
}

function memo<K, T>(make: (key: K) => T): (key: K) => T {
  const made = new Map<K, T>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}
