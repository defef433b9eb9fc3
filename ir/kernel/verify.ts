/**
 * What a kernel must satisfy at a stage of lowering.
 * logical: as schedules write it. flat: after `flatten`; one offset per access, no vector or unrolled loops, no register
 * arrays. pointers: after `pointers`; a constant behind a pointer.
 */

import { invariant } from "../diagnostic.ts";
import { haloOf, isRowMajor, paddedExtent } from "../layout.ts";
import { hasBinary, hasUnary } from "./arithmetic.ts";
import {
  type Buffer,
  type Expr,
  elementType,
  type Kernel,
  type Lanes,
  type LoopKind,
  lanesOf,
  type ScalarType,
  type Space,
  type Stmt,
  typeOf,
} from "./kernel.ts";
import { bounds, leastSubgroup, linear, mostSubgroup, type Ranges } from "./linear.ts";
import { reserved } from "./parse.ts";
import { printExpr, printKernel } from "./print.ts";
import { exprsOf, partsOf, visitExprs, visitStmts } from "./rewrite.ts";

export type Stage = "logical" | "flat" | "pointers";

type Meaning =
  /** `isUniform`: the same for all invocations of a workgroup. */
  | { readonly kind: "axis"; readonly isUniform: boolean }
  | { readonly kind: "variable"; readonly type: ScalarType; readonly lanes: Lanes; readonly depth: number }
  | { readonly kind: "pointer"; readonly buffer: string }
  | { readonly kind: "buffer"; readonly buffer: Buffer; readonly lanes: Lanes; readonly depth: number };
/** What holds at a place in the kernel. */
interface Place {
  readonly names: Map<string, Meaning>;
  readonly ranges: Ranges;
  readonly loops: readonly LoopKind[];
  /** Under an `if` or `while`, accesses may be guarded. */
  readonly conditional: boolean;
  /** Under an `if` or `while` on which invocations may disagree. */
  readonly divergent: boolean;
  /** Under an `if` that asks for subgroups. */
  readonly grouped: boolean;
  /** Enclosing outlines. */
  readonly depth: number;
}
interface Check {
  readonly stage: Stage;
  readonly hasUnrolled: boolean;
  readonly declared: Set<string>;
  readonly report: (message: string) => void;
}

