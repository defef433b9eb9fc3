/** Single nodes, whose results onnxruntime 1.30 (CPU, without optimisations) gave for these operands: an opinion that is not ours. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { OnnxElementType } from "../../../../compiler/formats/onnx/element-type.ts";
import { type AttributeValue, op, run, type Tensor } from "./support.ts";

/** Numbers that JSON lacks are words. */
interface Recorded {
  readonly dtype?: OnnxElementType;
  readonly dims: readonly number[];
  readonly data: readonly (number | string)[];
}
interface RecordedCase {
  readonly op: string;
  readonly opset: number;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** null: left out. */
  readonly operands: Readonly<Record<string, Recorded | null>>;
  /** Operands that are tables of the file. */
  readonly constants?: readonly string[];
  readonly results: Readonly<Record<string, Recorded>>;
}
const cases = JSON.parse(readFileSync(join(import.meta.dirname, "recorded.json"), "utf8")) as readonly RecordedCase[];

const numbers = (t: Recorded): number[] => t.data.map(Number);
function computed({ op: opType, opset, attributes = {}, operands, results }: RecordedCase, constants: readonly string[]) {
  const given = Object.entries(operands).flatMap(([name, t]) =>
    t ? [[name, { dtype: t.dtype!, dims: t.dims, data: numbers(t) }] as const] : [],
  );
  const pick = (constant: boolean): Record<string, Tensor> =>
    Object.fromEntries(given.filter(([name]) => constants.includes(name) === constant));
  const names = Object.entries(operands).map(([name, t]) => (t ? name : ""));
  const outputs = Object.keys(results);
  return run({ nodes: [op(opType, names, outputs, attributes)], inputs: pick(false), weights: pick(true), outputs, opset });
}
function expectRecorded(c: RecordedCase, constants: readonly string[]): void {
  const found = Object.values(computed(c, constants));
  Object.entries(c.results).forEach(([name, expected], k) => {
    const y = found[k]!;
    expect([name, y.dims]).toEqual([name, expected.dims]);
    numbers(expected).forEach((v, i) => {
      const near = Object.is(v, y.data[i]) || Math.abs(y.data[i]! - v) <= 1e-5 + 1e-4 * Math.abs(v);
      expect(near, `${name}[${i}] is ${y.data[i]}, onnxruntime has ${v}`).toBe(true);
    });
  });
}

const labelled = cases.map((c) => [`${c.op} ${JSON.stringify(c.attributes ?? {})} of version ${c.opset}`, c] as const);
test.each(labelled)("%s", (_, c) => expectRecorded(c, c.constants ?? []));
test.each(labelled)("%s, of constants", (_, c) => expectRecorded(c, Object.keys(c.operands)));
