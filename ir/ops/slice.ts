/** x[start:limit:step] on every axis. */
import type { Node } from "../graph/graph.ts";
import * as k from "../kernel/build.ts";
import { ints, op, shapeError } from "../op.ts";
import { printType, type Shape, tensor } from "../type.ts";
import { expectInts } from "./expect.ts";
import { pad } from "./pad.ts";
import { reshape } from "./reshape.ts";

/** x[start:limit:step] on every axis; extents are (limit - start) / step, rounded up. */
export const slice = op({
  name: "slice",
  inputs: ["x"],
  attrs: { starts: ints(), limits: ints(), steps: ints() },
  kind: "view",
  access: "ordered",
  sameAxes: true,
}).rules({
  infer: ({ x }, { starts, limits, steps }) => {
    const rank = x.shape.length;
    expectInts("slice", "starts", starts, rank, 0);
    expectInts("slice", "limits", limits, rank, 1);
    expectInts("slice", "steps", steps, rank, 1);
    x.shape.forEach((d, a) => {
      if (limits[a]! <= d && starts[a]! < limits[a]!) return;
      shapeError(`slice: ${starts[a]}:${limits[a]} is empty or outside of axis ${a} of ${printType(x)}`);
    });
    return tensor(
      x.dtype,
      starts.map((s, a) => Math.ceil((limits[a]! - s) / steps[a]!)),
    );
  },
  grad: ({ x }, { starts, steps }, _y, dy) => {
    const spread = dilate(dy, steps);
    const after = x.type.shape.map((d, a) => d - starts[a]! - spread.type.shape[a]!);
    return { x: pad({ x: spread }, { before: starts, after }) };
  },
  lower:
    ({ x }, { starts, steps }) =>
    (...i) =>
      x(...i.map((e, a) => k.at(e, steps[a]!, starts[a]!))),
});

/** step - 1 zeros between neighbours: [n, m] as [n,1,m,1], padded to [n,s,m,t], as [n*s, m*t] without the last zeros. */
function dilate(x: Node, steps: readonly number[]): Node {
  if (steps.every((s) => s === 1)) return x;
  const { shape } = x.type;
  const split = reshape({ x }, { shape: shape.flatMap((d) => [d, 1]) });
  const padded = pad({ x: split }, { before: split.type.shape.map(() => 0), after: steps.flatMap((s) => [0, s - 1]) });
  const joined = reshape({ x: padded }, { shape: shape.map((d, a) => d * steps[a]!) });
  return keepFirst(
    joined,
    shape.map((d, a) => (d - 1) * steps[a]! + 1),
  );
}
const keepFirst = (x: Node, shape: Shape): Node => slice({ x }, { starts: shape.map(() => 0), limits: shape, steps: shape.map(() => 1) });
