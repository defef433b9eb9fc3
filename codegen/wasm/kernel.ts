/**
 * Spells a kernel as a WebAssembly function. Its parameters: the byte address of every in, out and inout buffer, in the
 * order of the kernel; then the address of this thread's scratch, the thread, and the number of threads.
 */
import { invariant } from "../../ir/diagnostic.ts";
import { bufferElements } from "../../ir/kernel/address.ts";
import type { Buffer, Kernel, Lanes } from "../../ir/kernel/kernel.ts";
import { isBound } from "../effects.ts";
import { alignUp, storageBytes, tensorAlignment } from "../target.ts";
import { type Emitter, type Loop, type Outlined, type Place, type Rounding, translator, type Value, type Variable } from "../translate.ts";
import { bitcastOf, castOf, constantOf, laneOf, lanesOf, packOf, reduceOf, splatOf, zipOf } from "./convert.ts";
import { divisionFunction, divisionFunction4 } from "./functions.ts";
import { type Access, type Address, memoryAccess } from "./memory.ts";
import { type Frame, openFrame, type Ref, relaxedMadd, twice, type Unit } from "./module.ts";
import { sharedPhases, waiting } from "./share.ts";
import { type Spelling, spellBinary, spelling, spellUnary } from "./spelling.ts";

const bytesOf = storageBytes.wasm;
/** Names of locals that hold addresses of buffers; variables have no @. */
const addressOf = (b: Buffer) => `@${b.name}`;
const scratchAt = "@scratch";
const threadAt = "@thread";
const threadsAt = "@threads";

/** Scratch buffers, one behind the other. */
function scratchOffsets(k: Kernel): { readonly offsets: ReadonlyMap<string, number>; readonly bytes: number } {
  const offsets = new Map<string, number>();
  let bytes = 0;
  for (const b of k.buffers.filter((x) => x.space === "scratch")) {
    offsets.set(b.name, bytes);
    bytes += alignUp(bufferElements(b) * bytesOf[b.type], tensorAlignment.wasm);
  }
  return { offsets, bytes };
}
export const scratchBytes = (k: Kernel): number => scratchOffsets(k).bytes;

/** A kernel's function under construction. */
interface Writer {
  readonly u: Unit;
  readonly kernel: string;
  readonly access: Record<Buffer["type"], Access>;
  readonly spelling: Spelling;
  /** Of the kernel, or of the outlined function that is being written. */
  frame: Frame;
  /** No grid loop is split: it stands inside of one, or in a part that one thread does. */
  isInGrid: boolean;
}

/** Adds the function `k.name`. `barrier` is the function that waits for all threads. */
export function addKernel(u: Unit, k: Kernel, barrier: string): void {
  const { b, m } = u;
  const half = k.buffers.find((x) => x.stored);
  invariant(!half, `${k.name}: ${half?.name} is stored as ${half?.stored}, which WebAssembly does not load`);
  const parameters = [...k.buffers.filter(isBound).map(addressOf), scratchAt, threadAt, threadsAt];
  const frame = openFrame(parameters);
  const spell = spelling(u, (value, type) => twice(u, w.frame, value, type));
  const w: Writer = { u, kernel: k.name, access: memoryAccess(u), spelling: spell, frame, isInGrid: false };
  const body = [...scratchAddresses(w, k), ...printPhases(w, k, barrier)];
  m.addFunction(k.name, b.createType(parameters.map(() => b.i32)), b.none, [...frame.locals], m.block(null, body));
}

function printPhases(w: Writer, k: Kernel, barrier: string): Ref[] {
  const { b, m } = w.u;
  const print = translator(k, emitterOf(w));
  const wait = () => m.if(m.i32.gt_u(get(w, threadsAt), m.i32.const(1)), m.call(barrier, [get(w, threadsAt)], b.none));
  const mustWait = waiting(k);
  return sharedPhases(k).flatMap((phase) => {
    const before = mustWait(phase) ? [wait()] : [];
    w.isInGrid = phase.kind === "once";
    const body = print(phase.body);
    return [...before, ...(phase.kind === "once" ? [m.if(m.i32.eqz(get(w, threadAt)), m.block(null, body))] : body)];
  });
}

/* ---- locals and addresses -------------------------------------------------------------------------------------- */

