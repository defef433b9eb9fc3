/** Expressions as closures: a vector is compiled once for each of its lanes. */
import { invariant } from "../diagnostic.ts";
import { bufferElements, flattenIndex } from "./address.ts";
import { binaryThunk, bitcastThunk, castThunk, fmaThunk, type Model, rounded, type Thunk, unaryThunk } from "./arithmetic.ts";
import { type Buffer, type Expr, lanesOf, typeOf } from "./kernel.ts";
import { type Linear, linear, type Ranges } from "./linear.ts";

/** What closures need to know of the kernel around them. */
export interface Scope {
  readonly kernel: string;
  readonly model: Model;
  readonly ranges: Ranges;
  /** First slot of a variable, axis, pointer or register array. */
  readonly slot: (name: string) => number;
  /** Position in `Frame.memory`. */
  readonly memory: (b: Buffer) => number;
  /** Lanes of a register array. */
  readonly lanes: (b: Buffer) => number;
}

/** One lane of a value; a scalar has lane 0 only. */
export function evaluate(e: Expr, lane: number, scope: Scope): Thunk {
  const part = (x: Expr) => evaluate(x, lane, scope);
  switch (e.kind) {
    case "const":
      return constantThunk(e.type === "f32" && scope.model === "single" ? Math.fround(e.value) : e.value);
    case "var":
      return slotThunk(scope.slot(e.name) + lane);
    case "load":
      return loadThunk(e, lane, scope);
    case "unary":
      return unaryThunk(e.op, typeOf(e.a), scope.model, part(e.a));
    case "binary":
      return binaryThunk(e.op, typeOf(e.a), scope.model, part(e.a), part(e.b));
    case "fma":
      return fmaThunk(scope.model, part(e.a), part(e.b), part(e.c));
    case "select":
      return selectThunk(evaluate(e.cond, lanesOf(e.cond) === 1 ? 0 : lane, scope), part(e.a), part(e.b));
    case "cast":
      return castThunk(typeOf(e.a), e.to, scope.model, part(e.a));
    case "bitcast":
      return bitcastThunk(typeOf(e.a), e.to, part(e.a));
    case "lanes":
      return constantThunk(lane);
    case "subgroups":
      return ({ subgroup: s }) => Number(s !== null && e.least <= s.size && s.size <= e.most);
    case "subgroup":
      return ({ subgroup: s }) => s?.[e.what] ?? Number.NaN;
    case "splat":
      return evaluate(e.a, 0, scope);
    case "pack":
      return evaluate(e.parts[lane]!, 0, scope);
    case "lane":
      return evaluate(e.a, e.index, scope);
    case "zip":
      return evaluate(lane % 2 === 0 ? e.a : e.b, Math.floor(lane / 2) + (e.half === "high" ? 2 : 0), scope);
    case "reduce": {
      const [a, b, c, d] = [0, 1, 2, 3].map((l) => evaluate(e.a, l, scope)) as [Thunk, Thunk, Thunk, Thunk];
      const join = (x: Thunk, y: Thunk) => binaryThunk(e.op, typeOf(e.a), scope.model, x, y);
      return join(join(a, c), join(b, d));
    }
  }
}
const constantThunk =
  (value: number): Thunk =>
  () =>
    value;
const slotThunk =
  (slot: number): Thunk =>
  (f) =>
    f.slots[slot]!;
/** Both sides are evaluated, so that a fault in the other one shows. */
const selectThunk =
  (cond: Thunk, a: Thunk, b: Thunk): Thunk =>
  (f) => {
    const x = a(f);
    const y = b(f);
    return cond(f) ? x : y;
  };

function loadThunk(e: Extract<Expr, { kind: "load" }>, lane: number, scope: Scope): Thunk {
  const { buffer } = e;
  const at = offsetThunk(buffer, e.base, e.index, scope);
  const size = bufferElements(buffer);
  if (buffer.space === "register") {
    const first = scope.slot(buffer.name) + lane;
    const lanes = scope.lanes(buffer);
    return (f) => f.slots[first + checked(at(f), size, buffer, scope) * lanes]!;
  }
  const m = scope.memory(buffer);
  const read: Thunk = (f) => {
    const memory = f.memory[m]!;
    const i = at(f) + lane;
    if (!(i >= 0 && i < memory.length)) outside(i, memory.length, buffer, scope);
    return memory[i]!;
  };
  return rounded(read, typeOf(e), scope.model);
}
export function outside(i: number, size: number, b: Buffer, scope: Scope): never {
  throw new RangeError(`internal error: kernel ${scope.kernel}: ${b.name}[${i}] of ${size} elements`);
}
export function checked(i: number, size: number, b: Buffer, scope: Scope): number {
  if (!(i >= 0 && i < size)) outside(i, size, b, scope);
  return i;
}

/** Element offset of an access: logical or flat index, or a constant behind a pointer. */
export function offsetThunk(b: Buffer, base: string | null, index: readonly Expr[], scope: Scope): Thunk {
  if (base === null) return sumThunk(linear(flattenIndex(b, index), scope.ranges), scope);
  const slot = scope.slot(base);
  const [constant] = index;
  invariant(constant?.kind === "const", `${scope.kernel}: an index behind the pointer ${base} is not constant`);
  return (f) => f.slots[slot]! + constant.value;
}
/** scale * atom + ... + constant, with few calls where atoms are axes. */
function sumThunk(l: Linear, scope: Scope): Thunk {
  let sum = constantThunk(l.constant);
  const axes: [slot: number, scale: number][] = [];
  for (const { atom, scale } of l.terms.values()) {
    if (atom.kind === "var") axes.push([scope.slot(atom.name), scale]);
    else sum = plusTerm(evaluate(atom, 0, scope), scale, sum);
  }
  while (axes.length >= 3) sum = plusThree(axes.pop()!, axes.pop()!, axes.pop()!, sum);
  for (const [slot, scale] of axes) sum = plusAxis(slot, scale, sum);
  return sum;
}
const plusTerm =
  (a: Thunk, scale: number, rest: Thunk): Thunk =>
  (f) =>
    a(f) * scale + rest(f);
const plusAxis =
  (slot: number, scale: number, rest: Thunk): Thunk =>
  (f) =>
    f.slots[slot]! * scale + rest(f);
type AxisTerm = readonly [slot: number, scale: number];
const plusThree =
  ([a, p]: AxisTerm, [b, q]: AxisTerm, [c, r]: AxisTerm, rest: Thunk): Thunk =>
  (f) =>
    f.slots[a]! * p + f.slots[b]! * q + f.slots[c]! * r + rest(f);
