/** Terms as `.dlm` text on one line, with the parentheses that they need. */
import { precedence } from "../frontend/operators.ts";
import type { BinaryOperator, Bound, Call, Extent, Index, OpenType, Term } from "./sketch.ts";

/** How tightly an expression binds; a sign stands between products and powers. */
const strengthOf = (op: BinaryOperator): number => 2 * precedence[op];
const unaryStrength = strengthOf("*") + 1;
const atom = strengthOf("**") + 2;

/** What values are called, and how calls are written that are pipelines; null: as a call. */
interface Spelling {
  readonly nameOf: (value: string) => string;
  readonly pipeline: (call: Call) => string | null;
}
export function printTerm(
  term: Term,
  nameOf: (value: string) => string = (name) => name,
  pipeline: (call: Call) => string | null = () => null,
): string {
  return print(term, 0, { nameOf, pipeline });
}

/** A call that is written as one, whatever its arguments are. */
export const printCall = (call: Call, nameOf: Spelling["nameOf"], pipeline: Spelling["pipeline"]): string =>
  callText(call, { nameOf, pipeline });
function callText(t: Call, s: Spelling): string {
  const args = [...t.args.map((x) => print(x, 0, s)), ...Object.entries(t.named).map(([name, x]) => `${name}=${print(x, 0, s)}`)];
  return `${t.label === null ? "" : `${t.label}: `}${t.callee}(${args.join(", ")})`;
}

function print(t: Term, least: number, s: Spelling): string {
  const [text, own] = plain(t, s);
  return own < least ? `(${text})` : text;
}
function plain(t: Term, s: Spelling): readonly [string, number] {
  const at = (x: Term, least: number) => print(x, least, s);
  switch (t.kind) {
    case "value":
      return [s.nameOf(t.name), atom];
    case "int":
      return [String(t.value), t.value < 0 ? unaryStrength : atom];
    case "extent":
      return extentText(t);
    case "float":
      return [printFloat(t.value), t.value < 0 ? unaryStrength : atom];
    case "bool":
      return [String(t.value), atom];
    case "string":
      return [quoted(t.value), atom];
    case "none":
      return ["none", atom];
    case "word":
      return [t.text, atom];
    case "list":
      return [`[${t.items.map((x) => at(x, 0)).join(", ")}]`, atom];
    case "call": {
      const flow = s.pipeline(t);
      if (flow !== null) return [flow, 0];
      return [callText(t, s), atom];
    }
    case "unary":
      return [`${t.op}${at(t.value, unaryStrength)}`, unaryStrength];
    case "binary": {
      const own = strengthOf(t.op);
      const comparison = own === strengthOf("==");
      const [left, right] = t.op === "**" ? [own + 1, unaryStrength] : [comparison ? own + 1 : own, own + 1];
      return [`${at(t.left, left)} ${t.op} ${at(t.right, right)}`, own];
    }
    case "index":
      return [`${at(t.value, atom)}[${t.items.map((i) => printIndex(i, s)).join(", ")}]`, atom];
  }
}
function printIndex(i: Index, s: Spelling): string {
  if (i.kind === "all") return ":";
  if (i.kind !== "slice") return print(i, 0, s);
  const bound = (b: Bound) => (b === null ? "" : print(b, 0, s));
  return `${bound(i.from)}:${bound(i.to)}${i.step === 1 ? "" : `:${i.step}`}`;
}

/** `N`, `4 * N * T`, `T - 1`. */
function extentText({ scale, sizes, offset }: Extent): readonly [string, number] {
  const product = [...(scale === 1 ? [] : [scale]), ...sizes].join(" * ");
  if (offset !== 0) return [`${product} ${offset < 0 ? "-" : "+"} ${Math.abs(offset)}`, strengthOf("+")];
  return [product, scale < 0 ? unaryStrength : scale === 1 && sizes.length === 1 ? atom : strengthOf("*")];
}
export const printOpenType = ({ dtype, shape }: OpenType): string =>
  `${dtype}[${shape.map((d) => (typeof d === "object" && d !== null ? extentText(d)[0] : (d ?? "_"))).join(", ")}]`;

/** Reads back as the same float: `0.5`, `1.0`, `1e-5`, `inf`. */
export function printFloat(x: number): string {
  if (!Number.isFinite(x)) return x > 0 ? "inf" : x < 0 ? "-inf" : "(inf - inf)";
  const shortest = x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e6) ? x.toExponential() : String(x);
  if (!/e/.test(shortest)) return /\./.test(shortest) ? shortest : `${shortest}.0`;
  return shortest.replace("e+", "e");
}
const quoted = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\t", "\\t")}"`;