const typeOf = ({ b }: Unit, { type, lanes }: Value) => (lanes === 4 ? b.v128 : type === "f32" ? b.f32 : b.i32);
const slot = (w: Writer, v: Variable) => w.frame.slot(v.name, typeOf(w.u, v));
const getVariable = (w: Writer, v: Variable) => w.u.m.local.get(slot(w, v), typeOf(w.u, v));
const setVariable = (w: Writer, v: Variable, value: Ref) => w.u.m.local.set(slot(w, v), value);
const integer = (name: string): Variable => ({ name, type: "i32", lanes: 1 });
const get = (w: Writer, name: string) => getVariable(w, integer(name));
const set = (w: Writer, name: string, value: Ref) => setVariable(w, integer(name), value);
/** A number of elements in bytes. */
const scaled = ({ m }: Unit, index: Ref, b: Buffer) => (bytesOf[b.type] === 1 ? index : m.i32.shl(index, m.i32.const(2)));

function scratchAddresses(w: Writer, k: Kernel): Ref[] {
  const { i32 } = w.u.m;
  return [...scratchOffsets(k).offsets].map(([name, offset]) => set(w, `@${name}`, i32.add(get(w, scratchAt), i32.const(offset))));
}
function address(w: Writer, p: Place<Ref>): Address {
  const bytes = bytesOf[p.buffer.type];
  if (p.kind === "behind") {
    invariant(p.offset >= 0, `${w.kernel}: ${p.pointer} is read at the negative offset ${p.offset}`);
    return { base: get(w, p.pointer), offset: p.offset * bytes };
  }
  const start = get(w, addressOf(p.buffer));
  if (p.index.kind === "const") return { base: start, offset: p.index.value * bytes };
  return { base: w.u.m.i32.add(start, scaled(w.u, p.at(p.index), p.buffer)), offset: 0 };
}
function pointer(w: Writer, name: string, buffer: Buffer, from: string | null, offset: Ref | null): Ref {
  const start = get(w, from ?? addressOf(buffer));
  return set(w, name, offset === null ? start : w.u.m.i32.add(start, scaled(w.u, offset, buffer)));
}

/* ---- loops and functions --------------------------------------------------------------------------------------- */

/** The axis moves by one, then `again` says whether the loop goes on. */
function repeat(w: Writer, axis: string, by: 1 | -1, inner: Ref[], again: (next: Ref) => Ref): Ref {
  const { b, m } = w.u;
  const top = w.u.fresh(axis);
  const next = m.local.tee(w.frame.slot(axis, b.i32), m.i32.add(get(w, axis), m.i32.const(by)), b.i32);
  return m.loop(top, m.block(null, [...inner, m.br_if(top, again(next))]));
}
/** Extents are constants above zero, so a loop tests at its end; an axis that nobody reads counts down. */
function serialLoop(w: Writer, { axis, extent, isRead }: Loop, body: () => Ref[]): Ref[] {
  const { i32 } = w.u.m;
  if (extent === 1) return [...(isRead ? [set(w, axis, i32.const(0))] : []), ...body()];
  if (!isRead) return [set(w, axis, i32.const(extent)), repeat(w, axis, -1, body(), (left) => left)];
  return [set(w, axis, i32.const(0)), repeat(w, axis, 1, body(), (next) => i32.lt_s(next, i32.const(extent)))];
}
/** axis from extent*thread/threads up to extent*(thread+1)/threads, which may be nothing; products have 64 bits. */
function gridLoop(w: Writer, { axis, extent }: Loop, body: () => Ref[]): Ref[] {
  const { m } = w.u;
  const wide = (count: Ref) => m.i64.extend_u(count);
  const at = (thread: Ref) => m.i32.wrap(m.i64.div_u(m.i64.mul(wide(thread), m.i64.const(BigInt(extent))), wide(get(w, threadsAt))));
  const end = `${axis}@end`;
  const isMore = (from: Ref) => m.i32.lt_s(from, get(w, end));
  w.isInGrid = true;
  const inner = body();
  w.isInGrid = false;
  return [
    set(w, axis, at(get(w, threadAt))),
    set(w, end, at(m.i32.add(get(w, threadAt), m.i32.const(1)))),
    m.if(isMore(get(w, axis)), repeat(w, axis, 1, inner, isMore)),
  ];
}
function loop(w: Writer, l: Loop, body: () => Ref[]): Ref[] {
  invariant(l.kind !== "thread", `${w.kernel}: ${l.axis} loops over invocations of a workgroup; WebAssembly has none`);
  return l.kind === "grid" && !w.isInGrid ? gridLoop(w, l, body) : serialLoop(w, l, body);
}
/** A function of its own; what it needs from outside arrives as parameters. */
function outline(w: Writer, { name, free, buffers }: Outlined, body: () => Ref[]): Ref[] {
  const { b, m } = w.u;
  const unique = w.u.fresh(`${w.kernel}.${name}`);
  const args = [...buffers.map((x) => get(w, addressOf(x))), ...free.map((v) => getVariable(w, v))];
  const types = [...buffers.map(() => b.i32), ...free.map((v) => typeOf(w.u, v))];
  const caller = w.frame;
  const frame = openFrame([...buffers.map(addressOf), ...free.map((v) => v.name)]);
  w.frame = frame;
  const code = m.block(null, body());
  w.frame = caller;
  m.addFunction(unique, b.createType(types), b.none, [...frame.locals], code);
  return [m.call(unique, args, b.none)];
}

