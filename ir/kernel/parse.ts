/** Reads what `print.ts` writes. Types and lanes of names come from their declarations. */
import { fail } from "../diagnostic.ts";
import { layout, rowMajor } from "../layout.ts";
import { i32 } from "./build.ts";
import type { BinaryOp, Buffer, Expr, Kernel, Lanes, LoopKind, ScalarType, Space, Stmt, UnaryOp } from "./kernel.ts";
import { infix } from "./print.ts";

const loopKinds: Record<LoopKind, true> = { serial: true, grid: true, thread: true, unrolled: true, vector: true };
const spaces: Record<Space, true> = { in: true, out: true, inout: true, scratch: true, workgroup: true, global: true, register: true };
const bufferTypes: Record<Buffer["type"], true> = { f32: true, i32: true, u32: true, bool: true, u8: true };
const unaryOps: Record<UnaryOp, true> = {
  neg: true,
  abs: true,
  sign: true,
  sqrt: true,
  exp: true,
  log: true,
  sin: true,
  cos: true,
  tanh: true,
  erf: true,
  floor: true,
  ceil: true,
  round: true,
  not: true,
};
const calledOps = ["min", "max", "pow"] as const satisfies readonly BinaryOp[];
const has = <K extends string>(table: Record<K, unknown>, word: string): word is K => Object.hasOwn(table, word);
const signs = new Map(Object.entries(infix).map(([op, { sign, level }]) => [sign, { op: op as BinaryOp, level }]));

/** Words that begin a statement or are constants: no name in a kernel. */
export const reserved: ReadonlySet<string> = new Set([
  ...Object.keys(loopKinds),
  ..."kernel if var array pointer outline barrier exchange by while true false nan inf".split(" "),
]);

interface Token {
  readonly text: string;
  readonly at: number;
}
const pattern =
  /\s+|#[^\n]*|([A-Za-z_][\w.]*|\d+u\b|\d+(?:\.\d+)?(?:e[-+]?\d+)?|\{\d[0-9 %/+,]*\}|<=|==|!=|<<|>>|[-+*/%<>&|^()[\]{}:,=])/gy;

function tokens(text: string): Token[] {
  const out: Token[] = [];
  pattern.lastIndex = 0;
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const m = pattern.exec(text);
    if (!m) return wrong(text, at, `unexpected \`${text[at]}\``);
    if (m[1] !== undefined) out.push({ text: m[1], at });
  }
  return [...out, { text: "end of text", at: text.length }];
}
function wrong(text: string, offset: number, message: string): never {
  const lines = text.slice(0, offset).split("\n");
  const at = { line: lines.length, column: lines.at(-1)!.length + 1 };
  return fail("syntax", `kernel text: ${message}`, { file: "kernel", start: at, end: { line: at.line, column: at.column + 1 } });
}

/** The next tokens of a text. */
interface Reader {
  readonly peek: (ahead?: number) => string;
  readonly next: () => string;
  readonly take: (text: string) => void;
  readonly accept: (text: string) => boolean;
  /** Complains about the token taken last. */
  readonly fail: (message: string) => never;
}
function reader(text: string): Reader {
  const list = tokens(text);
  let at = 0;
  const stop = (message: string, token = at): never => wrong(text, list[Math.min(token, list.length - 1)]!.at, message);
  const peek = (ahead = 0) => list[Math.min(at + ahead, list.length - 1)]!.text;
  const accept = (t: string) => {
    if (peek() !== t) return false;
    at++;
    return true;
  };
  const take = (t: string) => {
    if (!accept(t)) stop(`expected \`${t}\`, found \`${peek()}\``);
  };
  return {
    peek,
    accept,
    take,
    fail: (message) => stop(message, Math.max(0, at - 1)),
    next: () => list[Math.min(at++, list.length - 1)]!.text,
  };
}

/** What a name stands for. */
type Meaning =
  | { readonly kind: "variable"; readonly type: ScalarType; readonly lanes: Lanes }
  | { readonly kind: "buffer"; readonly buffer: Buffer }
  | { readonly kind: "pointer"; readonly buffer: Buffer };
type Names = Map<string, Meaning>;

