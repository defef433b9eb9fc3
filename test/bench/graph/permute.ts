import type { Constant } from "./network.ts";

/** Axis `i` of the result is axis `order[i]` of the operand. */
export function permuted({ dims, data }: Constant, order: readonly number[]): Constant {
  const strides = dims.map((_, i) => dims.slice(i + 1).reduce((a, b) => a * b, 1));
  const shape = order.map((axis) => dims[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  const out = data.slice();
  const [extent, step] = [shape.at(-1)!, steps.at(-1)!];
  let at = 0;
  const walk = (axis: number, from: number): void => {
    if (axis < shape.length - 1) for (let i = 0; i < shape[axis]!; i++) walk(axis + 1, from + i * steps[axis]!);
    else for (let i = 0, place = from; i < extent; i++, place += step) out[at++] = data[place]!;
  };
  walk(0, 0);
  return { dims: shape, data: out };
}

/** Rows of the first axis. */
export function sliced({ dims, data }: Constant, from: number, to: number): Constant {
  const row = data.length / dims[0]!;
  return { dims: [to - from, ...dims.slice(1)], data: data.slice(from * row, to * row) };
}
