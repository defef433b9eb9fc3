/**
 * Exporters store equal parameters once, and give the others as copies of it:
 *
 *     blocks.0.n2.weight = Identity(blocks.0.n1.weight)
 *
 * Parameters that are only equal because nothing was trained yet are initializers of their own again, under their names: those
 * that are one number, or of the same place in other copies of a module. What else is equal may be tied, and stays so.
 */
import type { OnnxGraph, OnnxTensor } from "../../formats/onnx/model.ts";

export function withCopies(graph: OnnxGraph): OnnxGraph {
  const tables = new Map(graph.initializers.map((t) => [t.name, t]));
  const results = new Set(graph.outputs.map((o) => o.name));
  const own: OnnxTensor[] = [];
  const nodes = graph.nodes.filter(({ opType, domain, inputs, outputs }) => {
    const [from, to] = [inputs[0] ?? "", outputs[0] ?? ""];
    const table = opType === "Identity" && domain === "" && !results.has(to) ? tables.get(from) : undefined;
    if (!table || !(isUniform(table) || placeOf(from) === placeOf(to))) return true;
    own.push({ ...table, name: to });
    return false;
  });
  return own.length === 0 ? graph : { ...graph, nodes, initializers: [...graph.initializers, ...own] };
}
/** A name without the numbers that tell copies apart. */
const placeOf = (name: string): string => name.replace(/\d+/g, "#");
function isUniform({ dims, data }: OnnxTensor): boolean {
  const count = dims.reduce((n, d) => n * d, 1);
  if (data.kind !== "bytes" || count === 0) return false;
  const width = data.bytes.length / count;
  return Number.isInteger(width) && data.bytes.every((b, i) => b === data.bytes[i % width]);
}
