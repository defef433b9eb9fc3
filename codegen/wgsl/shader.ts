/**
 * Spells one dispatch as a WGSL shader with the entry point `main`. Every binding is `read_write`: a buffer may not be bound
 * for reading and for writing in one dispatch, and all tensors of a region are in one buffer.
 */
import { invariant } from "../../ir/diagnostic.ts";
import { bufferElements } from "../../ir/kernel/address.ts";
import { div, i32, mod, names } from "../../ir/kernel/build.ts";
import type { Buffer, Expr, Kernel, OfSubgroup, ScalarType } from "../../ir/kernel/kernel.ts";
import { simplifyIndex } from "../../ir/kernel/linear.ts";
import { visitStmts } from "../../ir/kernel/rewrite.ts";
import { wordBytes } from "../../ir/limits.ts";
import { effectsOf, isShared } from "../effects.ts";
import { alignUp, elementBytes } from "../target.ts";
import { type Emitter, type Loop, type Place, translator } from "../translate.ts";
import { type Nest, nestOf, type Three } from "./nest.ts";
import { type Prelude, prelude } from "./prelude.ts";
import { type Terms, terms } from "./repeated.ts";
import { constant, spellBinary, spellCast, spellUnary, typeName, vectorOf } from "./spelling.ts";
import { wideBuffers } from "./wide.ts";

export interface Shader {
  readonly code: string;
  readonly workgroups: Three;
  readonly workgroupSize: Three;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** For each binding in order: a buffer of the kernel, and bytes. */
  readonly bindings: readonly { readonly buffer: string; readonly bytes: number }[];
}

type StoredType = "f32" | "f16" | "i32" | "u32";
const words: Record<Buffer["type"], StoredType> = { f32: "f32", i32: "i32", u32: "u32", u8: "u32", bool: "u32" };
/** What storage holds: a bool or u8 takes a word. */
const storedType = ({ type, stored }: Buffer): StoredType => stored ?? words[type];
/** What every implementation has, by the specification's table of limits: of private memory, and apart from it of variables of a function. */
const mostOwnBytes = 8192;

/** What `main` is given, and how the language's i32 comes of it. */
const subgroupInputs: Record<OfSubgroup, { readonly parameter: string; readonly value: string }> = {
  size: { parameter: "@builtin(subgroup_size) subgroup_size: u32", value: "i32(subgroup_size)" },
  bits: { parameter: "@builtin(subgroup_size) subgroup_size: u32", value: "i32(countTrailingZeros(subgroup_size))" },
  lane: { parameter: "@builtin(subgroup_invocation_id) subgroup_lane: u32", value: "i32(subgroup_lane)" },
};

interface Writer {
  readonly kernel: Kernel;
  readonly nest: Nest;
  readonly prelude: Prelude;
  readonly wide: ReadonlySet<string>;
  readonly groupOf: (buffer: string) => string;
  readonly ident: (prefix: "v" | "b", name: string) => string;
  readonly fresh: (base: string) => string;
  readonly ranges: Map<string, number>;
  readonly terms: Terms;
  /** What it needs of its subgroup. */
  readonly subgroup: Set<OfSubgroup | "exchange">;
}

/** `groupOf` names one buffer for all that are the same memory: they share a binding. `mostGroups`: workgroups of a dimension. */
export function printShader(k: Kernel, groupOf: (buffer: string) => string, mostGroups: number): Shader {
  const w = writerOf(k, groupOf, mostGroups);
  const { nest } = w;
  const lines = w.terms.named(translator(k, emitterOf(w))(k.body), () => w.fresh("at"));
  const { declarations, bindings, workgroupBytes } = declare(w);
  const inputs = [...w.subgroup].flatMap((what) => (what === "exchange" ? [] : [{ what, ...subgroupInputs[what] }]));
  const builtins = ["@builtin(workgroup_id) workgroup: vec3<u32>", "@builtin(local_invocation_id) invocation: vec3<u32>"];
  const parameters = [...builtins, ...new Set(inputs.map((i) => i.parameter))].join(", ");
  const hasHalves = k.buffers.some((b) => b.stored === "f16");
  const enabled = [...(hasHalves ? ["enable f16;"] : []), ...(w.subgroup.size > 0 ? ["enable subgroups;"] : [])];
  const head = [`@compute @workgroup_size(${nest.workgroupSize.join(", ")})`, `fn main(${parameters}) {`];
  const begin = [...nest.guard, ...inputs.map(({ what, value }) => `let ${what} = ${value};`)];
  const code = [...enabled, ...declarations, ...w.prelude.lines(), ...head, ...indent([...begin, ...lines]), "}", ""].join("\n");
  return { code, workgroups: nest.workgroups, workgroupSize: nest.workgroupSize, workgroupBytes, bindings };
}
function writerOf(kernel: Kernel, groupOf: Writer["groupOf"], mostGroups: number): Writer {
  const fresh = names();
  const idents = new Map<string, string>();
  // A prefix keeps names apart from the words of the language, and buffers from variables.
  const ident = (prefix: "v" | "b", name: string): string => {
    const key = `${prefix}_${name}`;
    const made = idents.get(key) ?? fresh(key.replaceAll(/[^A-Za-z0-9]/g, "_"));
    idents.set(key, made);
    return made;
  };
  return {
    kernel,
    nest: nestOf(kernel, mostGroups),
    prelude: prelude(),
    wide: wideBuffers(kernel, groupOf),
    groupOf,
    ident,
    fresh,
    ranges: new Map(),
    terms: terms(),
    subgroup: new Set(),
  };
}
const indent = (lines: readonly string[]) => lines.map((l) => `  ${l}`);

