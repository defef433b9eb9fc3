/** One call tests an operation: shape, text, what it says of itself, value, gradient, gradient of the gradient, and every backend. */
import { describe, expect, test } from "vitest";
import { equalGraphs } from "../../../ir/graph/equal.ts";
import type { Attrs, Graph, Node } from "../../../ir/graph/graph.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { printGraph } from "../../../ir/graph/print.ts";
import { verifyGraph } from "../../../ir/graph/verify.ts";
import type { Op } from "../../../ir/op.ts";
import { ops } from "../../../ir/ops/index.ts";
import { type DType, f32, printType, type Shape, sizeOf, type TensorType, tensor } from "../../../ir/type.ts";
import { disagreement, rms } from "./agree.ts";
import { backends } from "./backends.ts";
import { evaluate, evaluateGraph } from "./evaluate.ts";
import { checkFacts } from "./facts.ts";
import type { Tensor } from "./naive.ts";
import { gradients, withGradients } from "./reverse.ts";

export interface Sample {
  /** Operands in schema order. */
  readonly inputs: readonly TensorType[];
  readonly attrs?: Attrs;
  /** Expected type of the result. */
  readonly shape: Shape;
  readonly dtype?: DType;
  /** Values of an operand, where the usual ones will not do. */
  readonly values?: (operand: number) => readonly number[] | null;
  /** Moves the usual floats, which are distinct and in -2..2 (and 1e-3 away from 0). */
  readonly map?: (x: number) => number;
}
export interface OpChecks {
  readonly samples: readonly Sample[];
  /** The same, written independently. */
  readonly reference: (inputs: readonly Tensor[], attrs: Attrs, type: TensorType) => ArrayLike<number>;
  /** Relative error against the reference; lowering rules round constants to single precision. */
  readonly tolerance?: number;
  /** False where central differences of the gradient mean nothing. */
  readonly second?: boolean;
}

export function checkOp(op: Op, { samples, reference, tolerance = 1e-6, second = true }: OpChecks): void {
  describe(op.schema.name, () => {
    for (const sample of samples) {
      const graph = graphOf(op, sample);
      const node = graph.outputs[0]!.value;
      const attrs = node.attrs;
      const given = valuesOf(sample);
      describe(`${sample.inputs.map(printType).join(" ")} ${JSON.stringify(sample.attrs ?? {})}`, () => {
        test("shape", () => expect(printType(node.type)).toBe(printType(tensor(sample.dtype ?? "f32", sample.shape))));
        test("text", () => checkText(graph));
        test("facts", () => checkFacts(node));
        test("value", () => {
          const inputs = sample.inputs.map((t, i): Tensor => ({ shape: t.shape, data: given[`x${i}`]! }));
          const actual = evaluateGraph(graph, given).outputs.y!;
          expect(disagreement(actual, reference(inputs, attrs, node.type), tolerance)).toBeNull();
        });
        if (isDifferentiable(node)) {
          test("gradient", () => checkGradients(withGradients(node), graph.inputs, given, second));
        }
        for (const backend of backends) {
          test(`on ${backend.name}`, async () => {
            const actual = await backend.run(graph, given);
            expect(disagreement(actual.y!, evaluateGraph(graph, given).outputs.y!, backend.tolerance)).toBeNull();
          });
        }
      });
    }
  });
}

const isDifferentiable = ({ op, type, inputs }: Node): boolean =>
  (op.grad ?? op.decompose) !== null && type.dtype === "f32" && inputs.some((x) => x.type.dtype === "f32");

export function graphOf(op: Op, { inputs, attrs }: Sample): Graph {
  const nodes = inputs.map((t, i) => ops.input({}, { name: `x${i}`, dtype: t.dtype, shape: t.shape }));
  return { name: "test", inputs: nodes, outputs: [{ name: "y", value: op.make(nodes, attrs) }], updates: [] };
}

export function checkText(graph: Graph): void {
  const text = printGraph(graph);
  expect(verifyGraph(graph)).toEqual([]);
  expect(equalGraphs(parseGraph(text), graph)).toBe(true);
  expect(printGraph(parseGraph(text))).toBe(text);
}

