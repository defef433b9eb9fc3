/** What exporters write at length, in the words of the language. */
import { describe, expect, test } from "vitest";
import { decompile } from "../../../../compiler/decompile/decompile.ts";
import { recoverCalls } from "../../../../compiler/decompile/idioms/index.ts";
import {
  binary,
  call,
  float,
  type Index,
  int,
  ints,
  list,
  type Sketch,
  type Term,
  unary,
  value,
  type Weight,
} from "../../../../compiler/decompile/sketch.ts";
import { f32, sizeOf, tensor } from "../../../../ir/type.ts";
import { evaluateGraph } from "../../../ir/ops/evaluate.ts";
import { build } from "../../frontend/elaborating.ts";
import { plainly } from "../checking.ts";
import { type Pen, type Plan, sketchOf } from "../sketching.ts";

const numbers = (count: number, seed: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * (1.7 + seed) + seed));
/** The same sketch with numbers in its weights; those of `tables` by label. */
function filled(sketch: Sketch, tables: Readonly<Record<string, readonly number[]>>): Sketch {
  let seed = 0;
  const fill = <W extends Weight>(w: W): W => ({ ...w, data: numbers(sizeOf(w.type.shape), ++seed) });
  return {
    ...sketch,
    variables: sketch.variables.map((v) => ({ ...fill(v), ...(tables[v.label!] ? { data: Float32Array.from(tables[v.label!]!) } : {}) })),
    steps: sketch.steps.map((s) => ({ ...s, weights: new Map([...s.weights].map(([path, w]) => [path, fill(w)])) })),
  };
}
function outputsOf(text: string, weights: ReadonlyMap<string, Weight>): readonly number[] {
  const { forward } = build(text);
  const inputs = forward.inputs.map((i, k) => [String(i.attrs.name), numbers(sizeOf(i.type.shape), k)] as const);
  const given = Object.fromEntries([...inputs, ...[...weights].map(([name, w]) => [name, w.data] as const)]);
  return Object.values(evaluateGraph(forward, given).outputs).flatMap((o) => [...o]);
}
/** The model's body in better words, which compute the same. */
function recovered(
  plan: Partial<Plan>,
  write: (p: Pen) => string,
  tables: Readonly<Record<string, readonly number[]>> = {},
): readonly string[] {
  const sketch = filled(
    sketchOf({ name: "Net", inputs: { x: f32(2, 5, 8) }, ...plan }, (p) => ({ y: write(p) })),
    tables,
  );
  const { text, weights } = decompile(recoverCalls(sketch));
  const plain = plainly(sketch);
  const [found, expected] = [outputsOf(text, weights), outputsOf(plain.text, plain.weights)];
  expect(found.length).toBe(expected.length);
  for (const [i, v] of found.entries()) expect(v).toBeCloseTo(expected[i]!, 5);
  const lines = text.slice(text.indexOf("model ")).split("\n").slice(1, -2);
  return lines.map((l) => l.trim());
}
const scaled = (p: Pen, v: string, by: number, op: "*" | "/" = "*") => p.term(binary(op, value(v), float(by)));
const product = (p: Pen, a: string, b: string) => p.term(binary("@", value(a), value(b)));
const joined = (p: Pen, items: readonly string[], axis: number) => p.fn("concat", [list(items.map(value))], { axis: int(axis) });

