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
import { type Layout, layout, sameLayout } from "../../ir/layout.ts";
import { ops } from "../../ir/ops/index.ts";
import { type Shape, sameShape } from "../../ir/type.ts";
import { type GraphPass, rewriteNodes } from "./graph-pass.ts";
import { timesOf } from "./prepare-time.ts";

export const assignLayouts: GraphPass = { name: "assign-layouts", run };

/** Columns of a weight panel: two vectors, as the register tile has. */
const panel = 8;
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
  const packed = (node: Node, text: string): Node => relayout(node, layout(text), text);
  const mustPack = (b: Node): boolean => times.get(b) === "prepare" || isTransposed(b);

  const assign = (node: Node, original: Node): Node => {
    const [x, w] = node.inputs;
    const [x0, w0] = original.inputs;
    switch (node.op) {
      case ops.conv2d: {
        const weights = node.attrs.groups === 1 && node.type.shape[1]! >= narrow ? packed(w!, `0/${panel} 2 3 1 0%${panel}`) : w!;
        return withLayout({ ...node, inputs: [image(x!, x0!), weights] }, asImage(original));
      }
      case ops.conv2dInputGrad: {
        const weights = node.attrs.groups === 1 && node.type.shape[1]! >= narrow ? packed(w!, `1/${panel} 2 3 0 1%${panel}`) : w!;
        return withLayout({ ...node, inputs: [image(x!, x0!), weights] }, asImage(original));
      }
      case ops.conv2dWeightGrad:
        return withLayout({ ...node, inputs: [image(x!, x0!), image(w!, w0!)] }, layout("1 2 3 0"));
      case ops.matmul: {
        const rank = w!.type.shape.length;
        const inPanels = rank === 2 && node.type.shape.at(-1)! >= narrow && mustPack(w0!);
        const b = inPanels ? packed(w!, `1/${panel} 0 1%${panel}`) : isTransposed(w0!) ? stored(w!) : w!;
        return { ...node, inputs: [rowMajorView(x!) ? x! : relayout(x!, null, ""), b] };
      }
      default:
        return images.has(original) ? withLayout(node, asImage(original)) : node;
    }
  };
  const assigned = rewriteNodes(graph, assign);
  const plain = (n: Node): Node => (n.type.layout ? relayout(n, null, "") : n);
  return {
    ...assigned,
    outputs: assigned.outputs.map((o) => ({ ...o, value: plain(o.value) })),
    updates: assigned.updates.map((u) => ({ ...u, value: plain(u.value) })),
  };
}

const withLayout = (node: Node, l: Layout | null): Node =>
  sameLayout(node.type.layout, l) ? node : { ...node, type: { ...node.type, layout: l } };
/** A view, copied into memory of its own. */
const stored = (node: Node): Node => (node.op.schema.kind === "view" ? { ...ops.relayout({ x: node }), origin: node.origin } : node);

/** The last two axes stand the other way round than in memory. */
const isTransposed = (n: Node): boolean => {
  if (n.op === ops.permute) {
    const axes = n.attrs.axes as readonly number[];
    return axes.at(-1) !== axes.length - 1;
  }
  return n.op.schema.kind === "view" && n.op !== ops.relayout && n.inputs.length === 1 && isTransposed(n.inputs[0]!);
};
/** Not a view that jumps about in a channels-last image. */
const rowMajorView = (n: Node): boolean =>
  n.op.schema.kind !== "view" || n.op === ops.relayout || n.inputs.every((x) => x.type.layout === null && rowMajorView(x));

/* ---- images ---------------------------------------------------------------------------------------------------- */

const convolutions: ReadonlySet<Node["op"]> = new Set<Node["op"]>([ops.conv2d, ops.conv2dInputGrad]);
const pools: ReadonlySet<Node["op"]> = new Set<Node["op"]>([
  ops.maxPool2d,
  ops.maxPool2dWinner,
  ops.maxPool2dGrad,
  ops.avgPool2d,
  ops.avgPool2dGrad,
]);
const spatial: ReadonlySet<Node["op"]> = new Set<Node["op"]>([ops.pad, ops.slice, ops.concat]);

/** Results of convolutions, and what hangs together with them through pools and elementwise work of rank 4. */
function findImages(nodes: readonly Node[]): Set<Node> {
  const images = new Set<Node>();
  const mark = (n: Node): boolean => {
    if (images.has(n) || n.op.schema.kind === "leaf" || n.type.shape.length !== 4 || isConstantLike(n)) return false;
    images.add(n);
    return true;
  };
  for (const n of nodes) {
    if (convolutions.has(n.op)) {
      mark(n);
      mark(n.inputs[0]!);
    }
    if (n.op === ops.conv2dWeightGrad) for (const x of n.inputs) mark(x);
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
  if (n.type.shape.length !== 4) return [];
  if (pools.has(n.op) || spatial.has(n.op)) return [n, ...n.inputs];
  if (n.op.schema.kind === "elementwise") return [n, ...n.inputs.filter((x) => sameShape(x.type.shape, n.type.shape))];
  return [];
}
const isConstantLike = (n: Node) => n.op.schema.kind === "creation" && n.inputs.length === 0;

type Halo = readonly [top: number, bottom: number, left: number, right: number];
/** What convolutions read beside each image. */
function findHalos(nodes: readonly Node[]): Map<Node, Halo> {
  const halos = new Map<Node, Halo>();
  const want = (n: Node, halo: Halo) => {
    const now = halos.get(n) ?? [0, 0, 0, 0];
    halos.set(n, [Math.max(now[0], halo[0]), Math.max(now[1], halo[1]), Math.max(now[2], halo[2]), Math.max(now[3], halo[3])]);
  };
  for (const n of nodes) {
    if (n.op === ops.conv2d || n.op === ops.conv2dWeightGrad) want(n.inputs[0]!, n.attrs.padding as unknown as Halo);
    if (n.op === ops.conv2dInputGrad) {
      const halo = inputGradHalo(n);
      if (halo) want(n.inputs[0]!, halo);
    }
  }
  return halos;
}
/** The gradient with respect to the input is a convolution over the result, padded by what the kernel reaches further. */
function inputGradHalo(n: Node): Halo | null {
  const [sh, sw] = n.attrs.stride as readonly number[];
  if (sh !== 1 || sw !== 1) return null;
  const padding = n.attrs.padding as readonly number[];
  const dilation = n.attrs.dilation as readonly number[];
  const window = n.inputs[1]!.type.shape.slice(2);
  const out = n.inputs[0]!.type.shape.slice(2);
  const shape = n.type.shape.slice(2);
  const side = (axis: 0 | 1): [number, number] => {
    const reach = (window[axis]! - 1) * dilation[axis]!;
    const before = Math.max(0, reach - padding[2 * axis]!);
    return [before, Math.max(0, shape[axis]! - 1 + padding[2 * axis]! - (out[axis]! - 1))];
  };
  const [top, bottom] = side(0);
  const [left, right] = side(1);
  return [top, bottom, left, right];
}

/** Channels last, with a halo; null where that is row-major anyway. */
function imageLayout(shape: Shape, [top, bottom, left, right]: Halo = [0, 0, 0, 0]): string | null {
  const [, channels, height, width] = shape as [number, number, number, number];
  const halo = top + bottom + left + right > 0;
  if (!halo && (channels === 1 || height * width === 1)) return null;
  const side = (before: number, after: number) => (before || after ? `+${before},${after}` : "");
  return `0 2${side(top, bottom)} 3${side(left, right)} 1`;
}
