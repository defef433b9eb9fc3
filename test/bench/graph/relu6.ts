/** ReLU6 is exported as the operations it consists of; other exporters write `Clip`, which runtimes fuse. All engines get that. */
import type { OnnxModel, OnnxNode, OnnxTensor } from "../../../compiler/formats/onnx/model.ts";

const scalar = (name: string, value: number): OnnxTensor => ({
  name,
  dtype: "float",
  dims: [],
  data: { kind: "bytes", bytes: new Uint8Array(new Float32Array([value]).buffer) },
});
const [low, high] = [scalar("clip.low", 0), scalar("clip.high", 6)];

/** `Where(6 <= x, 6, Relu(x))` becomes `Clip(x, 0, 6)`. */
export function withClip(model: OnnxModel): OnnxModel {
  const { nodes, initializers, outputs } = model.graph;
  const makers = new Map(nodes.map((n) => [n.outputs[0]!, n]));
  const sixes = new Set(initializers.filter(isSix).map((t) => t.name));
  const clipped = nodes.map((n): OnnxNode => {
    const x = clippedBy(n, makers, sixes);
    return x === null ? n : { ...n, opType: "Clip", inputs: [x, low.name, high.name] };
  });
  if (clipped.every((n, i) => n === nodes[i])) return model;
  const read = new Set([...clipped.flatMap((n) => n.inputs), ...outputs.map((o) => o.name)]);
  const kept = clipped.filter((n) => !["LessOrEqual", "Relu"].includes(n.opType) || n.outputs.some((o) => read.has(o)));
  return { ...model, graph: { ...model.graph, nodes: kept, initializers: [...initializers, low, high] } };
}

function clippedBy(n: OnnxNode, makers: ReadonlyMap<string, OnnxNode>, sixes: ReadonlySet<string>): string | null {
  if (n.opType !== "Where") return null;
  const [test, relu] = [makers.get(n.inputs[0]!), makers.get(n.inputs[2]!)];
  if (test?.opType !== "LessOrEqual" || relu?.opType !== "Relu") return null;
  const isClip = sixes.has(test.inputs[0]!) && sixes.has(n.inputs[1]!) && test.inputs[1] === relu.inputs[0];
  return isClip ? relu.inputs[0]! : null;
}
const isSix = ({ dtype, dims, data }: OnnxTensor): boolean =>
  dtype === "float" && dims.length === 0 && data.kind === "bytes" && new Float32Array(data.bytes.slice().buffer)[0] === 6;
