/**
 * Chooses where elements live: images channels-last with the halo that their convolutions read, weights in panels of eight
 * columns. Copies into another layout become `relayout` nodes; those of weights move to `prepare` when nothing updates them.
 *
 *     %1 = conv2d(%x, @w) {padding=[1,1,1,1]} : f32[1,8,6,6]
 *     %2 = relu(%1) : f32[1,8,6,6]
 *
 * becomes
 *
 *     %1 = relayout(%x) : f32[1,3,6,6]{0 2+1,1 3+1,1 1}
 *     %2 = relayout(@w) : f32[8,3,3,3]{0/8 2 3 1 0%8}
 *     %3 = conv2d(%1, %2) {padding=[1,1,1,1]} : f32[1,8,6,6]{0 2 3 1}
 *     %4 = relu(%3) : f32[1,8,6,6]{0 2 3 1}
 *     %5 = relayout(%4) : f32[1,8,6,6]
 *
 * Operations keep their logical meaning; only addresses change. Outputs and updates stay row-major.
 */
import { type Graph, type Node, topological } from "../../ir/graph/graph.ts";
import { isTransposed, isView, readsRowMajor } from "../../ir/graph/view.ts";
import { type Layout, layout, sameLayout } from "../../ir/layout.ts";
import type { Columns, Schema } from "../../ir/op.ts";
import { ops } from "../../ir/ops/index.ts";
import { panelColumns } from "../../ir/register-tile.ts";
import { type Shape, sameShape } from "../../ir/type.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";
import { timesOf } from "./prepare-time.ts";

export const assignLayouts: GraphPass = { name: "assign-layouts", run };

/** Fewer columns than a vector are not worth packing. */
const narrow = 4;

function run(graph: Graph): Graph {
  const nodes = topological(graph);
  if (!nodes.some((n) => n.op.schema.kind === "contraction")) return graph;
  const images = findImages(nodes);
  const halos = findHalos(nodes);
  const times = timesOf(graph);
  const copies = new Map<Node, Map<string, Node>>();
  /** `node` in memory with this layout; one copy for all who ask. */
  const relayout = (node: Node, to: Layout | null, key: string): Node => {
    if (sameLayout(node.type.layout, to)) return node;
    const known = copies.get(node) ?? new Map<string, Node>();
    copies.set(node, known);
    const made = known.get(key) ?? withLayout({ ...ops.relayout({ x: node }), origin: node.origin }, to);
    known.set(key, made);
    return made;
  };
  const image = (node: Node, original: Node): Node => {
    const text = imageLayout(original.type.shape, halos.get(original));
    return node.type.layout || text === null ? node : relayout(node, layout(text), text);
  };
  const asImage = (original: Node): Layout | null => {
    const text = imageLayout(original.type.shape, halos.get(original));
    return text === null ? null : layout(text);
  };
  const packed = (node: Node, columns: Columns): Node => {
    const text = panelLayout(node.type.shape.length, columns);
    return isReshaped(node) ? inPanels(node, columns, layout(text)) : relayout(node, layout(text), text);
  };
  /** Made in panels at once, out of an operand in panels. */
  const inPanels = (node: Node, columns: Columns, to: Layout): Node => {
    const inputs = node.inputs.map((x) => packed(x, columns));
    return withLayout({ ...node, inputs }, to);
  };

  const product = (node: Node, original: Node): Node => {
    const [a, b] = node.inputs as readonly [Node, Node];
    const b0 = original.inputs[1]!;
    const kept = times.get(b0) === "prepare" || isTransposed(b0);
    const columns = b.type.shape.length === 2 && kept ? columnsToPack(node) : null;
    const weights = columns ? packed(b, columns) : isTransposed(b0) ? stored(b) : b;
    return { ...node, inputs: [readsRowMajor(a) ? a : relayout(a, null, ""), weights] };
  };
  const convolution = (node: Node, original: Node, { operands, result }: Roles): Node => {
    const columns = columnsToPack(node);
    const inputs = node.inputs.map((x, i) => {
      if (operands[i] === "image") return image(x, original.inputs[i]!);
      return columns ? packed(x, columns) : isGrouped(node) ? relayout(x, columnsLast, "columns last") : x;
    });
    if (result === "matrix") return { ...node, inputs };
    return withLayout({ ...node, inputs }, result === "image" ? asImage(original) : isInParts(node) ? columnsLastInParts : columnsLast);
  };
  const assign = (node: Node, original: Node): Node => {
    const roles = rolesOf(node);
    if (roles?.result === "matrix" && roles.operands[0] === "matrix") return product(node, original);
    if (isSumOfParts(node)) return withLayout(node, columnsLast);
    if (roles && isPlane(node.inputs[0]!)) return convolution(node, original, roles);
    return images.has(original) ? withLayout(node, asImage(original)) : node;
  };
  const assigned = rewriteNodes(graph, assign);
  const plain = (n: Node): Node => (n.type.layout ? relayout(n, null, "") : n);
  return {
    ...assigned,
    outputs: assigned.outputs.map((o) => ({ ...o, value: plain(o.value) })),
    updates: assigned.updates.map((u) => ({ ...u, value: plain(u.value) })),
  };
}