/* ---- memory ---------------------------------------------------------------------------------------------------- */

const bufferName = (w: Writer, b: Buffer) => w.ident("b", isShared(b) ? w.groupOf(b.name) : b.name);

function declare(w: Writer) {
  const declarations: string[] = [];
  const bindings = new Map<string, { buffer: string; bytes: number }>();
  const bytesIn = { workgroup: 0, scratch: 0 };
  for (const b of w.kernel.buffers) {
    const { text, bytes } = arrayType(w, b);
    const at = isShared(b) ? w.groupOf(b.name) : b.name;
    if (b.space === "workgroup" || b.space === "scratch") {
      bytesIn[b.space] += bytes;
      declarations.push(`var<${b.space === "scratch" ? "private" : "workgroup"}> ${bufferName(w, b)}: ${text};`);
    } else if (!bindings.has(at)) {
      declarations.push(`@group(0) @binding(${bindings.size}) var<storage, read_write> ${bufferName(w, b)}: ${text};`);
      bindings.set(at, { buffer: b.name, bytes });
    }
  }
  const { name } = w.kernel;
  invariant(bytesIn.scratch <= mostOwnBytes, `${name}: ${bytesIn.scratch} bytes of scratch, an invocation has ${mostOwnBytes}`);
  const own = variableBytes(w.kernel);
  invariant(own <= mostOwnBytes, `${name}: ${own} bytes of variables, a function has ${mostOwnBytes}`);
  return { declarations, bindings: [...bindings.values()], workgroupBytes: bytesIn.workgroup };
}
/** Of all that `main` declares with `var`, wherever it stands. */
function variableBytes({ body }: Kernel): number {
  let bytes = 0;
  visitStmts(body, (s) => {
    if (s.kind === "var") bytes += s.lanes * wordBytes;
    if (s.kind === "for" && s.loop !== "grid" && s.loop !== "thread") bytes += wordBytes;
  });
  return bytes;
}
/** The largest of the buffers that are the same memory. */
function arrayType(w: Writer, b: Buffer): { readonly text: string; readonly bytes: number } {
  const same = isShared(b) ? w.kernel.buffers.filter((x) => isShared(x) && w.groupOf(x.name) === w.groupOf(b.name)) : [b];
  const type = storedType(b);
  invariant(
    same.every((x) => storedType(x) === type),
    `${w.kernel.name}: ${same.map((x) => x.name).join(" and ")} are the same memory with different types`,
  );
  const width = elementBytes(b, "wgsl");
  // Bindings are whole words.
  const elements = alignUp(Math.max(...same.map(bufferElements)), wordBytes / width);
  if (!w.wide.has(b.name)) return { text: `array<${type}, ${elements}>`, bytes: elements * width };
  const vectors = Math.ceil(elements / 4);
  return { text: `array<vec4<${type}>, ${vectors}>`, bytes: vectors * 4 * width };
}

type Element = Extract<Place<string>, { kind: "element" }>;
function elementOf(w: Writer, p: Place<string>): Element {
  invariant(p.kind === "element", `${w.kernel.name}: a pointer to ${p.buffer.name}; kernels for WGSL have none`);
  return p;
}
const simplified = (w: Writer, p: Element, index: Expr) => p.at(simplifyIndex(index, w.ranges));
/** The four lanes that hold an element. */
const vectorAt = (w: Writer, p: Element) => `${bufferName(w, p.buffer)}[${simplified(w, p, div(p.index, i32(4)))}]`;
/** One element, to be read or written. */
const scalarAt = (w: Writer, p: Element, index: Expr = p.index): string =>
  w.wide.has(p.buffer.name)
    ? `${vectorAt(w, { ...p, index })}[${simplified(w, p, mod(index, i32(4)))}]`
    : `${bufferName(w, p.buffer)}[${simplified(w, p, index)}]`;
const fourAt = (w: Writer, p: Element): string[] =>
  [0, 1, 2, 3].map((i) => scalarAt(w, p, { kind: "binary", op: "add", a: p.index, b: i32(i) }));