/** Violations; empty when the kernel is sound. `wgsl`: also what only WGSL asks for. */
export function verifyKernel(k: Kernel, stage: Stage, options: { readonly wgsl?: boolean } = {}): readonly string[] {
  const found: string[] = [];
  let hasUnrolled = false;
  visitStmts(k.body, (s) => {
    hasUnrolled ||= s.kind === "for" && s.loop === "unrolled";
  });
  const check: Check = { stage, hasUnrolled, declared: new Set(), report: (m) => void found.push(`${k.name}: ${m}`) };
  const names = new Map<string, Meaning>();
  for (const b of k.buffers) {
    declare(b.name, check);
    checkBuffer(b, check);
    names.set(b.name, { kind: "buffer", buffer: b, lanes: 1, depth: 0 });
  }
  checkBody(k.body, { names, ranges: new Map(), loops: [], conditional: false, divergent: false, grouped: false, depth: 0 }, check);
  for (const s of k.body) checkGlobal(s, check);
  if (options.wgsl) checkAxes(k.body, [], check);
  return found;
}
/** Complains, with the kernel, unless it is sound at the stage that its form shows. */
export function requireSound(k: Kernel, options: { readonly wgsl?: boolean } = {}): void {
  let hasPointers = false;
  visitStmts(k.body, (s) => {
    hasPointers ||= s.kind === "pointer";
  });
  const found = verifyKernel(k, hasPointers ? "pointers" : "logical", options);
  invariant(found.length === 0, found.join("\n"), () => printKernel(k));
}
/** Nobody knows how far other iterations of a grid loop are: what one loop writes to global memory, only another one may read. */
function checkGlobal(s: Stmt, c: Check): void {
  const stored = new Set<string>();
  visitStmts([s], (x) => void (x.kind === "store" && x.buffer.space === "global" && stored.add(x.buffer.name)));
  const both = new Set<string>();
  visitExprs([s], (e) => void (e.kind === "load" && stored.has(e.buffer.name) && both.add(e.buffer.name)));
  for (const name of both) c.report(`${name} is of space global, and both written and read in one grid loop`);
}
/** A dispatch and a workgroup have three dimensions each. */
function checkAxes(body: readonly Stmt[], outer: readonly LoopKind[], c: Check): void {
  for (const s of body) {
    const loops = s.kind === "for" ? [...outer, s.loop] : outer;
    for (const kind of ["grid", "thread"] as const) {
      if (s.kind === "for" && s.loop === kind && loops.filter((l) => l === kind).length === 4)
        c.report(`${s.axis}: more than 3 ${kind} axes`);
    }
    if ("body" in s) checkAxes(s.body, loops, c);
  }
}
function declare(name: string, c: Check): void {
  if (!/^[A-Za-z_][\w.]*$/.test(name) || reserved.has(name)) c.report(`\`${name}\` is not a name`);
  if (c.declared.has(name)) c.report(`${name} is declared twice`);
  c.declared.add(name);
}
const mayBeStored: ReadonlySet<Space> = new Set<Space>(["in", "out", "inout"]);
function checkBuffer(b: Buffer, c: Check): void {
  if (b.shape.some((d) => !Number.isInteger(d) || d <= 0)) c.report(`${b.name}: extents must be positive, got [${b.shape}]`);
  if (b.type === "u32" && b.space !== "scratch" && b.space !== "register") c.report(`${b.name}: u32 in space ${b.space}`);
  if (b.stored && !(b.type === "f32" && mayBeStored.has(b.space)))
    c.report(`${b.name}: ${b.type} in space ${b.space} stored as ${b.stored}`);
  if (b.layout.dims.some((d) => d.axis >= b.shape.length)) c.report(`${b.name}: its layout has an axis that its shape lacks`);
  if (c.stage !== "logical" && !(b.shape.length === 1 && isRowMajor(b.layout))) c.report(`${b.name} is not flat`);
}

/* ---- statements ------------------------------------------------------------------------------------------------ */

