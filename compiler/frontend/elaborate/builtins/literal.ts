/** Tensors written out as numbers. */
import { ops } from "../../../../ir/ops/index.ts";
import type { DType } from "../../../../ir/type.ts";
import { anyArg, type Builtin, type BuiltinCall, dtypeArg, operation, orNone } from "../builtin.ts";
import { complain } from "../frame.ts";
import { describe, type Value } from "../values.ts";
import { expectTable } from "./tables.ts";

/** Row-major; `kind` is the widest among the items: a float makes all of them floats. */
interface Table {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly kind: "bool" | "int" | "float";
}

function tableOf(value: Value, c: BuiltinCall): Table {
  switch (value.kind) {
    case "int":
    case "float":
      return { shape: [], data: [value.value], kind: value.kind };
    case "bool":
      return { shape: [], data: [Number(value.value)], kind: "bool" };
    case "list":
      return joined(
        value.items.map((item) => tableOf(item, c)),
        c,
      );
    case "tensor":
      return complain(c.frame, "type", "tensor(...) makes a tensor of constants, and this list holds a tensor", c.span, {
        help: "stack(xs) and concat(xs) join tensors",
      });
    default:
      return complain(c.frame, "type", `tensor expects numbers, or lists of them, got ${describe(value)}`, c.span);
  }
}
function joined(parts: readonly Table[], c: BuiltinCall): Table {
  const [first] = parts;
  if (!first) return complain(c.frame, "shape", "tensor([]) has no elements: extents are positive", c.span);
  const odd = parts.find((p) => p.shape.join() !== first.shape.join());
  if (odd) {
    const text = (p: Table) => (p.shape.length === 0 ? "a number" : `[${p.shape.join(", ")}]`);
    return complain(c.frame, "shape", `the rows of tensor(...) differ: ${text(first)} and ${text(odd)}`, c.span);
  }
  const kinds = new Set(parts.map((p) => p.kind));
  if (kinds.has("bool") && kinds.size > 1) return complain(c.frame, "type", "tensor(...) mixes bools and numbers", c.span);
  return { shape: [parts.length, ...first.shape], data: parts.flatMap((p) => p.data), kind: kinds.has("float") ? "float" : first.kind };
}
const dtypes: Readonly<Record<Table["kind"], DType>> = { bool: "bool", int: "i32", float: "f32" };

export const literal: Builtin = operation(
  "tensor",
  "The numbers of a list, or of lists of equal lengths: f32, or i32 if all are ints, bool if they are bools; `dtype` converts.",
  { values: anyArg, dtype: orNone(dtypeArg) },
  ({ values, dtype }, c) => {
    const { shape, data, kind } = tableOf(values, c);
    expectTable(data.length, c);
    const table = ops.dense({}, { data, dtype: dtypes[kind], shape });
    return dtype === null || dtype === dtypes[kind] ? table : ops.cast({ x: table }, { to: dtype });
  },
);
