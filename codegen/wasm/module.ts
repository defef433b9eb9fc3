/** The one door to binaryen: loaded on demand, with what its typed interface lacks. */
import type binaryen from "binaryen";
import { invariant } from "../../ir/diagnostic.ts";

export type Binaryen = typeof binaryen;
export type Ref = number;

/** A module under construction. */
export interface Unit {
  readonly b: Binaryen;
  readonly m: binaryen.Module;
  /** Multiply-add may be rounded once. */
  readonly relaxed: boolean;
  /** Functions that are shared by kernels, by name. */
  readonly shared: Set<string>;
  /** A fresh label or function name; kernels have no dots in theirs. */
  readonly fresh: (base: string) => string;
}

/** Runs `build` on a new module, checks the result and lets `finish` take what it needs; the module is gone afterwards. */
export async function withModule<T>(options: { relaxed: boolean }, build: (u: Unit) => void, finish: (u: Unit) => T): Promise<T> {
  const { default: b } = await import("binaryen");
  const m = new b.Module();
  try {
    const used = b.Features.SIMD128 | b.Features.Atomics | b.Features.NontrappingFPToInt;
    m.setFeatures(options.relaxed ? used | b.Features.RelaxedSIMD : used);
    let count = 0;
    const u: Unit = { b, m, relaxed: options.relaxed, shared: new Set(), fresh: (base) => `${base}.${count++}` };
    build(u);
    invariant(m.validate(), "the WebAssembly module is not valid");
    return finish(u);
  } finally {
    m.dispose();
  }
}

/** What binaryen.js exports without declaring. */
interface Undeclared {
  readonly _BinaryenSIMDTernary?: (module: number, op: number, a: Ref, b: Ref, c: Ref) => Ref;
  readonly RelaxedMaddVecF32x4?: number;
}
/** `f32x4.relaxed_madd`: a*b + c, rounded once or twice. */
export function relaxedMadd(u: Unit, a: Ref, b: Ref, c: Ref): Ref {
  const { _BinaryenSIMDTernary: ternary, RelaxedMaddVecF32x4: op } = u.b as unknown as Undeclared;
  invariant(ternary && op !== undefined, "this binaryen has no relaxed multiply-add");
  return ternary(u.m.ptr, op, a, b, c);
}

/** Locals of one function: parameters first. */
export interface Frame {
  /** Position of a named local; made when it is new. */
  readonly slot: (name: string, type: number) => number;
  /** Position of a new local without a name. */
  readonly temporary: (type: number) => number;
  readonly locals: readonly number[];
}
export function openFrame(parameters: readonly string[]): Frame {
  const slots = new Map(parameters.map((p, i) => [p, i]));
  const locals: number[] = [];
  const temporary = (type: number) => parameters.length + locals.push(type) - 1;
  return {
    locals,
    temporary,
    slot: (name, type) => {
      const known = slots.get(name);
      if (known !== undefined) return known;
      const made = temporary(type);
      slots.set(name, made);
      return made;
    },
  };
}
/** A value that is read twice: the first reading computes it, `again` reads it after that. */
export function twice({ b, m }: Unit, frame: Frame, value: Ref, type: number): { readonly first: Ref; readonly again: () => Ref } {
  const id = b.getExpressionId(value);
  if (id === b.LocalGetId || id === b.ConstId) return { first: value, again: () => m.copyExpression(value) };
  const at = frame.temporary(type);
  return { first: m.local.tee(at, value, type), again: () => m.local.get(at, type) };
}