function checkBody(body: readonly Stmt[], outer: Place, c: Check): void {
  const place: Place = { ...outer, names: new Map(outer.names) };
  for (const s of body) {
    // A loop's own axis is not known yet.
    if (s.kind !== "for") for (const e of exprsOf(s)) checkExpr(e, place, c);
    checkStmt(s, place, c);
  }
}
function checkStmt(s: Stmt, p: Place, c: Check): void {
  switch (s.kind) {
    case "for":
      checkLoop(s, p, c);
      return;
    case "if":
      expectType("if", s.cond, "bool", 1, c);
      checkBody(s.body, conditional(s.cond, p), c);
      return;
    case "var":
      declare(s.name, c);
      if (s.init) expectType(s.name, s.init, s.type, s.lanes, c);
      p.names.set(s.name, { kind: "variable", type: s.type, lanes: s.lanes, depth: p.depth });
      return;
    case "set": {
      const v = p.names.get(s.name);
      if (v?.kind !== "variable") {
        c.report(`${s.name} is set but is no variable`);
        return;
      }
      if (v.depth < p.depth) c.report(`${s.name} is set inside an outline but declared outside`);
      expectType(s.name, s.value, v.type, v.lanes, c);
      return;
    }
    case "array":
      declare(s.buffer.name, c);
      checkBuffer(s.buffer, { ...c, stage: "logical" });
      if (c.stage !== "logical" || s.buffer.space !== "register") c.report(`${s.buffer.name}: register array is left`);
      p.names.set(s.buffer.name, { kind: "buffer", buffer: s.buffer, lanes: s.lanes, depth: p.depth });
      return;
    case "store":
      checkStore(s, p, c);
      return;
    case "pointer":
      checkPointer(s, p, c);
      return;
    case "outline":
      checkBody(s.body, { ...p, depth: p.depth + 1 }, c);
      return;
    case "barrier":
      if (p.divergent) c.report("barrier under an if");
      if (!p.loops.includes("thread")) c.report("barrier outside thread loops");
      return;
    case "exchange":
      checkExchange(s, p, c);
      return;
  }
}
/** Where the condition holds. */
const conditional = (cond: Expr, p: Place): Place => ({
  ...p,
  conditional: true,
  divergent: p.divergent || !isUniform(cond, p),
  grouped: p.grouped || cond.kind === "subgroups",
});
/** Made of what all invocations of a workgroup agree on. */
function isUniform(e: Expr, p: Place): boolean {
  switch (e.kind) {
    case "const":
    case "subgroups":
      return true;
    case "subgroup":
      return e.what !== "lane";
    case "var": {
      const m = p.names.get(e.name);
      return m?.kind === "axis" && m.isUniform;
    }
    case "unary":
    case "binary":
      return partsOf(e).every((x) => isUniform(x, p));
    default:
      return false;
  }
}
function checkExchange(s: Extract<Stmt, { kind: "exchange" }>, p: Place, c: Check): void {
  declare(s.name, c);
  expectType(s.name, s.value, s.type, 1, c);
  expectType(`bit of ${s.name}`, s.bit, "i32", 1, c);
  if (!isUniform(s.bit, p)) c.report(`${s.name}: invocations may disagree on the bit ${printExpr(s.bit)}`);
  if (p.divergent) c.report(`${s.name}: an exchange under an if`);
  if (!p.grouped) c.report(`${s.name}: an exchange where nobody asks for subgroups`);
  if (p.loops.filter((l) => l === "thread").length !== 1) c.report(`${s.name}: an exchange not in one thread loop`);
  p.names.set(s.name, { kind: "variable", type: s.type, lanes: 1, depth: p.depth });
}
/** Which loops may stand around a loop. */
const outerLoops: Record<LoopKind, readonly LoopKind[]> = {
  grid: ["grid"],
  thread: ["grid", "thread"],
  serial: ["grid", "thread", "serial", "unrolled", "vector"],
  unrolled: ["grid", "thread", "serial", "unrolled", "vector"],
  vector: ["grid", "thread", "serial", "unrolled"],
};
function checkLoop(s: Extract<Stmt, { kind: "for" }>, p: Place, c: Check): void {
  declare(s.axis, c);
  if (!Number.isInteger(s.extent) || s.extent <= 0) c.report(`${s.axis}: extent ${s.extent}`);
  if (s.loop === "vector" && s.extent % 4 !== 0) c.report(`${s.axis}: a vector loop of ${s.extent}`);
  const wrong = p.loops.find((l) => !outerLoops[s.loop].includes(l));
  if (wrong) c.report(`${s.axis}: ${s.loop} loop inside a ${wrong} loop`);
  if (c.stage !== "logical" && (s.loop === "vector" || s.loop === "unrolled")) c.report(`${s.axis}: ${s.loop} loop is left`);
  const names = new Map(p.names).set(s.axis, { kind: "axis", isUniform: s.loop !== "thread" });
  const inside = { ...p, names, ranges: new Map(p.ranges).set(s.axis, s.extent), loops: [...p.loops, s.loop] };
  if (s.while) checkWhile(s, s.while, inside, c);
  checkBody(s.body, s.while ? conditional(s.while, inside) : inside, c);
}
function checkWhile({ axis, loop }: Extract<Stmt, { kind: "for" }>, cond: Expr, p: Place, c: Check): void {
  checkExpr(cond, p, c);
  expectType(`while of ${axis}`, cond, "bool", 1, c);
  if (loop !== "serial") c.report(`${axis}: a ${loop} loop with a while`);
}
function checkStore(s: Extract<Stmt, { kind: "store" }>, p: Place, c: Check): void {
  checkAccess(s.buffer, s.base, s.index, p, c);
  if (s.buffer.space === "in") c.report(`${s.buffer.name} is written but of space in`);
  const m = p.names.get(s.buffer.name);
  const isArray = s.buffer.space === "register" && m?.kind === "buffer";
  if (isArray && m.depth < p.depth) c.report(`${s.buffer.name} is set inside an outline but declared outside`);
  expectType(s.buffer.name, s.value, elementType(s.buffer), isArray ? m.lanes : lanesOf(s.value), c);
}
function checkPointer(s: Extract<Stmt, { kind: "pointer" }>, p: Place, c: Check): void {
  if (c.stage !== "pointers") c.report(`${s.name}: a pointer before the pass that makes them`);
  declare(s.name, c);
  expectType(s.name, s.offset, "i32", 1, c);
  const from = p.names.get(s.from ?? s.buffer.name);
  const known = s.from === null ? from?.kind === "buffer" : from?.kind === "pointer" && from.buffer === s.buffer.name;
  if (!known) c.report(`${s.name} starts from ${s.from ?? s.buffer.name}, which is not in scope`);
  p.names.set(s.name, { kind: "pointer", buffer: s.buffer.name });
}
function expectType(what: string, e: Expr, type: ScalarType, lanes: Lanes, c: Check): void {
  const show = (t: ScalarType, l: Lanes) => (l === 4 ? `${t}x4` : t);
  if (typeOf(e) !== type || lanesOf(e) !== lanes)
    c.report(`${what}: ${show(type, lanes)} expected, ${printExpr(e)} is ${show(typeOf(e), lanesOf(e))}`);
}