/** From what is in memory to the value. */
function fromStored(b: Buffer, word: string, lanes: 1 | 4): string {
  if (b.stored) return `${typeName({ type: "f32", lanes })}(${word})`;
  if (b.type === "bool") return `(${word} != ${vectorOf(lanes, "u32", "0u")})`;
  return b.type === "u8" ? `${typeName({ type: "i32", lanes })}(${word})` : word;
}
function toStored(b: Buffer, value: string, lanes: 1 | 4): string {
  if (b.stored) return `${lanes === 4 ? `vec4<${b.stored}>` : b.stored}(${value})`;
  if (b.type === "bool") return `${typeName({ type: "u32", lanes })}(${value})`;
  return b.type === "u8" ? `(${typeName({ type: "u32", lanes })}(${value}) & ${vectorOf(lanes, "u32", "255u")})` : value;
}
function load(w: Writer, p: Element, lanes: 1 | 4): string {
  if (lanes === 1) return fromStored(p.buffer, scalarAt(w, p), 1);
  const words = w.wide.has(p.buffer.name) ? vectorAt(w, p) : `vec4<${storedType(p.buffer)}>(${fourAt(w, p).join(", ")})`;
  return fromStored(p.buffer, words, 4);
}
function store(w: Writer, p: Element, value: string, lanes: 1 | 4): string[] {
  const words = toStored(p.buffer, value, lanes);
  if (lanes === 1) return [`${scalarAt(w, p)} = ${words};`];
  if (w.wide.has(p.buffer.name)) return [`${vectorAt(w, p)} = ${words};`];
  const four = w.fresh("four");
  return [`let ${four} = ${words};`, ...fourAt(w, p).map((to, i) => `${to} = ${four}[${i}];`)];
}

/* ---- statements ------------------------------------------------------------------------------------------------ */

function loop(w: Writer, { axis, extent, kind }: Loop, body: () => string[]): string[] {
  w.ranges.set(axis, extent);
  const name = w.ident("v", axis);
  w.terms.axis(name);
  if (kind === "grid" || kind === "thread") return [`let ${name} = ${w.nest.axes.get(axis)};`, ...body()];
  return [`for (var ${name} = 0i; ${name} < ${extent}i; ${name}++) {`, ...indent(body()), "}"];
}
/** Waits for the workgroup; storage counts too where the kernel reads what it wrote. */
function barrier(w: Writer): string[] {
  const { loaded, stored } = effectsOf(w.kernel.body);
  const isStorage = [...stored].some((b) => isShared(b) && [...loaded].some((x) => w.groupOf(x.name) === w.groupOf(b.name)));
  return isStorage ? ["storageBarrier();", "workgroupBarrier();"] : ["workgroupBarrier();"];
}

const exchanged = (type: ScalarType, value: string, bit: string): string =>
  type === "bool" ? `(${exchanged("u32", `u32(${value})`, bit)} != 0u)` : `subgroupShuffleXor(${value}, 1u << u32(${bit}))`;

function emitterOf(w: Writer): Emitter<string, string> {
  const { prelude: p } = w;
  return {
    constant: (value, of) => constant(value, of, p),
    variable: (v) => w.ident("v", v.name),
    load: (at, lanes) => load(w, elementOf(w, at), lanes),
    lanes: () => "vec4<i32>(0, 1, 2, 3)",
    loadSplat: (at) => vectorOf(4, elementType(at.buffer), load(w, elementOf(w, at), 1)),
    splat: (a, type) => vectorOf(4, type, a),
    pack: (parts, type) => `vec4<${type}>(${parts.join(", ")})`,
    lane: (a, index) => `${a}.${"xyzw"[index]}`,
    zip: (half, a, b, type) => `${p.zip(half, type)}(${a}, ${b})`,
    reduce: (op, a, type) => `${p.reduce(op, type)}(${a})`,
    unary: (op, a, of) => spellUnary(op, a, of, p),
    binary: (op, a, b, of) => w.terms.term(spellBinary(op, a, b, of, p), [a, b]),
    divide: (op, a, b, lanes, rounding) =>
      w.terms.term(rounding === "toZero" ? `(${a} ${op === "div" ? "/" : "%"} ${b})` : `${p.divide(op, lanes)}(${a}, ${b})`, [a, b]),
    fma: (a, b, c) => `fma(${a}, ${b}, ${c})`,
    select: (cond, a, b) => `select(${b}, ${a}, ${cond})`,
    cast: (a, of, to) => spellCast(a, of, to, p),
    bitcast: (a, { lanes }, to) => `bitcast<${typeName({ type: to, lanes })}>(${a})`,
    declare: (v, init) => [`var ${w.ident("v", v.name)}: ${typeName(v)}${init === null ? "" : ` = ${init}`};`],
    assign: (v, value) => [`${w.ident("v", v.name)} = ${value};`],
    store: (at, value, lanes) => store(w, elementOf(w, at), value, lanes),
    pointer: (name) => {
      invariant(false, `${w.kernel.name}: the pointer ${name}; kernels for WGSL have none`);
    },
    loop: (l, body) => loop(w, l, body),
    branch: (cond, body) => [`if (${cond}) {`, ...indent(body()), "}"],
    outline: (_o, body) => ["{", ...indent(body()), "}"],
    barrier: () => barrier(w),
    whilst: (cond) => [`if (!${cond}) { break; }`],
    subgroup: (what) => {
      w.subgroup.add(what);
      return what;
    },
    exchange: (v, value, bit) => {
      w.subgroup.add("exchange");
      return [`let ${w.ident("v", v.name)} = ${exchanged(v.type, value, bit)};`];
    },
  };
}
const elementType = (b: Buffer): ScalarType => (b.type === "u8" ? "i32" : b.type);
