/**
 * Kernels as text; `parse.ts` reads it back.
 *
 *     kernel scale(in x: f32[4,8], out y: f32[4,8]{1 0}) {
 *       grid i in 4 {
 *         vector j in 8 {
 *           y[i, j] = x[i, j] * 2.0
 *         }
 *       }
 *     }
 *
 * A buffer that is stored in another type says so: `in w: f32[64,64] as f16`. `exchange b: f32 = a by n` is what the invocation of
 * the subgroup whose lane differs in bit n has as `a`; `subgroups(8, 64)` asks for such sizes. Four lanes print as `:4` behind an
 * access and `x4` behind a type. `f32(e)` is a cast, `bits.f32(e)` a bitcast.
 */
import { isRowMajor, printLayout } from "../layout.ts";
import type { BinaryOp, Buffer, Expr, Kernel, Lanes, ScalarType, Stmt } from "./kernel.ts";

/** Binary operators and how tightly they bind; all group to the left. Other operations are spelled as calls. */
export const infix: Readonly<Partial<Record<BinaryOp, { readonly sign: string; readonly level: number }>>> = {
  or: { sign: "|", level: 1 },
  xor: { sign: "^", level: 2 },
  and: { sign: "&", level: 3 },
  lt: { sign: "<", level: 4 },
  le: { sign: "<=", level: 4 },
  eq: { sign: "==", level: 4 },
  ne: { sign: "!=", level: 4 },
  shl: { sign: "<<", level: 5 },
  shr: { sign: ">>", level: 5 },
  add: { sign: "+", level: 6 },
  sub: { sign: "-", level: 6 },
  mul: { sign: "*", level: 7 },
  div: { sign: "/", level: 7 },
  mod: { sign: "%", level: 7 },
};

function printConstant(type: ScalarType, value: number): string {
  if (type === "bool") return value ? "true" : "false";
  if (type === "u32") return `${value}u`;
  if (type === "i32") return String(value);
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const digits = Object.is(value, -0) ? "-0" : String(value);
  return /[.e]/.test(digits) ? digits : `${digits}.0`;
}
const printLanes = (lanes: Lanes) => (lanes === 4 ? ":4" : "");
const printPlace = (b: Buffer, base: string | null, index: readonly Expr[]) =>
  `${base ?? b.name}[${index.map((e) => printExpr(e)).join(", ")}]`;
const call = (name: string, ...args: readonly (Expr | string)[]) =>
  `${name}(${args.map((a) => (typeof a === "string" ? a : printExpr(a))).join(", ")})`;

/** `level`: how tightly what stands around binds. */
export function printExpr(e: Expr, level = 0): string {
  switch (e.kind) {
    case "const":
      return printConstant(e.type, e.value);
    case "var":
      return e.name;
    case "load":
      return printPlace(e.buffer, e.base, e.index) + printLanes(e.lanes);
    case "unary":
      return call(e.op, e.a);
    case "binary": {
      const op = infix[e.op];
      if (!op) return call(e.op, e.a, e.b);
      const text = `${printExpr(e.a, op.level)} ${op.sign} ${printExpr(e.b, op.level + 1)}`;
      return op.level < level ? `(${text})` : text;
    }
    case "fma":
      return call("fma", e.a, e.b, e.c);
    case "select":
      return call("select", e.cond, e.a, e.b);
    case "cast":
      return call(e.to, e.a);
    case "bitcast":
      return call(`bits.${e.to}`, e.a);
    case "lanes":
      return call("lanes");
    case "splat":
      return call("splat", e.a);
    case "pack":
      return call("pack", ...e.parts);
    case "lane":
      return call("lane", e.a, String(e.index));
    case "zip":
      return call(`zip.${e.half}`, e.a, e.b);
    case "reduce":
      return call(`reduce.${e.op}`, e.a);
    case "subgroups":
      return call("subgroups", String(e.least), String(e.most));
    case "subgroup":
      return call(`subgroup.${e.what}`);
  }
}

const isPlain = (b: Buffer) => isRowMajor(b.layout) && b.layout.dims.length === b.shape.length;
const printShape = (b: Buffer) => `[${b.shape.join(",")}]${isPlain(b) ? "" : `{${printLayout(b.layout)}}`}`;
const printLaneType = (type: string, lanes: Lanes) => (lanes === 4 ? `${type}x4` : type);
const block = (head: string, body: readonly Stmt[]): string[] => [`${head} {`, ...printStmts(body).map((line) => `  ${line}`), "}"];

function printStmt(s: Stmt): string[] {
  switch (s.kind) {
    case "for":
      return block(`${s.loop} ${s.axis} in ${s.extent}${s.while ? ` while ${printExpr(s.while)}` : ""}`, s.body);
    case "if":
      return block(`if ${printExpr(s.cond)}`, s.body);
    case "var":
      return [`var ${s.name}: ${printLaneType(s.type, s.lanes)}${s.init ? ` = ${printExpr(s.init)}` : ""}`];
    case "set":
      return [`${s.name} = ${printExpr(s.value)}`];
    case "array":
      return [`array ${s.buffer.name}: ${printLaneType(s.buffer.type, s.lanes)}${printShape(s.buffer)}`];
    case "store":
      return [`${printPlace(s.buffer, s.base, s.index)} = ${printExpr(s.value)}`];
    case "pointer": {
      const offset = s.offset.kind === "const" && s.offset.value === 0 ? "" : ` + ${printExpr(s.offset, 7)}`;
      return [`pointer ${s.name} = ${s.from ?? s.buffer.name}${offset}`];
    }
    case "outline":
      return block(`outline ${s.name}`, s.body);
    case "barrier":
      return ["barrier"];
    case "exchange":
      return [`exchange ${s.name}: ${s.type} = ${printExpr(s.value)} by ${printExpr(s.bit)}`];
  }
}
export const printStmts = (body: readonly Stmt[]): string[] => body.flatMap(printStmt);

export const printBuffer = (b: Buffer): string => `${b.space} ${b.name}: ${b.type}${printShape(b)}${b.stored ? ` as ${b.stored}` : ""}`;

export const printKernel = (k: Kernel): string => block(`kernel ${k.name}(${k.buffers.map(printBuffer).join(", ")})`, k.body).join("\n");
