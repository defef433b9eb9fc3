/** Recurrent operators against their equations, step by step. */
import { describe, expect, test } from "vitest";
import { expectClose } from "../../passes/numeric.ts";
import { type AttributeValue, at, bodyOf, floats, ints, noise, op, problemsOf, run, type Tensor } from "./support.ts";

const [steps, batch, width, hidden] = [3, 2, 4, 3];
const x = noise([steps, batch, width]);
const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));

/** The tables of an operator: one direction after the other. */
const tables = (gates: number, directions: number) => ({
  W: noise([directions, gates * hidden, width], 2),
  R: noise([directions, gates * hidden, hidden], 3),
  B: noise([directions, 2 * gates * hidden], 4),
});
type Tables = ReturnType<typeof tables>;
interface State {
  readonly h: number[];
  readonly c: number[];
}
type Cell = (gate: (g: number, h: readonly number[]) => readonly [input: number[], state: number[]], s: State) => State;

/** Sequence and last state of one example in one direction. */
function recurred(cell: Cell, { W, R, B }: Tables, d: number, n: number, gates: number, start: State) {
  const times = d === 0 ? [0, 1, 2] : [2, 1, 0];
  const sequence: number[][] = [[], [], []];
  let state = start;
  for (const t of times) {
    const units = [0, 1, 2];
    const gate = (g: number, h: readonly number[]) => {
      const row = (j: number) => g * hidden + j;
      const input = units.map((j) => [0, 1, 2, 3].reduce((s, k) => s + at(W, [d, row(j), k]) * at(x, [t, n, k]), at(B, [d, row(j)])));
      const own = units.map((j) => units.reduce((s, k) => s + at(R, [d, row(j), k]) * h[k]!, at(B, [d, gates * hidden + row(j)])));
      return [input, own] as const;
    };
    state = cell((g, h) => gate(g, h) as [number[], number[]], state);
    sequence[t] = state.h;
  }
  return { sequence, state };
}
const plus = ([a, b]: readonly [number[], number[]]) => a.map((v, i) => v + b[i]!);
/** Gates in the order of ONNX: input, output, forget, cell. */
const lstm: Cell = (gate, { h, c }) => {
  const [i, o, f, g] = [0, 1, 2, 3].map((k) => plus(gate(k, h)));
  const next = c.map((v, j) => sigmoid(f![j]!) * v + sigmoid(i![j]!) * Math.tanh(g![j]!));
  return { h: next.map((v, j) => sigmoid(o![j]!) * Math.tanh(v)), c: next };
};
const gru =
  (after: boolean): Cell =>
  (gate, { h }) => {
    const [z, r] = [plus(gate(0, h)).map(sigmoid), plus(gate(1, h)).map(sigmoid)];
    const [input, state] = after
      ? gate(2, h)
      : gate(
          2,
          h.map((v, j) => r[j]! * v),
        );
    const n = input.map((v, j) => Math.tanh(v + (after ? r[j]! : 1) * state[j]!));
    return { h: h.map((v, j) => (1 - z[j]!) * n[j]! + z[j]! * v), c: [] };
  };
const rnn =
  (f: (v: number) => number): Cell =>
  (gate, { h }) => ({ h: plus(gate(0, h)).map(f), c: [] });

