/**
 * Who runs which part of a kernel. Iterations of a grid loop are spread; what a kernel does outside of them happens once.
 *
 *     var s = 0.0                                  all    a value that the grid below needs: everybody computes it
 *     serial i in 8 { s = s + x[i] }               all
 *     grid i in 8 { y[i] = x[i] / s }              grid   a range per thread, or workgroups
 *     z[0] = s                                     once   memory is written outside of a grid: one thread
 *
 * A phase begins when the one before is complete.
 */
import { invariant } from "../ir/diagnostic.ts";
import type { Stmt } from "../ir/kernel/kernel.ts";
import { type Effects, effectsOf, isShared } from "./effects.ts";

export interface Phase {
  /** all: values only, in every thread; no memory that others see is written. */
  readonly kind: "all" | "once" | "grid";
  readonly body: readonly Stmt[];
}

export function phasesOf(kernel: string, body: readonly Stmt[]): Phase[] {
  const phases: { kind: Phase["kind"]; body: Stmt[] }[] = [];
  const needed = new Set<string>();
  for (const s of flattened(body).reverse()) {
    const effects = effectsOf([s]);
    const kind = kindOf(kernel, s, effects, needed);
    if (kind !== "once") for (const name of reads(effects)) needed.add(name);
    // Statements of one kind stay together, but every grid nest is a phase.
    if (phases[0]?.kind === kind && kind !== "grid") phases[0].body.unshift(s);
    else phases.unshift({ kind, body: [s] });
  }
  return phases;
}

function kindOf(kernel: string, s: Stmt, effects: Effects, needed: ReadonlySet<string>): Phase["kind"] {
  if (effects.hasGrid) {
    checkNest(kernel, s);
    return "grid";
  }
  const wanted = [...defines(effects)].filter((name) => needed.has(name));
  if (![...effects.stored].some(isShared)) return wanted.length > 0 ? "all" : "once";
  invariant(wanted.length === 0, `${kernel}: ${wanted.join(", ")} is set beside a store outside of a grid, and a grid reads it`);
  return "once";
}

/** Names and private memory that a statement reads, or makes. */
export const reads = (e: Effects): string[] => [
  ...e.free,
  ...[...e.loaded, ...e.buffers.values()].filter((b) => !isShared(b)).map((b) => `${b.name}[]`),
];
export const defines = (e: Effects): string[] => [...e.defined, ...[...e.stored].filter((b) => !isShared(b)).map((b) => `${b.name}[]`)];

/** An outline around a grid is not a function of its own. */
const flattened = (body: readonly Stmt[]): Stmt[] =>
  body.flatMap((s) => (s.kind === "outline" && effectsOf(s.body).hasGrid ? flattened(s.body) : [s]));

/** Beside a grid, inside of a loop around it, nothing may be stored: several threads would. */
function checkNest(kernel: string, s: Stmt): void {
  if (s.kind === "for" && s.loop === "grid") return;
  const effects = effectsOf([s]);
  if (!effects.hasGrid) {
    invariant(![...effects.stored].some(isShared), `${kernel}: a store stands beside a grid loop, inside of a serial one`);
    return;
  }
  if (s.kind === "for" || s.kind === "if" || s.kind === "outline") for (const inner of s.body) checkNest(kernel, inner);
}
