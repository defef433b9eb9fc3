/** Sketches at random, made of motifs that repeat. */
import * as fc from "fast-check";
import { binary, float, int, list, type Sketch, value } from "../../../compiler/decompile/sketch.ts";
import { f32 } from "../../../ir/type.ts";
import { type Pen, sketchOf } from "./sketching.ts";

/** One value made from two, `a` the newer; all are f32[2, 8]. */
type Move = (p: Pen, a: string, b: string, label: string | null) => string;
const moves: readonly Move[] = [
  (p, a) => p.fn("relu", [a]),
  (p, a, _, label) => p.layer(label, "Linear", [a, int(8)]),
  (p, a, _, label) => p.layer(label, "Linear", [p.layer(label && `${label}.in`, "Linear", [a, int(16)]), int(8)]),
  (p, a, _, label) => p.layer(label, "LayerNorm", [a]),
  (p, a, b) => p.term(binary("+", value(a), value(b))),
  (p, a, b) => p.term(binary("-", value(a), value(p.term(binary("*", value(b), float(0.5)))))),
  (p, a, b, label) => p.layer(label, "Linear", [p.fn("concat", [list([value(a), value(b), value(a)])], { axis: int(1) }), int(8)]),
  (p, a) => {
    const [l, r] = p.terms(2, { kind: "call", callee: "split", args: [value(a), int(2)], named: { axis: int(-1) }, label: null });
    return p.fn("concat", [list([value(r!), value(l!)])], { axis: int(1) });
  },
  (p, a, _, label) => p.term(binary("*", value(a), value(p.variable(label ?? "scale", f32(8))))),
];
const move = fc.record({
  kind: fc.nat(moves.length - 1),
  back: fc.nat(4),
  label: fc.option(fc.constantFrom("a", "b.c", "b.d", "0", "x.1")),
});
const motif = fc.array(move, { minLength: 1, maxLength: 7 });
export const plan = fc.record({
  motifs: fc.array(motif, { minLength: 1, maxLength: 3 }),
  order: fc.array(fc.record({ motif: fc.nat(2), times: fc.integer({ min: 1, max: 4 }) }), { minLength: 1, maxLength: 5 }),
  outputs: fc.array(fc.nat(200), { minLength: 1, maxLength: 3 }),
  shuffle: fc.nat(),
});
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

export function sketched({ motifs, order, outputs, shuffle }: Plan): Sketch {
  const sketch = sketchOf({ name: "Net", inputs: { x: f32(2, 8), mask: f32(2, 8) } }, (p) => {
    const values = ["x", "mask"];
    let block = 0;
    for (const { motif: m, times } of order) {
      for (let t = 0; t < times; t++, block++) {
        for (const { kind, back, label } of motifs[m % motifs.length]!) {
          const b = values.at(-1 - back) ?? "mask";
          values.push(moves[kind]!(p, values.at(-1)!, b, label && `block.${block}.${label}`));
        }
      }
    }
    const last = values.at(-1)!;
    return Object.fromEntries(outputs.map((o, i) => [`y${i || ""}`, i === 0 ? last : values[2 + (o % (values.length - 2))]!]));
  });
  return { ...sketch, steps: shuffled(sketch, shuffle) };
}
/** Another order in which every step comes behind what it uses. */
function shuffled({ steps, inputs, variables }: Sketch, seed: number): Sketch["steps"] {
  const known = new Set([...inputs, ...variables].map((v) => v.name));
  const waiting = [...steps];
  const out: Sketch["steps"][number][] = [];
  const needs = (s: Sketch["steps"][number]): string[] =>
    [...JSON.stringify(s.term).matchAll(/"kind":"value","name":"(\w+)"/g)].map((m) => m[1]!);
  for (let n = seed; waiting.length > 0; n = (n * 1103515245 + 12345) % 2 ** 31) {
    const ready = waiting.filter((s) => needs(s).every((v) => known.has(v)));
    const next = seed % 2 === 0 ? ready[0]! : ready[n % ready.length]!;
    waiting.splice(waiting.indexOf(next), 1);
    for (const v of next.results) known.add(v);
    out.push(next);
  }
  return out;
}
