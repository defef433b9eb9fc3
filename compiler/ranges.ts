/** Which values an integer input may take, from how the graph indexes with it. */
import { type Graph, type Node, topological } from "../ir/graph/graph.ts";
import { isView } from "../ir/graph/view.ts";
import { ops } from "../ir/ops/index.ts";

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Ranges by input name; the narrowest where an input indexes several things. */
export function inputRanges(graphs: readonly Graph[]): ReadonlyMap<string, Range> {
  const ranges = new Map<string, Range>();
  const narrow = (index: Node, extent: number): void => {
    const input = sourceOf(index);
    if (!input) return;
    const name = String(input.attrs.name);
    ranges.set(name, { min: 0, max: Math.min(ranges.get(name)?.max ?? Number.POSITIVE_INFINITY, extent - 1) });
  };
  for (const n of graphs.flatMap(topological)) {
    n.op.positions(n).forEach((extent, i) => {
      if (extent !== null) narrow(n.inputs[i]!, extent);
    });
  }
  return ranges;
}
/** The input that `n` is a view of. */
function sourceOf(n: Node): Node | null {
  if (n.op === ops.input) return n.type.dtype === "i32" ? n : null;
  return isView(n) && n.inputs.length === 1 ? sourceOf(n.inputs[0]!) : null;
}
