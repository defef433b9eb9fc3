/** Builtin functions: parameters with what they accept, and how they are computed. */
import type { Span } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { type DType, dtypes } from "../../../ir/type.ts";
import { type Argument, type Called, matchArguments, missing } from "./arguments.ts";
import { complain, mapAll } from "./frame.ts";
import { bindingOf } from "./names.ts";
import { origin } from "./operators.ts";
import { tensorValue } from "./tensors.ts";
import { describe, describeItem, isNumber, listHelp, type Value } from "./values.ts";

/** A call of a builtin: for errors, for places of random numbers, and for `training`. */
export interface BuiltinCall extends Called {
  readonly place: string;
  readonly training: boolean;
}
/** What an argument may be. */
export interface Parameter<T> {
  /** "an int", "a tensor"; in messages. */
  readonly expects: string;
  /** undefined: not that. */
  readonly decode: (value: Value, c: BuiltinCall, span: Span) => T | undefined;
  /** The value when the argument is left out, and how it is written; null: it must be given. */
  readonly fallback: { readonly value: T; readonly text: string } | null;
}
export interface Builtin {
  readonly name: string;
  /** What it gives, with shapes: the reference lists it. */
  readonly doc: string;
  /** Its parameters with their defaults: `softmax(x, axis = -1)`. */
  readonly signature: string;
  /** Gives an initial value: `he_normal` stands for `he_normal()`. */
  readonly initializer: boolean;
  readonly call: (args: readonly Argument[], c: BuiltinCall) => Value;
}
type Parameters = Readonly<Record<string, Parameter<unknown>>>;
type Decoded<P extends Parameters> = { readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never };

export const callBuiltin = (f: Builtin, args: readonly Argument[], c: BuiltinCall): Value => f.call(args, c);

/** A function that makes any value. */
export function builtin<P extends Parameters>(
  name: string,
  doc: string,
  parameters: P,
  run: (args: Decoded<P>, c: BuiltinCall) => Value,
): Builtin {
  const names = Object.keys(parameters);
  return {
    name,
    doc,
    signature: signatureOf(name, parameters),
    initializer: false,
    call: (args, c) => run(decodeAll(parameters, matchArguments(names, names, args, c), c), c),
  };
}
/** A function that makes a tensor out of operations. */
export function operation<P extends Parameters>(
  name: string,
  doc: string,
  parameters: P,
  run: (args: Decoded<P>, c: BuiltinCall) => Node,
): Builtin {
  const names = Object.keys(parameters);
  return {
    name,
    doc,
    signature: signatureOf(name, parameters),
    initializer: false,
    call: (args, c) => {
      const given = matchArguments(names, names, args, c);
      const decoded = decodeAll(parameters, given, c);
      return tensorValue(
        c.frame,
        c.span,
        () => run(decoded, c),
        () => argumentNotes(args, c),
      );
    },
  };
}

const signatureOf = (name: string, parameters: Parameters): string =>
  `${name}(${Object.entries(parameters)
    .map(([p, { fallback }]) => (fallback ? `${p} = ${fallback.text}` : p))
    .join(", ")})`;

function decodeAll<P extends Parameters>(parameters: P, given: ReadonlyMap<string, Argument>, c: BuiltinCall): Decoded<P> {
  const out: Record<string, unknown> = {};
  mapAll(c.frame, Object.entries(parameters), ([name, p]) => {
    const arg = given.get(name);
    if (arg) out[name] = decode(name, p, arg, c);
    else out[name] = p.fallback ? p.fallback.value : missing(c, name, p.expects);
  });
  return out as Decoded<P>;
}
function decode(name: string, p: Parameter<unknown>, arg: Argument, c: BuiltinCall): unknown {
  const value = p.decode(arg.value, c, arg.span);
  if (value !== undefined) return value;
  const ints = p.expects.includes("list of ints");
  const message = `${c.subject} expects ${p.expects} for \`${name}\`, got ${ints ? describeItem(arg.value, "int") : describe(arg.value)}`;
  if (arg.value.kind === "tensor" && !p.expects.includes("tensor")) {
    return complain(c.frame, "constant", message, arg.span, {
      help: "a constant is needed here: it is known while compiling, a tensor is not",
    });
  }
  if (arg.value.kind === "list" && /tensor(?!s)/.test(p.expects))
    return complain(c.frame, "type", message, arg.span, { help: listHelp(arg.value.items) });
  const halved = ints && arg.value.kind === "list" && arg.value.items.some((x) => x.kind === "float");
  return complain(c.frame, "type", message, arg.span, { help: halved ? "`/` gives a float; write `//`" : null });
}
function argumentNotes(args: readonly Argument[], c: BuiltinCall) {
  const notes = args.flatMap(({ value, expr }) => {
    if (value.kind !== "tensor" || expr?.kind !== "name") return [];
    const binding = bindingOf(c.frame, expr.name);
    return binding?.span ? [{ message: origin(expr.name, value.node, binding.form), span: binding.span }] : [];
  });
  return notes.filter((n, i) => notes.findIndex((m) => m.message === n.message) === i);
}

