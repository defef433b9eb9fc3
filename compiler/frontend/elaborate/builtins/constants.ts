/** Functions on constants and lists. */
import { anyArg, type Builtin, type BuiltinCall, builtin, listArg } from "../builtin.ts";
import { bounded, textOf } from "../constants.ts";
import { complain } from "../frame.ts";
import { charge, limits } from "../session.ts";
import { describe, float, int, isNumber, kindName, list, text, type Value } from "../values.ts";

/** Python's range(stop), range(start, stop), range(start, stop, step). */
const range: Builtin = {
  name: "range",
  doc: "The ints from start to before stop, step apart, as a list: range(3) is [0, 1, 2].",
  signature: "range(start = 0, stop, step = 1)",
  initializer: false,
  call: (args, c) => {
    const ints = args.flatMap((a) => (a.value.kind === "int" && a.name === null ? [a.value.value] : []));
    if (ints.length !== args.length || ints.length < 1 || ints.length > 3)
      return wrongRange(
        args.map((a) => a.value),
        c,
      );
    const [start, stop] = ints.length === 1 ? [0, ints[0]!] : [ints[0]!, ints[1]!];
    const step = ints[2] ?? 1;
    if (step === 0) return complain(c.frame, "constant", "the step of a range is not 0", c.span);
    const length = Math.max(0, Math.ceil((stop - start) / step));
    if (length > limits.list) return complain(c.frame, "limit", `this range has more than ${limits.list} items`, c.span);
    return bounded(
      c.frame,
      Array.from({ length }, (_, i) => int(start + i * step)),
      c.span,
    );
  },
};
function wrongRange(values: readonly Value[], c: BuiltinCall): never {
  const tensor = values.find((v) => v.kind === "tensor");
  const wrong = tensor ?? values.find((v) => v.kind !== "int");
  const help =
    wrong?.kind === "float" ? "convert it: int(x), or divide with `//`" : "range(stop), range(start, stop) or range(start, stop, step)";
  return complain(c.frame, tensor ? "constant" : "type", `range expects 1 to 3 ints${wrong ? `, got ${describe(wrong)}` : ""}`, c.span, {
    help,
  });
}

const zip: Builtin = {
  name: "zip",
  doc: "[[a0, b0, ...], [a1, b1, ...], ...] of lists, as long as the shortest.",
  signature: "zip(...lists)",
  initializer: false,
  call: (args, c) => {
    const lists = args.map((a) =>
      a.value.kind === "list" ? a.value.items : complain(c.frame, "type", `zip expects lists, got ${describe(a.value)}`, a.span),
    );
    const length = lists.length ? Math.min(...lists.map((l) => l.length)) : 0;
    charge(c.frame.session.world.budget, length * (lists.length + 1), c.span);
    return bounded(
      c.frame,
      Array.from({ length }, (_, i) => list(lists.map((l) => l[i]!))),
      c.span,
    );
  },
};

function enumerated(xs: readonly Value[], c: BuiltinCall): Value {
  charge(c.frame.session.world.budget, 2 * xs.length, c.span);
  return list(xs.map((x, i) => list([int(i), x])));
}

function toInt(v: Value, c: BuiltinCall): Value {
  if (v.kind === "int") return v;
  if (v.kind === "bool") return int(Number(v.value));
  if (v.kind === "float" && Number.isSafeInteger(Math.trunc(v.value))) return int(Math.trunc(v.value) + 0);
  if (v.kind === "tensor")
    return complain(c.frame, "constant", `int needs a constant, got ${describe(v)}`, c.span, { help: "write cast(x, i32)" });
  return complain(c.frame, "type", `int does not work on ${describe(v)}`, c.span);
}
function toFloat(v: Value, c: BuiltinCall): Value {
  if (isNumber(v)) return float(v.value);
  if (v.kind === "bool") return float(Number(v.value));
  if (v.kind === "tensor")
    return complain(c.frame, "constant", `float needs a constant, got ${describe(v)}`, c.span, { help: "write cast(x, f32)" });
  return complain(c.frame, "type", `float does not work on ${describe(v)}`, c.span);
}
function lengthOf(v: Value, c: BuiltinCall): Value {
  if (v.kind === "list") return int(v.items.length);
  if (v.kind === "string") return int(v.value.length);
  if (v.kind === "tensor") {
    return complain(c.frame, "type", `len needs a list, got ${describe(v)}`, c.span, { help: "the extent of axis 0 is x.shape[0]" });
  }
  return complain(c.frame, "type", `len needs a list, got ${describe(v)}`, c.span);
}

export const constantFunctions: readonly Builtin[] = [
  range,
  zip,
  builtin("enumerate", "[(0, a), (1, b), ...] of the list [a, b, ...]: `for i, x in enumerate(xs)`.", { xs: listArg }, ({ xs }, c) =>
    enumerated(xs, c),
  ),
  builtin("reversed", "The list from its end.", { xs: listArg }, ({ xs }, c) => bounded(c.frame, [...xs].reverse(), c.span)),
  builtin("len", "The number of items of a list, or of characters of a string.", { xs: anyArg }, ({ xs }, c) => lengthOf(xs, c)),
  builtin("int", "A float without its fraction, a bool as 0 or 1. A tensor is converted by `cast`.", { x: anyArg }, ({ x }, c) =>
    toInt(x, c),
  ),
  builtin("float", "An int or bool as a float. A tensor is converted by `cast`.", { x: anyArg }, ({ x }, c) => toFloat(x, c)),
  builtin(
    "str",
    "Any value as text: in labels, and in the messages of `assert`. A tensor gives its type, `f32[1, 784]`.",
    { x: anyArg },
    ({ x }, c) => text(textOf(c.frame, x, c.span)),
  ),
  builtin(
    "kind",
    'What a value is, as a string: "int", "float", "bool", "string", "none", "list", "tensor", "function", "layer", ...',
    { x: anyArg },
    ({ x }) => text(kindName(x)),
  ),
];