/* ---- expressions ----------------------------------------------------------------------------------------------- */

function checkExpr(e: Expr, p: Place, c: Check): void {
  for (const x of partsOf(e)) checkExpr(x, p, c);
  const wrong = complaint(e, p);
  if (wrong) c.report(`${printExpr(e)}: ${wrong}`);
  if (e.kind === "load") {
    checkAccess(e.buffer, e.base, e.index, p, c);
    const m = p.names.get(e.buffer.name);
    if (e.buffer.space === "register" && m?.kind === "buffer" && m.lanes !== e.lanes)
      c.report(`${printExpr(e)}: ${e.lanes} lanes of ${m.lanes}`);
  }
}
const sameForm = (a: Expr, b: Expr) => typeOf(a) === typeOf(b) && lanesOf(a) === lanesOf(b);

/** What is wrong with the node itself; null: nothing. */
function complaint(e: Expr, p: Place): string | null {
  switch (e.kind) {
    case "const":
      return constantComplaint(e.type, e.value);
    case "var": {
      const m = p.names.get(e.name);
      if (m?.kind === "axis") return e.type === "i32" && e.lanes === 1 ? null : "an axis is one i32";
      if (m?.kind !== "variable") return "not declared";
      return m.type === e.type && m.lanes === e.lanes ? null : `declared as ${m.type} with ${m.lanes} lanes`;
    }
    case "load":
    case "lanes":
      return null;
    case "subgroups":
      return leastSubgroup <= e.least && e.least <= e.most && e.most <= mostSubgroup ? null : "no sizes of subgroups";
    case "subgroup":
      return p.grouped ? null : "nobody asks for subgroups";
    case "unary":
      return hasUnary(e.op, typeOf(e.a)) ? null : `${e.op} of ${typeOf(e.a)}`;
    case "binary":
      if (!sameForm(e.a, e.b)) return "operands disagree in type or lanes";
      if ((e.op === "shl" || e.op === "shr") && !isShift(e.b)) return "shift by something else than a constant 0..31";
      return hasBinary(e.op, typeOf(e.a)) ? null : `${e.op} of ${typeOf(e.a)}`;
    case "fma":
      return sameForm(e.a, e.b) && sameForm(e.b, e.c) && typeOf(e.a) === "f32" ? null : "operands are not f32 of equal lanes";
    case "select":
      if (typeOf(e.cond) !== "bool") return "condition is not bool";
      if (lanesOf(e.cond) === 4 && lanesOf(e.a) === 1) return "four conditions for one lane";
      return sameForm(e.a, e.b) ? null : "sides disagree in type or lanes";
    case "bitcast":
      return typeOf(e.a) === "bool" ? "bits of bool" : null;
    case "cast":
      return null;
    case "splat":
      return lanesOf(e.a) === 1 ? null : "splat of four lanes";
    case "pack":
      if (e.parts.some((x) => lanesOf(x) !== 1)) return "pack of four lanes";
      return typeOf(e.parts[0]) !== "bool" && e.parts.every((x) => sameForm(x, e.parts[0])) ? null : "parts are not numbers of one type";
    case "lane":
      return lanesOf(e.a) === 4 ? null : "lane of a scalar";
    case "zip":
      if (lanesOf(e.a) !== 4) return "zip of scalars";
      return sameForm(e.a, e.b) ? null : "operands disagree in type or lanes";
    case "reduce":
      if (lanesOf(e.a) !== 4) return "reduce of a scalar";
      return hasBinary(e.op, typeOf(e.a)) ? null : `reduce ${e.op} of ${typeOf(e.a)}`;
  }
}
const isShift = (e: Expr): boolean => {
  const bits = e.kind === "splat" ? e.a : e;
  return bits.kind === "const" && Number.isInteger(bits.value) && bits.value >= 0 && bits.value < 32;
};
function constantComplaint(type: ScalarType, value: number): string | null {
  if (type === "f32") return null;
  const [lo, hi] = type === "bool" ? [0, 1] : type === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  return Number.isInteger(value) && value >= lo && value <= hi ? null : `not a constant of type ${type}`;
}

