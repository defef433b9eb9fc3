/** The one-layer models of the ONNX project's test data, where a folder of them is at hand. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { decompile } from "../../../../compiler/decompile/decompile.ts";
import { readOnnx, readTensorFile } from "../../../../compiler/formats/onnx/read.ts";
import { elementsOf } from "../../../../compiler/formats/onnx/tensor.ts";
import { elaborate } from "../../../../compiler/frontend/elaborate.ts";
import { checkProgram } from "../../../../compiler/onnx/import/check.ts";
import { importModel } from "../../../../compiler/onnx/import/import.ts";
import { evaluateGraph } from "../../../ir/ops/evaluate.ts";

const folder = resolve(import.meta.dirname, "../../../../../shared/data/onnx/pytorch-converted");
const cases = existsSync(folder) ? readdirSync(folder).filter((name) => existsSync(join(folder, name, "model.onnx"))) : [];

function numbersIn(path: string): number[] {
  return Array.from(elementsOf(readTensorFile(readFileSync(path), path), path, null) as ArrayLike<number | bigint>, Number);
}

describe.skipIf(cases.length === 0)("models converted from PyTorch (skipped where their folder is absent)", () => {
  test.each(cases)("%s", (name) => {
    const model = readOnnx(readFileSync(join(folder, name, "model.onnx")), `${name}.onnx`);
    const imported = importModel(model, { file: `${name}.onnx`, name: "", dims: {}, external: null });
    if (imported.kind === "problems") throw new Error(imported.problems.map((p) => p.reason).join("; "));
    const program = decompile(imported.imported.sketch);
    checkProgram(program, name);
    const options = { model: null, trainBlock: null, dims: {}, batch: null, set: {}, train: false };
    const { forward } = elaborate({ path: name, text: program.text, resolve: () => null, ...options });
    const data = join(folder, name, "test_data_set_0");
    const given = forward.inputs.map((n, i) => [String(n.attrs.name), numbersIn(join(data, `input_${i}.pb`))] as const);
    const weights = [...program.weights].map(([path, w]) => [path, Array.from(w.data)] as const);
    const { outputs } = evaluateGraph(forward, Object.fromEntries([...given, ...weights]));
    forward.outputs.forEach((o, i) => {
      const [found, expected] = [outputs[o.name]!, numbersIn(join(data, `output_${i}.pb`))];
      expect(found.length).toBe(expected.length);
      const far = expected.findIndex((e, k) => !(Math.abs(found[k]! - e) <= 1e-5 + 1e-3 * Math.abs(e)));
      expect(far, `element ${far}: ${found[far]} instead of ${expected[far]}`).toBe(-1);
    });
  });
});