/** Columns that are worth packing; a panel must not reach from one group into the next. */
function columnsToPack(node: Node): Columns | null {
  const columns = node.op.columns(node);
  if (!columns) return null;
  const each = node.type.shape[columns.result]! / columns.groups;
  return columns.groups === 1 ? (each >= narrow ? columns : null) : each % panelColumns === 0 ? columns : null;
}
/** Panels of columns, then the window, then what is summed over beside it, then the columns of a panel: the order of reading. */
function panelLayout(rank: number, { operand, isEach }: Columns): string {
  const window = Array.from({ length: rank - 2 }, (_, a) => a + 2);
  const panels = `${operand}/${panelColumns}`;
  return [...(isEach ? [...window, panels] : [panels, ...window]), 1 - operand, `${operand}%${panelColumns}`].join(" ");
}
/** Computed from an operand along the same axes, such as the transform of a kernel. */
const isReshaped = ({ op: { schema } }: Node): boolean => schema.kind === "fold" && schema.sameAxes === true;
/** Kernels of grouped convolutions, and gradients of kernels, have their columns innermost, as lanes read and write them. */
const columnsLast = layout("1 2 3 0");
/** Gradients of kernels in parts, along the first axis, which are added up afterwards. */
const columnsLastInParts = layout("0 2 3 4 1");
const isInParts = (node: Node): boolean => node.type.shape.length === 5;
const isSumOfParts = ({ op, inputs, attrs, type }: Node): boolean =>
  op === ops.reduceSum && type.shape.length === 4 && String(attrs.axes) === "0" && sameLayout(inputs[0]!.type.layout, columnsLastInParts);
const isGrouped = (node: Node): boolean => (node.attrs.groups as number) > 1;

const withLayout = (node: Node, l: Layout | null): Node =>
  sameLayout(node.type.layout, l) ? node : { ...node, type: { ...node.type, layout: l } };
/** A view, copied into memory of its own. */
const stored = (node: Node): Node => (isView(node) ? { ...ops.relayout({ x: node }), origin: node.origin } : node);

/* ---- images ---------------------------------------------------------------------------------------------------- */

/** Images with two spatial axes, and kernels for them; others stay as they are. */
const isPlane = (n: Node): boolean => n.type.shape.length === 4;
type Roles = Extract<Schema, { kind: "contraction" }>;
const rolesOf = ({ op: { schema } }: Node): Roles | null => (schema.kind === "contraction" ? schema : null);

/** Results of convolutions, and what hangs together with them through pools and elementwise work of rank 4. */
function findImages(nodes: readonly Node[]): Set<Node> {
  const images = new Set<Node>();
  const mark = (n: Node): boolean => {
    if (images.has(n) || n.op.schema.kind === "leaf" || !isPlane(n) || isConstantLike(n)) return false;
    images.add(n);
    return true;
  };
  for (const n of nodes) {
    const roles = rolesOf(n);
    if (roles?.result === "image") mark(n);
    roles?.operands.forEach((role, i) => {
      if (role === "image") mark(n.inputs[i]!);
    });
  }
  for (let changed = images.size > 0; changed; ) {
    changed = false;
    for (const n of nodes) {
      const group = connected(n);
      if (group.some((x) => images.has(x))) for (const x of group) changed = mark(x) || changed;
    }
  }
  return images;
}
/** Values that should share a layout because of `n`. */
function connected(n: Node): readonly Node[] {
  if (!isPlane(n)) return [];
  if (n.op.schema.sameAxes) return [n, ...n.inputs];
  if (n.op.schema.kind === "elementwise") return [n, ...n.inputs.filter((x) => sameShape(x.type.shape, n.type.shape))];
  return [];
}
const isConstantLike = (n: Node) => n.op.schema.kind === "creation" && n.inputs.length === 0;

/** Before and after each spatial axis: top, bottom, left, right. */
type Halo = readonly number[];
/** What convolutions read beside each image. */
function findHalos(nodes: readonly Node[]): Map<Node, Halo> {
  const halos = new Map<Node, Halo>();
  for (const n of nodes) {
    const halo = n.op.halo(n);
    if (halo.length === 0) continue;
    const image = n.inputs[0]!;
    const known = halos.get(image);
    halos.set(
      image,
      halo.map((extent, i) => Math.max(extent, known?.[i] ?? 0)),
    );
  }
  return halos;
}

/** Channels last, with a halo; null where that is row-major anyway. */
function imageLayout(shape: Shape, [top = 0, bottom = 0, left = 0, right = 0]: Halo = []): string | null {
  const [, channels, height, width] = shape as [number, number, number, number];
  const halo = top + bottom + left + right > 0;
  if (!halo && (channels === 1 || height * width === 1)) return null;
  const side = (before: number, after: number) => (before || after ? `+${before},${after}` : "");
  return `0 2${side(top, bottom)} 3${side(left, right)} 1`;
}
