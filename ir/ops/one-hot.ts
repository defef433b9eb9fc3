/** 1 where the new last axis equals the id, else 0; an id outside gives zeros. */
import { int, op, shapeError } from "../op.ts";
import { tensor } from "../type.ts";
import { equal } from "./binary.ts";
import { cast } from "./cast.ts";
import { iota } from "./creation.ts";
import { expectDType } from "./expect.ts";
import { reshape } from "./reshape.ts";

/** [...] to f32[..., depth]: 1 where the new last axis equals the id, else 0; an id outside gives zeros. */
export const oneHot = op({ name: "one_hot", inputs: ["ids"], attrs: { depth: int() }, kind: "composite" }).rules({
  infer: ({ ids }, { depth }) => {
    expectDType("one_hot", "ids", ids, ["i32", "u8"]);
    if (!Number.isInteger(depth) || depth < 1) shapeError(`one_hot: depth must be a positive integer, got ${depth}`);
    return tensor("f32", [...ids.shape, depth]);
  },
  positions: (_, { depth }) => ({ ids: depth }),
  decompose: ({ ids }, { depth }) => {
    const wide = cast({ x: ids }, { to: "i32" });
    const column = reshape({ x: wide }, { shape: [...ids.type.shape, 1] });
    return cast({ x: equal({ a: column, b: iota({}, { axis: 0, dtype: "i32", shape: [depth] }) }) }, { to: "f32" });
  },
});
