/** Between types and between lanes. A mask has all bits of a lane set or none; a scalar bool is 0 or 1. */
import type { ScalarType } from "../../ir/kernel/kernel.ts";
import type { Value } from "../translate.ts";
import type { Frame, Ref, Unit } from "./module.ts";
import { type Spelling, spellBinary } from "./spelling.ts";

export function constantOf({ m }: Unit, value: number, { type, lanes }: Value): Ref {
  if (lanes === 1) return type === "f32" ? m.f32.const(value) : m.i32.const(value | 0);
  const word = new DataView(new ArrayBuffer(4));
  if (type === "f32") word.setFloat32(0, value, true);
  else word.setInt32(0, type === "bool" ? -value : value | 0, true);
  const bytes = [...new Uint8Array(word.buffer)];
  return m.v128.const([...bytes, ...bytes, ...bytes, ...bytes]);
}
export const lanesOf = ({ m }: Unit): Ref => m.v128.const([0, 1, 2, 3].flatMap((i) => [i, 0, 0, 0]));
export function splatOf({ m }: Unit, a: Ref, type: ScalarType): Ref {
  if (type === "f32") return m.f32x4.splat(a);
  return m.i32x4.splat(type === "bool" ? m.i32.sub(m.i32.const(0), a) : a);
}
export function packOf({ m }: Unit, [first, ...rest]: readonly [Ref, Ref, Ref, Ref], type: ScalarType): Ref {
  const v = type === "f32" ? m.f32x4 : m.i32x4;
  return rest.reduce((all, part, i) => v.replace_lane(all, i + 1, part), v.splat(first));
}
export function laneOf({ m }: Unit, a: Ref, index: number, type: ScalarType): Ref {
  if (type === "f32") return m.f32x4.extract_lane(a, index);
  const word = m.i32x4.extract_lane(a, index);
  return type === "bool" ? m.i32.and(word, m.i32.const(1)) : word;
}
/** Lanes of `a` and `b` in turn, of one half each. */
export function zipOf({ m }: Unit, half: "low" | "high", a: Ref, b: Ref): Ref {
  const first = half === "low" ? 0 : 8;
  const word = (at: number) => [at, at + 1, at + 2, at + 3];
  return m.i8x16.shuffle(a, b, [first, first + 16, first + 4, first + 20].flatMap(word));
}
/** (0 op 2) op (1 op 3). */
export function reduceOf({ b, m }: Unit, frame: Frame, spelling: Spelling, op: "add" | "min" | "max", a: Ref, type: ScalarType): Ref {
  const whole = frame.temporary(b.v128);
  const half = frame.temporary(b.v128);
  const get = (local: number) => m.local.get(local, b.v128);
  const lane = (i: number) => (type === "f32" ? m.f32x4 : m.i32x4).extract_lane(get(half), i);
  const upper = m.i8x16.shuffle(get(whole), get(whole), [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
  return m.block(
    null,
    [
      m.local.set(whole, a),
      m.local.set(half, spellBinary(spelling, op, get(whole), upper, { type, lanes: 4 })),
      spellBinary(spelling, op, lane(0), lane(1), { type, lanes: 1 }),
    ],
    type === "f32" ? b.f32 : b.i32,
  );
}

/** The same 32 bits: vectors have no type. */
export function bitcastOf({ m }: Unit, a: Ref, of: Value, to: ScalarType): Ref {
  if (of.lanes === 4 || (of.type === "f32") === (to === "f32")) return a;
  return to === "f32" ? m.f32.reinterpret(a) : m.i32.reinterpret(a);
}

type Convert = (a: Ref) => Ref;
/** float to int truncates, saturates, NaN gives 0; to bool is `!= 0`. */
export function castOf(u: Unit, a: Ref, of: Value, to: ScalarType): Ref {
  return (of.lanes === 4 ? vectorCasts(u) : scalarCasts(u))[of.type][to](a);
}
const same: Convert = (a) => a;

function scalarCasts({ m }: Unit): Record<ScalarType, Record<ScalarType, Convert>> {
  const { f32, i32 } = m;
  const nonZero: Convert = (a) => i32.ne(a, i32.const(0));
  return {
    f32: { f32: same, i32: i32.trunc_s_sat.f32, u32: i32.trunc_u_sat.f32, bool: (a) => f32.ne(a, f32.const(0)) },
    i32: { f32: f32.convert_s.i32, i32: same, u32: same, bool: nonZero },
    u32: { f32: f32.convert_u.i32, i32: same, u32: same, bool: nonZero },
    bool: { f32: f32.convert_s.i32, i32: same, u32: same, bool: same },
  };
}
function vectorCasts({ m }: Unit): Record<ScalarType, Record<ScalarType, Convert>> {
  const { f32x4, i32x4, v128, f32, i32 } = m;
  const zeros = () => v128.const(new Uint8Array(16));
  const nonZero: Convert = (a) => i32x4.ne(a, zeros());
  const one: Convert = (mask) => v128.and(mask, i32x4.splat(i32.const(1)));
  return {
    f32: { f32: same, i32: i32x4.trunc_sat_f32x4_s, u32: i32x4.trunc_sat_f32x4_u, bool: (a) => f32x4.ne(a, zeros()) },
    i32: { f32: f32x4.convert_i32x4_s, i32: same, u32: same, bool: nonZero },
    u32: { f32: f32x4.convert_i32x4_u, i32: same, u32: same, bool: nonZero },
    bool: { f32: (mask) => v128.and(mask, f32x4.splat(f32.const(1))), i32: one, u32: one, bool: same },
  };
}
