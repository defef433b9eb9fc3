/** Small functions that kernels share: integer division that never traps, and the barrier. */
import { barrierWords } from "../../ir/program.ts";
import type { Ref, Unit } from "./module.ts";

/** i32, rounded down; 0 for a divisor of 0. */
const floorDivision = { div: "dlm.floor_div", mod: "dlm.floor_mod" } as const;
type Division = keyof typeof floorDivision;

/** The name of the function; made when it is needed first. */
export function divisionFunction(u: Unit, op: Division): string {
  const name = floorDivision[op];
  if (!u.shared.has(name)) {
    u.shared.add(name);
    (op === "div" ? addFloorDiv : addFloorMod)(u, name);
  }
  return name;
}
/**
 * The same on four lanes, two at a time in double precision: a quotient of 32-bit integers is never so close to a whole
 * number that rounding reaches it.
 */
export function divisionFunction4(u: Unit, op: Division): string {
  const { b, m } = u;
  const { f64x2, i32x4, v128 } = m;
  const name = `${floorDivision[op]}4`;
  if (u.shared.has(name)) return name;
  u.shared.add(name);
  const [x, y, q] = [() => m.local.get(0, b.v128), () => m.local.get(1, b.v128), () => m.local.get(2, b.v128)];
  const splat = (value: number) => i32x4.splat(m.i32.const(value));
  const upper = (v: () => Ref) => m.i8x16.shuffle(v(), v(), [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
  const half = (v: Ref, w: Ref) =>
    i32x4.trunc_sat_f64x2_s_zero(f64x2.floor(f64x2.div(f64x2.convert_low_i32x4_s(v), f64x2.convert_low_i32x4_s(w))));
  const both = m.i8x16.shuffle(half(x(), y()), half(upper(x), upper(y)), [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  // The quotient of -2^31 and -1 wraps, but has saturated.
  const quotient = v128.bitselect(i32x4.neg(x()), q(), i32x4.eq(y(), splat(-1)));
  const value = op === "div" ? quotient : i32x4.sub(x(), i32x4.mul(quotient, y()));
  const body = [m.local.set(2, both), v128.and(value, i32x4.ne(y(), splat(0)))];
  m.addFunction(name, b.createType([b.v128, b.v128]), b.v128, [b.v128], m.block(null, body, b.v128));
  return name;
}

/** b = 0: 0; b = -1: -a, because -2^31 / -1 would trap; else the quotient, less one where it was rounded up. */
function addFloorDiv({ b, m }: Unit, name: string): void {
  const { i32 } = m;
  const [x, y] = [() => m.local.get(0, b.i32), () => m.local.get(1, b.i32)];
  const isRoundedUp = i32.and(i32.ne(i32.rem_s(x(), y()), i32.const(0)), i32.lt_s(i32.xor(x(), y()), i32.const(0)));
  const body = m.block(null, [
    m.if(i32.eqz(y()), m.return(i32.const(0))),
    m.if(i32.eq(y(), i32.const(-1)), m.return(i32.sub(i32.const(0), x()))),
    m.return(i32.sub(i32.div_s(x(), y()), isRoundedUp)),
  ]);
  m.addFunction(name, b.createType([b.i32, b.i32]), b.i32, [], body);
}
/** b = 0: 0; else the remainder, plus b where the signs differ. `rem_s` does not trap for -2^31 and -1. */
function addFloorMod({ b, m }: Unit, name: string): void {
  const { i32 } = m;
  const [x, y, r] = [() => m.local.get(0, b.i32), () => m.local.get(1, b.i32), () => m.local.get(2, b.i32)];
  const isOff = i32.and(i32.ne(r(), i32.const(0)), i32.lt_s(i32.xor(r(), y()), i32.const(0)));
  const body = m.block(null, [
    m.if(i32.eqz(y()), m.return(i32.const(0))),
    m.local.set(2, i32.rem_s(x(), y())),
    m.return(m.select(isOff, i32.add(r(), y()), r())),
  ]);
  m.addFunction(name, b.createType([b.i32, b.i32]), b.i32, [b.i32], body);
}

/* ---- barrier --------------------------------------------------------------------------------------------------- */

export const barrierBytes = 192;
/** Tries before a thread goes to sleep, some 50 to 100 microseconds: as long as it takes to be woken. */
const spins = 40_000;
/** Nanoseconds of sleep after which a thread asks whether it waits in vain. */
const patience = 1_000_000_000n;
const timedOut = 2;
/** Kernels have no dots in their names. */
const overdueFunction = "threads.overdue";

/**
 * Adds `barrier(threads)`: returns when all threads have called it. The last one to arrive starts the next generation;
 * the others watch for that, first busily, then asleep. Who sleeps says so before it looks for the last time, and who
 * wakes looks for sleepers after the change, so that no one sleeps through it. Who has slept long calls the import `env.overdue`,
 * which may end the wait where a thread is gone. One thread may not call it: memory that is not shared cannot be waited on.
 */
export function addBarrier({ b, m }: Unit, control: number): string {
  const name = "dlm.barrier";
  const { i32, memory } = m;
  const word = (w: keyof typeof barrierWords) => i32.const(control + barrierWords[w]);
  const load = (w: keyof typeof barrierWords) => i32.atomic.load(0, word(w));
  const change = (w: keyof typeof barrierWords, by: number) => i32.atomic.rmw.add(0, word(w), i32.const(by));
  const [threads, before, left] = [() => m.local.get(0, b.i32), () => m.local.get(1, b.i32), () => m.local.get(2, b.i32)];
  const isOver = () => i32.ne(load("generation"), before());
  const isLast = i32.eq(i32.add(change("arrived", 1), i32.const(1)), threads());
  const release = m.block(null, [
    i32.atomic.store(0, word("arrived"), i32.const(0)),
    m.drop(change("generation", 1)),
    m.if(load("sleepers"), m.drop(memory.atomic.notify(word("generation"), i32.const(-1)))),
    m.return(),
  ]);
  const spin = m.loop(
    "spin",
    m.block(null, [m.if(isOver(), m.return()), m.br_if("spin", m.local.tee(2, i32.sub(left(), i32.const(1)), b.i32))]),
  );
  m.addFunctionImport(overdueFunction, "env", "overdue", b.none, b.none);
  const isLong = i32.eq(memory.atomic.wait32(word("generation"), before(), m.i64.const(patience)), i32.const(timedOut));
  const sleep = m.loop("sleep", m.block(null, [m.if(isLong, m.call(overdueFunction, [], b.none)), m.br_if("sleep", i32.eqz(isOver()))]));
  const body: Ref = m.block(null, [
    m.local.set(1, load("generation")),
    m.if(load("broken"), m.return()),
    m.if(isLast, release),
    m.local.set(2, i32.const(spins)),
    spin,
    m.drop(change("sleepers", 1)),
    sleep,
    m.drop(change("sleepers", -1)),
  ]);
  m.addFunction(name, b.createType([b.i32]), b.none, [b.i32, b.i32], body);
  return name;
}
