/** Leaves: what a graph reads from memory, and literal tables. */
import { floats, ints, type Lasts, op, shapeError, string } from "../op.ts";
import { i32, sizeOf, tensor } from "../type.ts";
import { dtypeNamed, expectShape } from "./expect.ts";

const memory = (name: string, lasts: Lasts) =>
  op({ name, inputs: [], attrs: { name: string(), dtype: string(), shape: ints() }, kind: "leaf", lasts }).rules({
    infer: (_, { dtype, shape }) => tensor(dtypeNamed(name, dtype), expectShape(name, shape)),
  });
/** A tensor of the signature, of any shape: given at every run. */
export const input = memory("input", "run");
/** A parameter, f32 of any shape: trained, read from weights. */
export const param = memory("param", "update");
/** A declared `state`, of any shape: moves in training, read from weights. */
export const state = memory("state", "update");
/** What an optimizer remembers between updates, of any shape. */
export const slot = memory("slot", "update");
/** What `prepare` computes from variables once after they change, of any shape. */
export const prepared = memory("prepared", "update");

export const counterNames: readonly string[] = ["seed", "micro_step", "updates"];
/** A counter of runs, i32[]: `seed`, `micro_step` or `updates`. */
export const counter = op({ name: "counter", inputs: [], attrs: { name: string() }, kind: "leaf", lasts: "run" }).rules({
  infer: (_, { name }) =>
    counterNames.includes(name) ? i32() : shapeError(`there is no counter "${name}"; there are ${counterNames.join(", ")}`),
});

const literal = (name: string, more: { readonly inMemory?: true } = {}) =>
  op({ name, inputs: [], attrs: { data: floats(), dtype: string(), shape: ints() }, kind: "leaf", lasts: "always", ...more }).rules({
    infer: (_, { data, dtype, shape }) => {
      const size = sizeOf(expectShape(name, shape));
      if (data.length !== size) shapeError(`${name} expects ${size} numbers for the shape [${shape.join(", ")}], got ${data.length}`);
      return tensor(dtypeNamed(name, dtype), shape);
    },
  });
/** A literal table of any shape, its numbers in row-major order. */
export const dense = literal("dense");
/** The same, always in memory, where kernels find it by address: what differs by its numbers alone is one kernel. */
export const stored = literal("stored", { inMemory: true });
