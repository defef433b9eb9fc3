/**
 * Takes out of graphs what depends on variables alone and is worth keeping: it is computed once, by the entry `prepare`,
 * into `prepared` leaves that the graphs read instead.
 *
 *     graph forward(%x: f32[1,3]) {                    graph prepare() {
 *       @w = param "fc.weight" f32[4,3]                  @w = param "fc.weight" f32[4,3]
 *       %0 = permute(@w) {axes=[1,0]} : f32[3,4]         @p = prepared "fc.weight'permute" f32[3,4]
 *       %1 = matmul(%x, %0) : f32[1,4]                   %0 = permute(@w) {axes=[1,0]} : f32[3,4]
 *       return y = %1                                    return
 *     }                                                  update @p = %0
 *                                                      }
 *                                                      graph forward(%x: f32[1,3]) {
 *                                                        @p = prepared "fc.weight'permute" f32[3,4]
 *                                                        %0 = matmul(%x, @p) : f32[1,4]
 *                                                        return y = %0
 *                                                      }
 *
 * Reshapes, broadcasts and slices stay where they are read (they cost nothing there), what is below them moves; so do
 * constants. Equal values of several graphs become one leaf. Layouts of types go over to the leaves.
 */
import { type Graph, type Node, reachable, rewrite, topological } from "../../ir/graph/graph.ts";
import { isOrdered } from "../../ir/graph/view.ts";
import { ops } from "../../ir/ops/index.ts";
import { sizeOf } from "../../ir/type.ts";
import { hashConsing } from "./cse.ts";
import { type Time, timesOf } from "./prepare-time.ts";

export interface Split {
  /** No inputs and outputs; an update for each `prepared` leaf. */
  readonly prepare: Graph;
  readonly main: Graph;
}
export function splitPrepare(graph: Graph): Split {
  const { prepare, mains } = splitPrepareOf([graph]);
  return { prepare, main: mains[0]! };
}

/** The same for graphs that share one entry `prepare`. */
export function splitPrepareOf(graphs: readonly Graph[]): { readonly prepare: Graph; readonly mains: readonly Graph[] } {
  const canonical = canonicalNodes(graphs);
  const leaves = new Map<Node, Node>();
  const names = new Set<string>();
  const leafOf = (node: Node): Node => {
    const value = canonical.get(node)!;
    const leaf = leaves.get(value) ?? preparedLeaf(value, names);
    leaves.set(value, leaf);
    return leaf;
  };
  const mains = graphs.map((graph) => {
    const moved = worthKeeping(graph);
    return moved.size === 0 ? graph : rewrite(graph, (node, original) => (moved.has(original) ? leafOf(original) : node));
  });
  const updates = [...leaves].map(([value, target]) => ({ target, value }));
  return { prepare: { name: "prepare", inputs: [], outputs: [], updates }, mains };
}

/** For every node of the graphs the one node that stands for all its equals. */
function canonicalNodes(graphs: readonly Graph[]): ReadonlyMap<Node, Node> {
  const share = hashConsing();
  const canonical = new Map<Node, Node>();
  for (const graph of graphs)
    rewrite(graph, (node, original) => {
      const shared = share(node);
      canonical.set(original, shared);
      return shared;
    });
  return canonical;
}

/** The last prepare-time nodes that somebody reads at run time. */
function worthKeeping(graph: Graph): ReadonlySet<Node> {
  const times = timesOf(graph);
  const keep = new Set<Node>();
  const seen = new Set<Node>();
  const visit = (node: Node) => {
    if (times.get(node) !== "prepare" || seen.has(node)) return;
    seen.add(node);
    if (isFree(node)) node.inputs.forEach(visit);
    else keep.add(node);
  };
  for (const o of graph.outputs) visit(o.value);
  for (const u of graph.updates) visit(u.value);
  for (const node of topological(graph)) if (isRead(node, times)) node.inputs.forEach(visit);
  return keep;
}
const isRead = (node: Node, times: ReadonlyMap<Node, Time>) => times.get(node) === "run";

/** Costs nothing where it is read: memory that is there already, or a view that only changes indices. */
const isFree = (node: Node): boolean => node.inputs.length === 0 || (isOrdered(node) && node.type.layout === null);

/** Named after the largest variable behind it and the operation: `conv1.weight'relayout`. */
function preparedLeaf(value: Node, names: Set<string>): Node {
  const variable = reachable([value])
    .filter((n) => "name" in n.op.schema.attrs)
    .reduce((a, b) => (sizeOf(b.type.shape) > sizeOf(a.type.shape) ? b : a));
  const name = unused(`${String(variable.attrs.name)}'${value.op.schema.name}`, names);
  const leaf = ops.prepared({}, { name, dtype: value.type.dtype, shape: value.type.shape });
  return { ...leaf, type: value.type, origin: value.origin };
}
function unused(name: string, names: Set<string>): string {
  let free = name;
  for (let i = 2; names.has(free); i++) free = `${name}'${i}`;
  names.add(free);
  return free;
}
