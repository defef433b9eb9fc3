/**
 * The states of invocations that share a fold as one, which all of them have: in workgroup memory, in two rounds where there are
 * many, so that there are few barriers. Always in the same order.
 *
 *     met[slice] = acc; barrier
 *     if slice < 16 { met[slice] = met[slice] + met[slice + 16] + ... + met[slice + 240] }; barrier
 *     folded = met[0] + met[1] + ... + met[15]
 */
import { add, at, barrier, i32, load, lt, store, when } from "../../../ir/kernel/build.ts";
import type { Axes } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import type { Running } from "../accumulate.ts";
import { variables } from "../fold.ts";

export interface Meeting {
  readonly body: readonly Stmt[];
  /** The state that all have come to. */
  readonly now: readonly Expr[];
}
/** So many states are joined by each invocation for itself. */
const fewStates = 16;

/** `memory`: for each part of a state; `place` is where invocation number i of `share`, a power of two, has its own. */
export function meet(
  r: Running,
  now: readonly Expr[],
  memory: readonly Buffer[],
  { slice, share, place }: { readonly slice: Expr; readonly share: number; readonly place: (i: Expr) => readonly Expr[] },
  axes: Axes,
): Meeting {
  const stateAt = (i: Expr) => memory.map((b) => load(b, ...place(i)));
  const leave = (state: readonly Expr[]): readonly Stmt[] => state.map((e, i) => store(memory[i]!, place(slice), e));
  /** States number `first`, `first + step`, and so on as one. */
  const joined = (first: Expr, count: number, step: number): Meeting => {
    const all = variables(r, axes, stateAt(first));
    const next = (n: Expr) => all.set(r.join(all.now, stateAt(add(at(n, step, step), first))));
    return { body: [...all.begin, ...(count > 1 ? [axes.loop("serial", "n", count - 1, next)] : [])], now: all.now };
  };
  const begin = [...leave(now), barrier];
  if (share <= fewStates) {
    const all = joined(i32(0), share, 1);
    return { body: [...begin, ...all.body], now: all.now };
  }
  const width = Math.max(fewStates, 2 ** Math.floor(Math.log2(share) / 2));
  const part = joined(slice, share / width, width);
  const all = joined(i32(0), width, 1);
  return { body: [...begin, when(lt(slice, i32(width)), [...part.body, ...leave(part.now)]), barrier, ...all.body], now: all.now };
}