/** A generator of numbers in [0, 1). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function valuesOf(sample: Sample): Record<string, number[]> {
  const random = randomFrom(sizeOf(sample.shape));
  const floats = shuffled(
    sample.inputs.reduce((n, t) => n + (t.dtype === "f32" ? sizeOf(t.shape) : 0), 0),
    random,
  );
  const usual = (t: TensorType): number[] => {
    const n = sizeOf(t.shape);
    if (t.dtype === "f32") return floats.splice(0, n).map(sample.map ?? ((x) => x));
    const [low, span] = t.dtype === "bool" ? [0, 2] : t.dtype === "u8" ? [0, 256] : [-4, 9];
    return Array.from({ length: n }, () => low + Math.floor(random() * span));
  };
  return Object.fromEntries(sample.inputs.map((t, i) => [`x${i}`, [...(sample.values?.(i) ?? usual(t))]]));
}
/** `n` evenly spaced numbers in -2..2 without 0, in random order: no kink or tie is near. */
function shuffled(n: number, random: () => number): number[] {
  const list = Array.from({ length: n + (n % 2) }, (_, i) => ((i + 0.5) / (n + (n % 2))) * 4 - 2);
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list.slice(0, n);
}

/* ---- gradients ------------------------------------------------------------------------------------------------- */

/** Half the distance of central differences. */
const step = 1e-5;
/** Most elements of one operand that are moved. */
const most = 12;

/** Sum of y times weights that have no structure. */
function weighed(y: Node, seed: number): Node {
  const random = randomFrom(seed);
  const data = Array.from({ length: sizeOf(y.type.shape) }, () => Math.fround(random() * 2 - 1));
  const weights = ops.dense({}, { data, dtype: "f32", shape: y.type.shape });
  return ops.reduceSum({ x: ops.mul({ a: y, b: weights }) }, { axes: y.type.shape.map((_, a) => a) });
}

/** Gradient rules of everything `y` is made of, against central differences; with `second`, also of those gradients. */
export function checkGradients(y: Node, inputs: readonly Node[], given: Readonly<Record<string, number[]>>, second: boolean): void {
  const xs = inputs.filter((x) => x.type.dtype === "f32");
  const loss = weighed(y, 1);
  const first = gradients(loss, xs);
  checkAgainstDifferences(loss, first, xs, given, 1e-6);
  if (!second) return;
  const again = withGradients(first.map((g, i) => weighed(g, 2 + i)).reduce((a, b) => ops.add({ a, b })));
  checkAgainstDifferences(again, gradients(again, xs), xs, given, 1e-5);
}

function checkAgainstDifferences(
  loss: Node,
  found: readonly Node[],
  xs: readonly Node[],
  given: Readonly<Record<string, number[]>>,
  tolerance: number,
): void {
  const leaf = (values: Readonly<Record<string, number[]>>) => (n: Node) => values[String(n.attrs.name)]!;
  const actual = evaluate(found, leaf(given));
  const g = Math.max(...actual.map(rms));
  xs.forEach((x, i) => {
    const name = String(x.attrs.name);
    const places = somePlaces(sizeOf(x.type.shape));
    const lossAt = (place: number, delta: number): number => {
      const moved = given[name]!.map((v, at) => (at === place ? v + delta : v));
      return evaluate([loss], leaf({ ...given, [name]: moved }))[0]![0]!;
    };
    const expected = places.map((p) => (lossAt(p, step) - lossAt(p, -step)) / (2 * step));
    const problem = disagreement(
      places.map((p) => actual[i]![p]!),
      expected,
      tolerance,
      // Differences cannot see less than the rounding of the loss.
      Math.max(g, 1e-3),
    );
    expect(problem && `${name}: ${problem}`).toBeNull();
  });
}
const somePlaces = (size: number): number[] =>
  size <= most ? Array.from({ length: size }, (_, i) => i) : Array.from({ length: most }, (_, i) => Math.floor((i * size) / most));

/** The message of a complaint about shapes or types. */
export function complaint(f: () => unknown): string {
  try {
    f();
  } catch (e) {
    return e instanceof Error ? e.message : String(e);
  }
  return "no complaint";
}

/** An operand of that type, for complaints. */
export const value = (type: TensorType = f32(2, 3), name = "x"): Node => ops.input({}, { name, dtype: type.dtype, shape: type.shape });