const zeros = { h: [0, 0, 0], c: [0, 0, 0] };
interface Given {
  readonly opType: string;
  readonly gates: number;
  readonly cell: Cell;
  readonly directions: readonly number[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}
const cases: Readonly<Record<string, Given>> = {
  LSTM: { opType: "LSTM", gates: 4, cell: lstm, directions: [0], attributes: {} },
  "LSTM in both directions": { opType: "LSTM", gates: 4, cell: lstm, directions: [0, 1], attributes: { direction: "bidirectional" } },
  "GRU, reset after": { opType: "GRU", gates: 3, cell: gru(true), directions: [0], attributes: { linear_before_reset: 1 } },
  "GRU, reset before": { opType: "GRU", gates: 3, cell: gru(false), directions: [0], attributes: {} },
  "GRU backwards": {
    opType: "GRU",
    gates: 3,
    cell: gru(true),
    directions: [1],
    attributes: { linear_before_reset: 1, direction: "reverse" },
  },
  RNN: { opType: "RNN", gates: 1, cell: rnn(Math.tanh), directions: [0], attributes: {} },
  "RNN of rectifiers": {
    opType: "RNN",
    gates: 1,
    cell: rnn((v) => Math.max(0, v)),
    directions: [0],
    attributes: { activations: ["Relu"] },
  },
};
describe("recurrent operators", () => {
  test.each(Object.entries(cases))("%s", (name, { opType, gates, cell, directions, attributes }) => {
    const own = tables(gates, directions.length);
    const outputs = opType === "LSTM" ? ["y", "h", "c"] : ["y", "h"];
    const node = op(opType, ["x", "W", "R", "B"], outputs, { ...attributes, hidden_size: hidden });
    const found = run({ nodes: [node], inputs: { x }, weights: own, outputs });
    // a single backward direction has the tables of place 0
    const results = directions.map((d, place) => [0, 1].map((n) => recurred(cell, placed(own, place, d), d, n, gates, zeros)));
    expect(found.y!.dims).toEqual([steps, directions.length, batch, hidden]);
    const sequence = [0, 1, 2].flatMap((t) => results.flatMap((r) => r.flatMap((e) => e.sequence[t]!)));
    expectClose(found.y!.data, sequence, 1e-6, `${name}: sequence`);
    expectClose(
      found.h!.data,
      results.flatMap((r) => r.flatMap((e) => e.state.h)),
      1e-6,
      `${name}: h`,
    );
    if (found.c)
      expectClose(
        found.c.data,
        results.flatMap((r) => r.flatMap((e) => e.state.c)),
        1e-6,
        `${name}: c`,
      );
  });
  /** Tables in which direction `d` has what is at `place`. */
  const placed = (t: Tables, place: number, d: number): Tables => {
    const move = (v: Tensor): Tensor => {
      const size = v.data.length / v.dims[0]!;
      const part = v.data.slice(place * size, (place + 1) * size);
      return floats([d + 1, ...v.dims.slice(1)], [...new Array(d * size).fill(0), ...part]);
    };
    return { W: move(t.W), R: move(t.R), B: move(t.B) };
  };

  test("initial states, and no bias", () => {
    const { W, R } = tables(4, 1);
    const [h, c] = [noise([1, batch, hidden], 7), noise([1, batch, hidden], 8)];
    const node = op("LSTM", ["x", "W", "R", "", "", "h", "c"], ["", "y"], { hidden_size: hidden });
    const found = run({ nodes: [node], inputs: { x, h, c }, weights: { W, R } });
    const B = floats([1, 24], new Array(24).fill(0));
    const start = (n: number) => ({ h: h.data.slice(3 * n, 3 * n + 3), c: c.data.slice(3 * n, 3 * n + 3) });
    const expected = [0, 1].flatMap((n) => recurred(lstm, { W, R, B }, 0, n, 4, start(n)).state.h);
    expectClose(found.y!.data, expected, 1e-6, "initial");
  });
  test("what exporters write around a batch-first layer goes away", () => {
    const nodes = [
      op("Transpose", ["s"], ["t"], { perm: [1, 0, 2] }),
      op("GRU", ["t", "W", "R", "B"], ["o"], { hidden_size: hidden, linear_before_reset: 1 }, "/rnn/GRU"),
      op("Squeeze", ["o", "axes"], ["q"]),
      op("Transpose", ["q"], ["y"], { perm: [1, 0, 2] }),
    ];
    const c = { nodes, inputs: { s: noise([batch, steps, width]) }, weights: { ...tables(3, 1), axes: ints([1], [1]) } };
    expect(bodyOf(c)).toEqual(["y = s |> rnn: GRU(3)"]);
  });
  test("what the language lacks is refused", () => {
    const reason = (attributes: Record<string, AttributeValue>, more: readonly string[] = []) => {
      const node = op("LSTM", ["x", "W", "R", "B", ...more], ["y"], { hidden_size: hidden, ...attributes });
      return problemsOf({ nodes: [node], inputs: { x }, weights: { ...tables(4, 1), lengths: ints([2], [3, 2]) } })[0]?.reason;
    };
    expect(reason({ clip: 0.5 })).toContain("clips");
    expect(reason({ activations: ["Relu", "Tanh", "Tanh"] })).toContain("activations");
    expect(reason({}, ["lengths"])).toContain("differ in length");
  });
});