export function parseKernel(text: string): Kernel {
  const r = reader(text);
  const names: Names = new Map();
  r.take("kernel");
  const name = r.next();
  const buffers: Buffer[] = [];
  r.take("(");
  while (!r.accept(")")) {
    const space = r.next();
    if (!has(spaces, space)) return r.fail(`\`${space}\` is not a space`);
    const buffer = { ...parseBuffer(r, space).buffer, ...parseStored(r) };
    names.set(buffer.name, { kind: "buffer", buffer });
    buffers.push(buffer);
    if (r.peek() !== ")") r.take(",");
  }
  const body = parseBody(r, names);
  r.take("end of text");
  return { name, buffers, body };
}
/** `x: f32x4[2,3]{1 0}`, behind the space. */
function parseBuffer(r: Reader, space: Space): { buffer: Buffer; lanes: Lanes } {
  const name = r.next();
  r.take(":");
  const [type, lanes] = laneType(r);
  const shape: number[] = [];
  r.take("[");
  while (!r.accept("]")) {
    shape.push(integer(r));
    if (r.peek() !== "]") r.take(",");
  }
  const places = /^\{\d/.test(r.peek()) ? layout(r.next().slice(1, -1)) : rowMajor(shape.length);
  return { buffer: { name, space, type, shape, layout: places }, lanes };
}
function parseStored(r: Reader): Pick<Buffer, "stored"> {
  if (!r.accept("as")) return {};
  const word = r.next();
  return word === "f16" ? { stored: word } : r.fail(`\`${word}\` is not what a buffer is stored as`);
}
function laneType(r: Reader): readonly [Buffer["type"], Lanes] {
  const word = r.next();
  const type = word.endsWith("x4") ? word.slice(0, -2) : word;
  if (!has(bufferTypes, type)) return r.fail(`\`${word}\` is not a type`);
  return [type, word === type ? 1 : 4];
}
function integer(r: Reader): number {
  const word = r.next();
  return /^\d+$/.test(word) ? Number(word) : r.fail(`expected a number, found \`${word}\``);
}

/* ---- statements ------------------------------------------------------------------------------------------------ */

function parseBody(r: Reader, outer: Names): readonly Stmt[] {
  const names: Names = new Map(outer);
  const body: Stmt[] = [];
  r.take("{");
  while (!r.accept("}")) body.push(parseStmt(r, names));
  return body;
}
function parseStmt(r: Reader, names: Names): Stmt {
  const word = r.next();
  if (has(loopKinds, word)) {
    const axis = r.next();
    r.take("in");
    const extent = integer(r);
    const inner: Names = new Map(names).set(axis, { kind: "variable", type: "i32", lanes: 1 });
    const condition = r.accept("while") ? { while: parseExpr(r, inner) } : {};
    return { kind: "for", axis, extent, loop: word, ...condition, body: parseBody(r, inner) };
  }
  switch (word) {
    case "if": {
      const cond = parseExpr(r, names);
      return { kind: "if", cond, body: parseBody(r, names) };
    }
    case "outline": {
      const name = r.next();
      return { kind: "outline", name, body: parseBody(r, names) };
    }
    case "barrier":
      return { kind: "barrier" };
    case "exchange":
      return parseExchange(r, names);
    case "var":
      return parseVar(r, names);
    case "array": {
      const { buffer, lanes } = parseBuffer(r, "register");
      names.set(buffer.name, { kind: "buffer", buffer });
      return { kind: "array", buffer, lanes };
    }
    case "pointer":
      return parsePointer(r, names);
    default:
      return parseAssignment(r, names, word);
  }
}
function parseVar(r: Reader, names: Names): Stmt {
  const name = r.next();
  r.take(":");
  const [type, lanes] = laneType(r);
  if (type === "u8") return r.fail("a variable of type u8");
  const init = r.accept("=") ? parseExpr(r, names) : null;
  names.set(name, { kind: "variable", type, lanes });
  return { kind: "var", name, type, lanes, init };
}
function parseExchange(r: Reader, names: Names): Stmt {
  const name = r.next();
  r.take(":");
  const [type, lanes] = laneType(r);
  if (type === "u8" || lanes !== 1) return r.fail("an exchange is of one number or condition");
  r.take("=");
  const value = parseExpr(r, names);
  r.take("by");
  const bit = parseExpr(r, names);
  names.set(name, { kind: "variable", type, lanes });
  return { kind: "exchange", name, type, value, bit };
}
function parsePointer(r: Reader, names: Names): Stmt {
  const name = r.next();
  r.take("=");
  const source = r.next();
  const meaning = names.get(source);
  if (!meaning || meaning.kind === "variable") return r.fail(`\`${source}\` is neither a buffer nor a pointer`);
  const offset = r.accept("+") ? parseExpr(r, names, 7) : i32(0);
  names.set(name, { kind: "pointer", buffer: meaning.buffer });
  return { kind: "pointer", name, buffer: meaning.buffer, from: meaning.kind === "pointer" ? source : null, offset };
}
function parseAssignment(r: Reader, names: Names, name: string): Stmt {
  if (r.peek() === "[") {
    const { buffer, base, index } = parsePlace(r, names, name);
    r.take("=");
    return { kind: "store", buffer, base, index, value: parseExpr(r, names) };
  }
  r.take("=");
  return { kind: "set", name, value: parseExpr(r, names) };
}
function parsePlace(r: Reader, names: Names, name: string): { buffer: Buffer; base: string | null; index: readonly Expr[] } {
  const meaning = names.get(name);
  if (!meaning || meaning.kind === "variable") return r.fail(`\`${name}\` is neither a buffer nor a pointer`);
  r.take("[");
  const index = parseList(r, names, "]");
  return { buffer: meaning.buffer, base: meaning.kind === "pointer" ? name : null, index };
}
function parseList(r: Reader, names: Names, end: string): Expr[] {
  const list: Expr[] = [];
  while (!r.accept(end)) {
    list.push(parseExpr(r, names));
    if (r.peek() !== end) r.take(",");
  }
  return list;
}

/* ---- expressions ----------------------------------------------------------------------------------------------- */

/** Operators that bind at least as tightly as `level`. */
function parseExpr(r: Reader, names: Names, level = 1): Expr {
  let a = parseLeaf(r, names);
  for (;;) {
    const sign = signs.get(r.peek());
    if (!sign || sign.level < level) return a;
    r.next();
    a = { kind: "binary", op: sign.op, a, b: parseExpr(r, names, sign.level + 1) };
  }
}
function parseLeaf(r: Reader, names: Names): Expr {
  if (r.accept("(")) {
    const e = parseExpr(r, names);
    r.take(")");
    return e;
  }
  const negative = r.accept("-");
  const word = r.next();
  const number = parseConstant(word, negative);
  if (number) return number;
  if (negative) return r.fail("expected a number behind `-`");
  if (r.peek() === "(") return parseCall(r, names, word);
  if (r.peek() === "[") {
    const place = parsePlace(r, names, word);
    const lanes = r.accept(":") ? integer(r) : 1;
    if (lanes !== 1 && lanes !== 4) return r.fail("lanes are 4");
    return { kind: "load", lanes, ...place };
  }
  const meaning = names.get(word);
  if (meaning?.kind !== "variable") return r.fail(`unknown name \`${word}\``);
  return { kind: "var", type: meaning.type, lanes: meaning.lanes, name: word };
}
function parseConstant(word: string, negative: boolean): Expr | null {
  const sign = negative ? -1 : 1;
  if (word === "true" || word === "false") return { kind: "const", type: "bool", value: Number(word === "true") };
  if (word === "nan") return { kind: "const", type: "f32", value: Number.NaN };
  if (word === "inf") return { kind: "const", type: "f32", value: sign * Number.POSITIVE_INFINITY };
  if (/^\d+u$/.test(word)) return { kind: "const", type: "u32", value: Number(word.slice(0, -1)) };
  if (/^\d+$/.test(word)) return { kind: "const", type: "i32", value: sign * Number(word) + 0 };
  return /^\d/.test(word) ? { kind: "const", type: "f32", value: sign * Number(word) } : null;
}
function parseCall(r: Reader, names: Names, word: string): Expr {
  r.take("(");
  const args = parseList(r, names, ")");
  const [a, b, c] = args as [Expr, Expr, Expr];
  const [head, detail] = word.split(".");
  const arity = (n: number) => args.length === n || r.fail(`\`${word}\` takes ${n} arguments`);
  const op = calledOps.find((o) => o === word);
  if (op) return arity(2) && { kind: "binary", op, a, b };
  if (has(unaryOps, word)) return arity(1) && { kind: "unary", op: word, a };
  if (word === "f32" || word === "i32" || word === "u32" || word === "bool") return arity(1) && { kind: "cast", to: word, a };
  if (head === "bits" && (detail === "f32" || detail === "i32" || detail === "u32")) return arity(1) && { kind: "bitcast", to: detail, a };
  if (head === "reduce" && (detail === "add" || detail === "min" || detail === "max")) return arity(1) && { kind: "reduce", op: detail, a };
  if (head === "zip" && (detail === "low" || detail === "high")) return arity(2) && { kind: "zip", half: detail, a, b };
  if (word === "fma") return arity(3) && { kind: "fma", a, b, c };
  if (word === "select") return arity(3) && { kind: "select", cond: a, a: b, b: c };
  if (word === "lanes") return arity(0) && { kind: "lanes" };
  if (word === "subgroups" && arity(2) && a.kind === "const" && b.kind === "const")
    return { kind: "subgroups", least: a.value, most: b.value };
  if (head === "subgroup" && (detail === "size" || detail === "bits" || detail === "lane"))
    return arity(0) && { kind: "subgroup", what: detail };
  if (word === "splat") return arity(1) && { kind: "splat", a };
  if (word === "pack") return arity(4) && { kind: "pack", parts: args as unknown as readonly [Expr, Expr, Expr, Expr] };
  if (word === "lane" && arity(2) && b.kind === "const" && [0, 1, 2, 3].includes(b.value)) {
    return { kind: "lane", index: b.value as 0 | 1 | 2 | 3, a };
  }
  return r.fail(`unknown function \`${word}\``);
}
