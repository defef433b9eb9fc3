/**
 * The states of invocations that share a fold as one, which all of them have, always in the same order. Workgroup memory is where
 * they meet, in two rounds where there are many, so that there are few barriers:
 *
 *     met[slice] = acc; barrier
 *     if slice < 16 { met[slice] = met[slice] + met[slice + 16] + ... + met[slice + 240] }; barrier
 *     all = met[0] + met[1] + ... + met[15]
 *
 * Where a workgroup has one fold, and the device subgroups of suitable sizes, those of a subgroup are joined first, without memory,
 * and there is one barrier:
 *
 *     acc = acc + acc of lane ^ 1; acc = acc + acc of lane ^ 2; acc = acc + acc of lane ^ 4; ...
 *     met[slice] = lane == 0 ? acc : 0; barrier
 *     all = met[lane] + met[lane + size] + ...; all = all + all of lane ^ 1; ...
 *
 * A lane joins every size-th place, so that the lanes of a subgroup together join all: it does not matter which invocations are one.
 * To leave the state of a subgroup at its number would be shorter, but implementations on Direct3D hand numbers out as subgroups
 * happen to arrive, with two barriers: sums would differ from run to run.
 */
import {
  add,
  at,
  barrier,
  eq,
  exchange,
  i32,
  load,
  local,
  lt,
  mul,
  not,
  select,
  store,
  subgroup,
  subgroups,
  when,
} from "../../../ir/kernel/build.ts";
import type { Axes } from "../../../ir/kernel/computation.ts";
import type { Buffer, Expr, Stmt } from "../../../ir/kernel/kernel.ts";
import { leastSubgroup, mostSubgroup } from "../../../ir/kernel/linear.ts";
import type { Running } from "../accumulate.ts";
import { type Variables, variables } from "../fold.ts";

export interface Meeting {
  readonly body: readonly Stmt[];
  /** The state that all have come to. */
  readonly now: readonly Expr[];
}
export interface Meet {
  readonly r: Running;
  /** The state of an invocation. */
  readonly now: readonly Expr[];
  /** For each part of a state; `place` is where invocation number i of `share`, a power of two, has its own. */
  readonly memory: readonly Buffer[];
  readonly place: (i: Expr) => readonly Expr[];
  readonly slice: Expr;
  readonly share: number;
  /** They are all invocations of the workgroup. */
  readonly alone: boolean;
  readonly axes: Axes;
}
/** So many states are joined by each invocation for itself. */
const fewStates = 16;
/** Of the second round, where there are more. */
const widthOf = (share: number): number => Math.max(fewStates, 2 ** Math.floor(Math.log2(share) / 2));

export function meet(m: Meet): Meeting {
  const all = variables(
    m.r,
    m.axes,
    m.r.parts.map(() => null),
  );
  const { now } = all;
  const inMemory = throughMemory(m, all);
  const sizes = m.alone ? sizesFor(m.share) : null;
  if (!sizes) return { body: [...all.begin, ...inMemory], now };
  const offered = subgroups(sizes.least, sizes.most);
  return { body: [...all.begin, when(offered, throughSubgroups(m, all)), when(not(offered), inMemory)], now };
}
const stateAt = ({ memory, place }: Meet, i: Expr): readonly Expr[] => memory.map((b) => load(b, ...place(i)));
const leave = ({ memory, place, slice }: Meet, state: readonly Expr[]): readonly Stmt[] =>
  state.map((e, i) => store(memory[i]!, place(slice), e));

function throughMemory(m: Meet, all: Variables): readonly Stmt[] {
  const { r, share, slice, axes } = m;
  /** States number `first`, `first + step`, and so on as one. */
  const join = (first: Expr, count: number, step: number): readonly Stmt[] => {
    const next = (n: Expr) => all.set(r.join(all.now, stateAt(m, add(at(n, step, step), first))));
    return [...all.set(stateAt(m, first)), ...(count > 1 ? [axes.loop("serial", "n", count - 1, next)] : [])];
  };
  const begin = [...leave(m, m.now), barrier];
  if (share <= fewStates) return [...begin, ...join(i32(0), share, 1)];
  const width = widthOf(share);
  const part = join(slice, share / width, width);
  return [...begin, when(lt(slice, i32(width)), [...part, ...leave(m, all.now)]), barrier, ...join(i32(0), width, 1)];
}

/* ---- subgroups --------------------------------------------------------------------------------------------------- */

interface Sizes {
  readonly least: number;
  readonly most: number;
}
/** Sizes of subgroups that do less than two rounds, which read so many states; null: one round is as good. */
function sizesFor(share: number): Sizes | null {
  if (share <= fewStates) return null;
  const rounds = share / widthOf(share) + widthOf(share);
  const least = 2 ** Math.ceil(Math.log2(share / rounds));
  return { least: Math.max(leastSubgroup, least), most: Math.min(share, mostSubgroup) };
}
function throughSubgroups(m: Meet, all: Variables): readonly Stmt[] {
  const own = variables(m.r, m.axes, m.now);
  const isFirst = eq(subgroup("lane"), i32(0));
  const left = own.now.map((e, i) => select(isFirst, e, m.r.parts[i]!.start));
  return [...own.begin, joinLanes(m, own), ...leave(m, left), barrier, ...joinPlaces(m, all), joinLanes(m, all)];
}
/** What the lanes of a subgroup have as one. Of a zero of each sign, which `max` and `min` take as equal, a lane keeps its own. */
function joinLanes({ r, axes }: Meet, state: Variables): Stmt {
  const step = (bit: Expr): readonly Stmt[] => {
    const names = r.parts.map(() => axes.fresh("other"));
    const others = names.map((name, i) => local(name, r.parts[i]!.type));
    return [...names.map((name, i) => exchange(name, state.now[i]!, bit)), ...state.set(r.join(state.now, others))];
  };
  return axes.loop("serial", "bit", Math.log2(mostSubgroup), step, (bit) => lt(bit, subgroup("bits")));
}
/** Every size-th state. */
function joinPlaces(m: Meet, all: Variables): readonly Stmt[] {
  const place = (n: Expr) => mul(add(n, i32(1)), subgroup("size"));
  const next = (n: Expr) => all.set(m.r.join(all.now, stateAt(m, add(place(n), subgroup("lane")))));
  const most = m.share / leastSubgroup - 1;
  return [...all.set(stateAt(m, subgroup("lane"))), m.axes.loop("serial", "n", most, next, (n) => lt(place(n), i32(m.share)))];
}
