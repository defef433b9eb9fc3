/** Loads and stores by element type. In memory u8 and bool take a byte; a bool is 0 or 1 there and in a scalar. */
import type { Buffer, Lanes } from "../../ir/kernel/kernel.ts";
import type { Ref, Unit } from "./module.ts";

/** Base address and immediate offset, in bytes. */
export interface Address {
  readonly base: Ref;
  readonly offset: number;
}
type Load = (a: Address) => Ref;
type Store = (a: Address, value: Ref) => Ref;
export interface Access {
  readonly load: Record<Lanes, Load>;
  readonly loadSplat: Load;
  readonly store: Record<Lanes, Store>;
}

/** Vectors are aligned to nothing but their elements: a row may start anywhere. */
const wordAlign = 4;

export function memoryAccess({ m }: Unit): Record<Buffer["type"], Access> {
  const { i32, f32, v128, i32x4, i16x8, i8x16 } = m;
  const zeros = () => v128.const(new Uint8Array(16));
  const vector: Load = (a) => v128.load(a.offset, wordAlign, a.base);
  const storeVector: Store = (a, value) => v128.store(a.offset, wordAlign, a.base, value);
  const word: Access = {
    load: { 1: (a) => i32.load(a.offset, wordAlign, a.base), 4: vector },
    loadSplat: (a) => v128.load32_splat(a.offset, wordAlign, a.base),
    store: { 1: (a, value) => i32.store(a.offset, wordAlign, a.base, value), 4: storeVector },
  };
  const byte: Load = (a) => i32.load8_u(a.offset, 1, a.base);
  /** Four bytes, each in a lane. */
  const bytes: Load = (a) => i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(a.offset, 1, a.base)));
  const storeByte: Store = (a, value) => i32.store8(a.offset, 1, a.base, value);
  /** The low byte of each lane. */
  const storeBytes: Store = (a, value) => {
    const low = [0, 4, 8, 12];
    const packed = i8x16.shuffle(value, zeros(), [...low, ...Array.from({ length: 12 }, () => 16)]);
    return v128.store32_lane(a.offset, 1, 0, a.base, packed);
  };
  const ones = () => i32x4.splat(i32.const(1));
  return {
    f32: {
      ...word,
      load: { 1: (a) => f32.load(a.offset, wordAlign, a.base), 4: vector },
      store: { 1: (a, value) => f32.store(a.offset, wordAlign, a.base, value), 4: storeVector },
    },
    i32: word,
    u32: word,
    u8: { load: { 1: byte, 4: bytes }, loadSplat: (a) => i32x4.splat(byte(a)), store: { 1: storeByte, 4: storeBytes } },
    bool: {
      load: { 1: byte, 4: (a) => i32x4.ne(bytes(a), zeros()) },
      loadSplat: (a) => i32x4.ne(i32x4.splat(byte(a)), zeros()),
      store: { 1: storeByte, 4: (a, mask) => storeBytes(a, v128.and(mask, ones())) },
    },
  };
}
