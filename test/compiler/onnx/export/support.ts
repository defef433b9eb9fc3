/** Models exported from their text, with initial values that need no random numbers. */

import type { OnnxModel } from "../../../../compiler/formats/onnx/model.ts";
import type { Application } from "../../../../compiler/frontend/elaborate/session.ts";
import { elaborate } from "../../../../compiler/frontend/elaborate.ts";
import { modelOf } from "../../../../compiler/onnx/export/draft.ts";
import { draftOf } from "../../../../compiler/onnx/export/export.ts";
import { differentiate } from "../../../../compiler/passes/differentiate.ts";
import { sizeOf } from "../../../../ir/type.ts";
import { request } from "../../frontend/elaborating.ts";

/** `dataOf`: what a variable holds; halves, unless told. */
export function exported(text: string, dataOf?: (path: string) => Uint8Array): OnnxModel {
  const applications: Application[] = [];
  const module = elaborate({ ...request(text), onApplication: (a) => applications.push(a) });
  const halves = (path: string): Uint8Array => {
    const variable = module.variables.find((v) => v.name === path)!;
    return new Uint8Array(new Float32Array(sizeOf(variable.type.shape)).fill(0.5).buffer);
  };
  const { name, doc, forward } = module;
  return modelOf(draftOf({ name, doc, graph: differentiate.run(forward), applications }), dataOf ?? halves);
}

/** A line for each node: `y = Gemm(x, fc.weight, fc.bias) {transB=1}`. */
export const listing = ({ graph }: OnnxModel): readonly string[] =>
  graph.nodes.map(({ opType, inputs, outputs, attributes }) => {
    const list = attributes.map((a) => `${a.name}=${Array.isArray(a.value) ? `[${a.value}]` : a.value}`);
    return `${outputs.join(", ")} = ${opType}(${inputs.join(", ")})${list.length ? ` {${list.join(" ")}}` : ""}`;
  });
