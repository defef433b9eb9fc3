/**
 * One kernel for each dispatch. A dispatch spreads one grid, and begins when the one before is complete:
 *
 *     kernel k(in x, out y) {             kernel k.0(in x, out y) {     kernel k.1(in x, out y) {
 *       var s = x[0]                        var s = x[0]                  var s = x[0]
 *       grid i in 8 { y[i] = s }     =>     grid i in 8 { y[i] = s }      grid j in 4 { y[j + 8] = s * 2.0 }
 *       grid j in 4 { ... }               }                             }
 *     }
 *
 * Requires: flatten. Values that a grid needs are computed again in its dispatch, and must give the same.
 */
import { invariant } from "../../ir/diagnostic.ts";
import type { Kernel, Stmt } from "../../ir/kernel/kernel.ts";
import { effectsOf, isShared } from "../effects.ts";
import { defines, type Phase, phasesOf, reads } from "../phases.ts";

export function splitDispatches(k: Kernel): Kernel[] {
  const phases = phasesOf(k.name, k.body);
  const dispatched = phases.filter((p) => writes(p.body));
  return dispatched.map((p, i) => {
    const body = [...valuesFor(k, phases, p), ...p.body];
    const used = usedBuffers(body);
    const name = dispatched.length === 1 ? k.name : `${k.name}.${i}`;
    return { name, buffers: k.buffers.filter((b) => used.has(b.name)), body };
  });
}

/** What was computed before `phase` that it needs, directly or not. */
function valuesFor(k: Kernel, phases: readonly Phase[], phase: Phase): Stmt[] {
  const needed = new Set(reads(effectsOf(phase.body)));
  const written = new Set<string>();
  const values: Stmt[] = [];
  const before = phases.slice(0, phases.indexOf(phase)).flatMap((p) => p.body);
  for (const s of before.reverse()) {
    const effects = effectsOf([s]);
    const isNeeded = defines(effects).some((name) => needed.has(name));
    if (writes([s])) {
      invariant(!isNeeded, `${k.name}: a value is set beside a store, and used in another dispatch`);
      for (const b of effects.stored) written.add(b.name);
    } else if (isNeeded) {
      const changed = [...effects.loaded].find((b) => isShared(b) && written.has(b.name));
      invariant(!changed, `${k.name}: a value from ${changed?.name} is used after ${changed?.name} has changed`);
      for (const name of reads(effects)) needed.add(name);
      values.unshift(s);
    }
  }
  return values;
}
const writes = (body: readonly Stmt[]): boolean => [...effectsOf(body).stored].some(isShared);

function usedBuffers(body: readonly Stmt[]): Set<string> {
  const { loaded, stored } = effectsOf(body);
  return new Set([...loaded, ...stored].map((b) => b.name));
}
