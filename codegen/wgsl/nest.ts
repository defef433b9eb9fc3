/** Which loops are workgroups and which are invocations of one. */
import { invariant } from "../../ir/diagnostic.ts";
import type { Kernel, LoopKind, Stmt } from "../../ir/kernel/kernel.ts";
import { bodyOf } from "../../ir/kernel/rewrite.ts";

export type Three = readonly [number, number, number];
type For = Extract<Stmt, { kind: "for" }>;
export interface Nest {
  /** Axes as expressions of the builtins `workgroup` and `invocation`, and what the body has to begin with. */
  readonly axes: ReadonlyMap<string, string>;
  readonly guard: readonly string[];
  readonly workgroups: Three;
  readonly workgroupSize: Three;
}

/** `mostGroups`: workgroups that a dimension may have. */
export function nestOf(k: Kernel, mostGroups: number): Nest {
  const grid = chainOf(k, "grid");
  const threads = chainOf(k, "thread");
  invariant(threads.length <= 3, `${k.name}: ${threads.length} nested thread loops; a workgroup has 3 dimensions`);
  checkStores(k, new Set<Stmt>([...grid, ...threads]));
  const invocations = threads.map((l, i): [string, string] => [l.axis, `i32(invocation.${"xyz"[threads.length - 1 - i]})`]);
  const workgroupSize = dimensions(threads);
  const fits = grid.length <= 3 && grid.every((l) => l.extent <= mostGroups);
  const groups = fits ? direct(grid) : linearized(grid, mostGroups);
  return { ...groups, axes: new Map([...groups.axes, ...invocations]), workgroupSize };
}
/** The innermost loop is x. */
const dimensions = (loops: readonly For[]): Three => [2, 1, 0].map((i) => loops[loops.length - 3 + i]?.extent ?? 1) as unknown as Three;

type Groups = Pick<Nest, "axes" | "guard" | "workgroups">;
const direct = (grid: readonly For[]): Groups => ({
  axes: new Map(grid.map((l, i) => [l.axis, `i32(workgroup.${"xyz"[grid.length - 1 - i]})`])),
  guard: [],
  workgroups: dimensions(grid),
});
/** All iterations are numbered, in rows of workgroups: as few as may be, or a square where no rows keep to the limit, which is refused later. */
function linearized(grid: readonly For[], mostGroups: number): Groups {
  const count = grid.reduce((n, l) => n * l.extent, 1);
  const rows = count > mostGroups ** 2 ? Math.ceil(Math.sqrt(count)) : Math.ceil(count / mostGroups);
  const columns = Math.ceil(count / rows);
  const axes = new Map<string, string>();
  let inner = 1;
  for (const l of [...grid].reverse()) {
    axes.set(l.axis, `i32(group / ${inner}u % ${l.extent}u)`);
    inner *= l.extent;
  }
  const number = `let group = workgroup.x + workgroup.y * ${columns}u;`;
  const guard = rows * columns === count ? [] : [`if (group >= ${count}u) { return; }`];
  return { axes, guard: [number, ...guard], workgroups: [columns, rows, 1] };
}

/** Loops of a kind, each inside of the one before. */
function chainOf(k: Kernel, kind: LoopKind): For[] {
  const chain: For[] = [];
  const visit = (body: readonly Stmt[]): void => {
    const inside = body.filter((s) => holds(s, kind));
    invariant(inside.length <= 1, `${k.name}: two ${kind} loops side by side in one dispatch`);
    for (const s of inside) {
      if (s.kind === "for" && s.loop === kind) chain.push(s);
      visit(bodyOf(s));
    }
  };
  visit(k.body);
  return chain;
}
const holds = (s: Stmt, kind: LoopKind): boolean => (s.kind === "for" && s.loop === kind) || bodyOf(s).some((x) => holds(x, kind));

/** What stands outside of the innermost grid or thread loop is done by many: it must not write what they share. */
function checkStores(k: Kernel, loops: ReadonlySet<Stmt>): void {
  const visit = (body: readonly Stmt[], depth: number): void => {
    for (const s of body) {
      const isOutside = s.kind === "store" && s.buffer.space !== "scratch" && depth < loops.size;
      invariant(!isOutside, `${k.name}: a store stands beside a grid or thread loop; every workgroup or invocation would do it`);
      visit(bodyOf(s), loops.has(s) ? depth + 1 : depth);
    }
  };
  visit(k.body, 0);
}