/* ---- kinds of parameters --------------------------------------------------------------------------------------- */

const parameter = <T>(expects: string, decode: Parameter<T>["decode"]): Parameter<T> => ({ expects, decode, fallback: null });
/** The same, with a value for when it is left out; `text` is how that is written in the language. */
export const optional = <T>(p: Parameter<T>, value: T, text = written(value)): Parameter<T> => ({ ...p, fallback: { value, text } });
/** One number stands for a list of itself, as where there is an argument for each axis. */
function written(value: unknown): string {
  if (Array.isArray(value)) return value.length === 1 ? written(value[0]) : `(${value.map(written).join(", ")})`;
  if (typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3) return value.toExponential();
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
/** `none` is allowed, and the default. */
export const orNone = <T>(p: Parameter<T>): Parameter<T | null> => ({
  expects: `${p.expects} or none`,
  decode: (v, c, span) => (v.kind === "none" ? null : p.decode(v, c, span)),
  fallback: { value: null, text: "none" },
});

export const tensorArg = parameter<Node>("a tensor", (v) => (v.kind === "tensor" ? v.node : undefined));
export const anyArg = parameter<Value>("a value", (v) => v);
/** A tensor or a constant that adapts. */
export const elementArg = parameter<Value>("a tensor or number", (v) =>
  v.kind === "tensor" || isNumber(v) || v.kind === "bool" ? v : undefined,
);
export const intArg = parameter<number>("an int", (v) => (v.kind === "int" ? v.value : undefined));
export const floatArg = parameter<number>("a number", (v) => (isNumber(v) ? v.value : undefined));
/** A finite number for which `holds`. */
export const numberArg = (expects: string, holds: (x: number) => boolean): Parameter<number> =>
  parameter(expects, (v) => (isNumber(v) && Number.isFinite(v.value) && holds(v.value) ? v.value : undefined));
export const boolArg = parameter<boolean>("a bool", (v) => (v.kind === "bool" ? v.value : undefined));
export const stringArg = parameter<string>("a string", (v) => (v.kind === "string" ? v.value : undefined));
export const listArg = parameter<readonly Value[]>("a list", (v) => (v.kind === "list" ? v.items : undefined));
export const tensorsArg = parameter<readonly Node[]>("a list of tensors", (v) => (v.kind === "list" ? tensorsOf(v.items) : undefined));
const tensorsOf = (items: readonly Value[]): readonly Node[] | undefined => {
  const nodes = items.flatMap((x) => (x.kind === "tensor" ? [x.node] : []));
  return nodes.length === items.length && nodes.length > 0 ? nodes : undefined;
};
export const intsOf = (v: Value): readonly number[] | undefined => {
  if (v.kind === "int") return [v.value];
  if (v.kind !== "list") return undefined;
  const ints = v.items.flatMap((x) => (x.kind === "int" ? [x.value] : []));
  return ints.length === v.items.length ? ints : undefined;
};
export const intsArg = parameter<readonly number[]>("an int or a list of ints", intsOf);
export const dtypeArg = parameter<DType>(`a type (${dtypes.join(", ")})`, (v) => (v.kind === "type" ? v.dtype : undefined));