/* ---- accesses -------------------------------------------------------------------------------------------------- */

function checkAccess(b: Buffer, base: string | null, index: readonly Expr[], p: Place, c: Check): void {
  const known = p.names.get(b.name);
  if (known?.kind !== "buffer") {
    c.report(`${b.name} is not a buffer of the kernel`);
    return;
  }
  if (known.buffer.type !== b.type || known.buffer.stored !== b.stored || known.buffer.shape.join() !== b.shape.join()) {
    c.report(`${b.name} is not the buffer of that name`);
    return;
  }
  if (base !== null) {
    checkBehindPointer(b, base, index, p, c);
    return;
  }
  if (c.stage === "pointers" && b.space !== "workgroup") c.report(`${b.name}: access without a pointer`);
  if (index.length !== b.shape.length) {
    c.report(`${b.name}: ${index.length} indices for ${b.shape.length} axes`);
    return;
  }
  for (const e of index) expectType(`index of ${b.name}`, e, "i32", 1, c);
  index.forEach((e, axis) => void checkIndex(b, e, axis, p, c));
}
function checkBehindPointer(b: Buffer, base: string, index: readonly Expr[], p: Place, c: Check): void {
  const pointer = p.names.get(base);
  if (pointer?.kind !== "pointer" || pointer.buffer !== b.name) c.report(`${base} is not a pointer into ${b.name}`);
  const [e] = index;
  if (index.length !== 1 || e?.kind !== "const") {
    c.report(`${base}: an index behind a pointer is one constant`);
    return;
  }
  if (e.value < 0) c.report(`${base}[${e.value}]: an index behind a pointer is not negative`);
}
/** Reports what certainly happens: all values outside, or an unconditional index made of axes alone that gets outside. */
function checkIndex(b: Buffer, e: Expr, axis: number, p: Place, c: Check): void {
  if (typeOf(e) !== "i32" || lanesOf(e) !== 1) return;
  const l = linear(e, p.ranges);
  if (b.space === "register" && !c.hasUnrolled && l.terms.size > 0) c.report(`${b.name}: register index ${printExpr(e)} is not constant`);
  const [lo, hi] = bounds(l, p.ranges);
  const before = haloOf(b.layout, axis)[0];
  const block = Math.max(1, ...b.layout.dims.filter((d) => d.axis === axis).map((d) => d.div));
  const end = Math.ceil(paddedExtent(b.shape, b.layout, axis) / block) * block - before;
  const isExact = !p.conditional && [...l.terms.values()].every((t) => t.atom.kind === "var" && p.ranges.has(t.atom.name));
  if (isExact ? lo < -before || hi >= end : hi < -before || lo >= end) {
    c.report(`${b.name}: index ${printExpr(e)} of axis ${axis} is in ${lo}..${hi}, outside ${-before}..${end - 1}`);
  }
}