describe("plain words", () => {
  test("nothing is multiplied by one", () => {
    expect(recovered({}, (p) => p.fn("relu", [scaled(p, scaled(p, p.term(binary("*", float(1), value("x"))), 1), 1, "/")]))).toEqual([
      "y = relu(x)",
    ]);
    expect(recovered({}, (p) => scaled(p, "x", 1))).toEqual(["y = x"]);
    expect(recovered({}, (p) => p.term(binary("/", float(1), value("x"))))).toEqual(["y = 1.0 / x"]);
  });
  test("the narrower of two cuts", () => {
    const relus = (p: Pen, ...names: string[]) => names.reduce((v, name) => p.fn(name, [v]), "x");
    expect(recovered({}, (p) => relus(p, "relu", "relu6", "relu"))).toEqual(["y = relu6(x)"]);
    expect(recovered({}, (p) => relus(p, "relu", "relu", "tanh"))).toEqual(["y = x |> relu |> tanh"]);
  });
  test("lists in lists along one axis", () => {
    expect(recovered({}, (p) => joined(p, [joined(p, ["x", "x"], 1), p.fn("relu", ["x"])], 1))).toEqual([
      "y = concat([x, x, relu(x)], axis=1)",
    ]);
    expect(recovered({}, (p) => joined(p, [joined(p, ["x", "x"], 2), joined(p, ["x", "x"], 2)], 1))[0]).toMatch(/^y = concat\(\[concat\(/);
    const twice = (p: Pen) => {
      const inner = joined(p, ["x", "x"], 1);
      return joined(p, [joined(p, [inner, "x"], 1), inner], 1);
    };
    expect(recovered({}, twice)).toEqual(["a = concat([x, x], axis=1)", "y = concat([a, x, a], axis=1)"]);
  });
  test("halves that change places are a roll, along as many axes as there are", () => {
    const cut = (p: Pen, v: string, axis: number, from: number | null, to: number | null) => {
      const slice: Index = { kind: "slice", from: from === null ? null : int(from), to: to === null ? null : int(to), step: 1 };
      return p.term({ kind: "index", value: value(v), items: [...Array.from({ length: axis }, (): Index => ({ kind: "all" })), slice] });
    };
    const roll = (p: Pen, v: string, axis: number, by: number, other = by) =>
      joined(p, [cut(p, v, axis, by, null), cut(p, v, axis, null, other)], axis);
    expect(recovered({}, (p) => roll(p, "x", 1, 2))).toEqual(["y = roll(x, [-2], [1])"]);
    expect(recovered({}, (p) => roll(p, roll(p, "x", 1, 2), 2, 7))).toEqual(["y = roll(x, [-2, 1], [1, 2])"]);
    expect(recovered({}, (p) => roll(p, "x", 1, 2, 3)).join()).toContain("concat");
  });
  test("stacked and flattened is concatenated, also when axes in front are permuted", () => {
    const both = (p: Pen) => p.fn("stack", [list([value("x"), value(p.fn("tanh", ["x"]))])], { axis: int(2) });
    const flat = (p: Pen, v: string) => p.fn("flatten", [v], { from: int(2) });
    const turned = (p: Pen, v: string) => p.fn("transpose", [v, int(0), int(1)]);
    expect(recovered({}, (p) => flat(p, both(p)))).toEqual(["y = concat([x, tanh(x)], axis=2)"]);
    expect(recovered({}, (p) => turned(p, flat(p, turned(p, both(p)))))).toEqual(["y = concat([x, tanh(x)], axis=2)"]);
    expect(recovered({}, (p) => p.fn("permute", [flat(p, turned(p, both(p))), ints([1, 2, 0])]))).toEqual([
      "y = transpose(concat([x, tanh(x)], axis=2))",
    ]);
  });
  test("rearranged twice is rearranged once", () => {
    const turned = (p: Pen, v: string, a: number, b: number) => p.fn("transpose", [v, int(a), int(b)]);
    expect(recovered({}, (p) => p.fn("relu", [turned(p, turned(p, "x", 0, 1), 0, 1)]))).toEqual(["y = relu(x)"]);
    expect(recovered({}, (p) => turned(p, turned(p, "x", 0, 1), 1, 2))).toEqual(["y = permute(x, [1, 2, 0])"]);
    expect(recovered({}, (p) => p.fn("reshape", [p.fn("reshape", ["x", ints([10, 8])]), ints([2, 5, 4, 2])]))).toEqual([
      "y = reshape(x, [2, 5, 4, 2])",
    ]);
  });
});

/** [2, 5, 8] with heads of 4 in front of places. */
const heads = (p: Pen, v: string) => p.fn("transpose", [p.fn("reshape", [v, ints([2, 5, 2, 4])]), int(1), int(2)]);
const three = { q: f32(2, 5, 8), k: f32(2, 5, 8), v: f32(2, 5, 8) };
const causal = (allowed: number, forbidden: number) =>
  Array.from({ length: 25 }, (_, i) => (i % 5 <= Math.floor(i / 5) ? allowed : forbidden));
const turnedLast = (p: Pen, v: string) => p.fn("transpose", [v]);

describe("attention", () => {
  const attend = (p: Pen, scores: (q: string, k: string) => string) =>
    product(p, p.fn("softmax", [scores(heads(p, "q"), turnedLast(p, heads(p, "k")))], { axis: int(-1) }), heads(p, "v"));
  const body = (scores: (p: Pen, q: string, k: string) => string, tables = {}) =>
    recovered({ inputs: three }, (p) => attend(p, (q, k) => scores(p, q, k)), tables);
  /** Whatever keys and values are called. */
  const last = (lines: readonly string[]) => lines.at(-1)!.replace(/^.*attention\(\w+, \w+/, "attention(k, v");

  test("scaled before the product, behind it, or both sides by a root", () => {
    expect(last(body((p, q, k) => scaled(p, product(p, q, k), 0.5)))).toBe("attention(k, v)");
    expect(last(body((p, q, k) => scaled(p, product(p, q, k), 2, "/")))).toBe("attention(k, v)");
    expect(last(body((p, q, k) => product(p, scaled(p, q, 2, "/"), k)))).toBe("attention(k, v)");
    const root = Math.fround(Math.sqrt(0.5));
    expect(last(body((p, q, k) => product(p, scaled(p, q, root), scaled(p, k, root))))).toBe("attention(k, v)");
    expect(body((p, q, k) => product(p, q, k)).join()).toContain("softmax");
  });
  const masked = (mask: (p: Pen, scores: string) => Term, tables = {}) =>
    last(body((p, q, k) => p.term(mask(p, scaled(p, product(p, q, k), 0.5))), tables));
  test("a table that allows what is not later is causal", () => {
    const added = (p: Pen, s: string) => binary("+", value(s), value(p.variable("mask", f32(1, 5, 5), "state")));
    expect(masked(added, { mask: causal(0, -Infinity) })).toBe("attention(k, v, causal=true)");
    expect(masked(added, { mask: causal(0, -3e38) })).toBe("attention(k, v, causal=true)");
    const chosen = (p: Pen, s: string) =>
      call("where", [value(p.variable("mask", tensor("bool", [1, 1, 5, 5]), "state")), value(s), float(-Infinity)]);
    expect(masked(chosen, { mask: causal(1, 0) })).toBe("attention(k, v, causal=true)");
    const forbidden = (p: Pen, s: string) =>
      call("where", [value(p.variable("mask", tensor("bool", [5, 5]), "state")), float(-1e9), value(s)]);
    expect(masked(forbidden, { mask: causal(0, 1) })).toBe("attention(k, v, causal=true)");
  });
  test("other masks are masks if they are yes or no", () => {
    const allowed = (p: Pen) => p.term(binary("<", call("reshape", [call("arange", [int(5)]), ints([1, 5])]), int(3)));
    expect(masked((p, s) => call("where", [value(allowed(p)), value(s), float(-Infinity)]))).toMatch(/^attention\(k, v, mask=/);
    expect(masked((p, s) => call("where", [unary("!", value(allowed(p))), float(-Infinity), value(s)]))).toMatch(
      /^attention\(k, v, mask=reshape/,
    );
    const added = (p: Pen, s: string) => binary("+", value(s), value(p.fn("where", [value(allowed(p)), float(0), float(-Infinity)])));
    expect(masked(added)).toMatch(/^attention\(k, v, mask=/);
    const soft = (p: Pen, s: string) => binary("+", value(s), value(p.variable("bias", f32(5, 5))));
    expect(masked(soft)).not.toContain("attention");
    expect(masked((p, s) => call("where", [value(allowed(p)), value(s), float(-1e9)]))).not.toContain("attention");
  });
});

describe("MultiHeadAttention", () => {
  const part = (p: Pen, v: string, from: number, to: number) => {
    const slice: Index = { kind: "slice", from: from === 0 ? null : int(from), to: int(to), step: 1 };
    return p.term({ kind: "index", value: value(v), items: [{ kind: "all" }, { kind: "all" }, slice] });
  };
  const linear = (p: Pen, v: string, label: string, out: number) => p.layer(label, "Linear", [v, int(out)]);
  const turned = (p: Pen, v: string) => p.fn("transpose", [v, int(0), int(1)]);
  /** [T, N, 8] to [N * 2, T, 4], as PyTorch does it. */
  const packed = (p: Pen, v: string, t: number) => turned(p, p.fn("reshape", [v, ints([t, 4, 4])]));
  const attend = (p: Pen, q: string, k: string, v: string) =>
    product(p, p.fn("softmax", [product(p, scaled(p, q, 2, "/"), turnedLast(p, k))], { axis: int(-1) }), v);
  const masked = (p: Pen, q: string, k: string, v: string, ...shape: number[]) => {
    const table = p.variable("mask", tensor("bool", shape), "state");
    const scores = p.term(call("where", [value(table), value(product(p, scaled(p, q, 2, "/"), turnedLast(p, k))), float(-Infinity)]));
    return product(p, p.fn("softmax", [scores]), v);
  };
  const out = (p: Pen, y: string) => {
    const rows = p.fn("reshape", [turned(p, y), ints([10, 8])]);
    return turned(p, p.fn("reshape", [linear(p, rows, "attn.out_proj", 8), ints([5, 2, 8])]));
  };

  test("from projections that are joined, with places in front of the batch", () => {
    const lines = recovered({}, (p) => {
      const all = linear(p, turned(p, "x"), "attn.in_proj", 24);
      const [q, k, v] = [0, 8, 16].map((from) => packed(p, part(p, all, from, from + 8), 5)) as [string, string, string];
      return out(p, attend(p, q, k, v));
    });
    expect(lines).toEqual(["y = x |> attn: MultiHeadAttention(2)"]);
  });
  test("of other keys, and other values", () => {
    const inputs = { x: f32(2, 5, 8), z: f32(2, 3, 8), w: f32(2, 3, 8) };
    const cross = (values: string) => (p: Pen) => {
      const [q, k, v] = [linear(p, turned(p, "x"), "q", 8), linear(p, turned(p, "z"), "k", 8), linear(p, turned(p, values), "v", 8)];
      return out(p, attend(p, packed(p, q!, 5), packed(p, k!, 3), packed(p, v!, 3)));
    };
    expect(recovered({ inputs }, cross("z"))).toEqual(["y = x |> attn: MultiHeadAttention(2, key=z)"]);
    expect(recovered({ inputs }, cross("w"))).toEqual(["y = x |> attn: MultiHeadAttention(2, key=z, value=w)"]);
  });
  test("a mask is one of all heads", () => {
    const own =
      (...shape: number[]) =>
      (p: Pen) => {
        const [q, k, v] = ["q", "k", "v"].map((l) => packed(p, linear(p, turned(p, "x"), l, 8), 5)) as [string, string, string];
        return out(p, masked(p, q, k, v, ...shape));
      };
    const some = (count: number) => ({ mask: Array.from({ length: count }, (_, i) => (i % 5 < 4 ? 1 : 0)) });
    expect(recovered({}, own(1, 1, 5), some(5)).join()).toContain("MultiHeadAttention(2, mask=mask)");
    expect(recovered({}, own(4, 1, 5), some(20)).join()).not.toContain("MultiHeadAttention");
  });
  test("with axes of their own for batch and heads, and parts taken by their place", () => {
    const lines = recovered(
      {},
      (p) => {
        const all = p.fn("reshape", [linear(p, "x", "attn.in_proj", 24), ints([2, 5, 3, 8])]);
        const front = p.fn("permute", [all, ints([2, 0, 1, 3])]);
        const [q, k, v] = [0, 1, 2].map((i) => heads(p, p.term({ kind: "index", value: value(front), items: [int(i)] }))) as [
          string,
          string,
          string,
        ];
        const scores = p.term(
          binary("+", value(scaled(p, product(p, q, turnedLast(p, k)), 0.5)), value(p.variable("mask", f32(5, 5), "state"))),
        );
        const y = product(p, p.fn("softmax", [scores]), v);
        return linear(p, p.fn("flatten", [p.fn("transpose", [y, int(1), int(2)])], { from: int(2) }), "attn.out_proj", 8);
      },
      { mask: causal(0, -Infinity) },
    );
    expect(lines).toEqual(["y = x |> attn: MultiHeadAttention(2, causal=true)"]);
  });
  test("not where projections are used elsewhere, mix heads otherwise, or are called otherwise", () => {
    const own = (label: string, change: (p: Pen, q: string) => string) => (p: Pen) => {
      const [q, k, v] = ["q", "k", "v"].map((l) => linear(p, "x", l, 8)) as [string, string, string];
      const y = product(p, p.fn("softmax", [scaled(p, product(p, change(p, q), turnedLast(p, heads(p, k))), 0.5)]), heads(p, v));
      return linear(p, p.fn("flatten", [p.fn("transpose", [y, int(1), int(2)])], { from: int(2) }), label, 8);
    };
    expect(recovered({}, own("out_proj", heads)).join()).toContain("MultiHeadAttention(2)");
    expect(recovered({}, own("proj", heads)).join()).toContain("attention(");
    const mixed = (p: Pen, q: string) => p.fn("permute", [p.fn("reshape", [q, ints([2, 5, 4, 2])]), ints([0, 3, 1, 2])]);
    expect(recovered({}, own("out_proj", mixed)).join()).not.toContain("MultiHeadAttention");
    const again = (p: Pen) => {
      const q = linear(p, "x", "q", 8);
      const y = own("out_proj", (_, v) => heads(p, v))({ ...p, layer: (label, ...more) => (label === "q" ? q : p.layer(label, ...more)) });
      return p.term(binary("+", value(y), value(q)));
    };
    expect(recovered({}, again).join()).not.toContain("MultiHeadAttention");
  });
});
