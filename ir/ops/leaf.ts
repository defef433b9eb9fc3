/** Leaves: what a graph reads from memory, and literal tables. */
import { floats, ints, op, shapeError, string } from "../op.ts";
import { i32, sizeOf, tensor } from "../type.ts";
import { dtypeNamed, expectShape } from "./expect.ts";

const memory = (name: string) =>
  op({ name, inputs: [], attrs: { name: string(), dtype: string(), shape: ints() }, kind: "leaf" }).rules({
    infer: (_, { dtype, shape }) => tensor(dtypeNamed(name, dtype), expectShape(name, shape)),
  });
export const input = memory("input");
export const param = memory("param");
export const state = memory("state");
export const slot = memory("slot");
export const prepared = memory("prepared");

export const counterNames: readonly string[] = ["seed", "micro_step", "updates"];
export const counter = op({ name: "counter", inputs: [], attrs: { name: string() }, kind: "leaf" }).rules({
  infer: (_, { name }) =>
    counterNames.includes(name) ? i32() : shapeError(`there is no counter "${name}"; there are ${counterNames.join(", ")}`),
});

/** A literal table, row-major. */
export const dense = op({ name: "dense", inputs: [], attrs: { data: floats(), dtype: string(), shape: ints() }, kind: "leaf" }).rules({
  infer: (_, { data, dtype, shape }) => {
    const size = sizeOf(expectShape("dense", shape));
    if (data.length !== size) shapeError(`dense expects ${size} numbers for the shape [${shape.join(", ")}], got ${data.length}`);
    return tensor(dtypeNamed("dense", dtype), shape);
  },
});