/* ---- expressions ----------------------------------------------------------------------------------------------- */

function divide(u: Unit, op: "div" | "mod", a: Ref, c: Ref, lanes: Lanes, rounding: Rounding): Ref {
  const { b, m } = u;
  if (lanes === 4) return m.call(divisionFunction4(u, op), [a, c], b.v128);
  if (rounding === "down") return m.call(divisionFunction(u, op), [a, c], b.i32);
  return op === "div" ? m.i32.div_u(a, c) : m.i32.rem_u(a, c);
}
function multiplyAdd(u: Unit, a: Ref, c: Ref, d: Ref, lanes: Lanes): Ref {
  const { m } = u;
  if (lanes === 1) return m.f32.add(d, m.f32.mul(a, c));
  return u.relaxed ? relaxedMadd(u, a, c, d) : m.f32x4.add(d, m.f32x4.mul(a, c));
}

function noSubgroups(w: Writer): never {
  invariant(false, `${w.kernel}: WebAssembly has no subgroups`);
}

function emitterOf(w: Writer): Emitter<Ref, Ref> {
  const { u, access } = w;
  const { m } = u;
  return {
    constant: (value, of) => constantOf(u, value, of),
    variable: (v) => getVariable(w, v),
    load: (p, lanes) => access[p.buffer.type].load[lanes](address(w, p)),
    lanes: () => lanesOf(u),
    loadSplat: (p) => access[p.buffer.type].loadSplat(address(w, p)),
    splat: (a, type) => splatOf(u, a, type),
    pack: (parts, type) => packOf(u, parts, type),
    lane: (a, index, type) => laneOf(u, a, index, type),
    zip: (half, a, c) => zipOf(u, half, a, c),
    reduce: (op, a, type) => reduceOf(u, w.frame, w.spelling, op, a, type),
    unary: (op, a, of) => spellUnary(w.spelling, op, a, of),
    binary: (op, a, b, of) => spellBinary(w.spelling, op, a, b, of),
    divide: (op, a, b, lanes, rounding) => divide(u, op, a, b, lanes, rounding),
    fma: (a, b, c, lanes) => multiplyAdd(u, a, b, c, lanes),
    select: (cond, a, b, _of, condLanes) => (condLanes === 4 ? m.v128.bitselect(a, b, cond) : m.select(cond, a, b)),
    cast: (a, of, to) => castOf(u, a, of, to),
    bitcast: (a, of, to) => bitcastOf(u, a, of, to),
    declare: (v, init) => (init === null ? [] : [setVariable(w, v, init)]),
    assign: (v, value) => [setVariable(w, v, value)],
    store: (p, value, lanes) => [access[p.buffer.type].store[lanes](address(w, p), value)],
    pointer: (name, buffer, from, offset) => [pointer(w, name, buffer, from, offset)],
    loop: (l, body) => loop(w, l, body),
    branch: (cond, body) => [m.if(cond, m.block(null, body()))],
    outline: (o, body) => outline(w, o, body),
    barrier: () => {
      invariant(false, `${w.kernel}: a workgroup has one thread in WebAssembly and no barrier`);
    },
    whilst: () => {
      invariant(false, `${w.kernel}: loops of WebAssembly have no while`);
    },
    subgroup: () => noSubgroups(w),
    exchange: () => noSubgroups(w),
  };
}
