/**
 * Numbers that differ between the occurrences of a form become parameters of its declaration.
 *
 *     Conv2d(64), Conv2d(64, stride=1), Conv2d(256)        layer Block(x: f32[N, C, H, W], channels: int, stride = 1)
 *     Conv2d(128), Conv2d(128, stride=2), Conv2d(512)      Conv2d(channels), Conv2d(channels, stride=stride), Conv2d(4 * channels)
 *
 * Numbers that always stand in one relation need one parameter, and none where the relation is to the shape of the input.
 */
import type { Declaration } from "./declarations.ts";
import { byKey } from "./forms.ts";
import { printTerm } from "./print-term.ts";
import type { Group, Node } from "./program.ts";
import { binary, type Extent, int, mapTerm, type OpenType, type Term, word } from "./sketch.ts";
import type { Constant } from "./template.ts";

export interface HyperParameter {
  readonly name: string;
  readonly type: "int" | "float" | "list" | null;
  /** null: it must be given. */
  readonly fallback: Term | null;
}
export interface Parameters {
  readonly parameters: readonly HyperParameter[];
  /** The type of the first operand, if it has one pattern everywhere: `f32[N, C, H, W]`. */
  readonly input: string | null;
  /** Of each node of the body, in terms of the parameters. */
  readonly constants: readonly (readonly Constant[])[];
  /** What each occurrence gives for the parameters. */
  readonly args: ReadonlyMap<Group, readonly Constant[]>;
}

/** Inner declarations come first. */
export function parametersByForm(
  declarations: readonly Declaration[],
  types: readonly (OpenType | null)[],
  taken: ReadonlySet<string>,
): ReadonlyMap<number, Parameters> {
  const all = new Map<number, Parameters>();
  for (const d of declarations) all.set(d.form, parametersFor(d, all, types, taken));
  return all;
}
/** What a node is given; for a group, what its declaration takes. */
export function constantsOf(node: Node, all: ReadonlyMap<number, Parameters>): readonly Constant[] {
  return node.kind === "group" ? all.get(node.form)!.args.get(node)! : node.constants;
}

/** A number of the body: what it is at each occurrence. */
interface Varying {
  readonly base: string;
  readonly values: readonly Constant[];
  readonly fallback: Term | null;
  /** An extent of a new shape may be -1: what the others leave. */
  readonly canRemain: boolean;
}
interface Found extends HyperParameter {
  readonly values: readonly Term[];
}
interface Known {
  readonly found: Found[];
  /** Extents of the input by name, as far as they are numbers; the first is the number of channels. */
  readonly extents: readonly (readonly [string, readonly number[]])[];
  /** Those that are open everywhere. */
  readonly open: readonly (readonly [string, readonly Extent[]])[];
}

function parametersFor(
  { occurrences }: Declaration,
  all: ReadonlyMap<number, Parameters>,
  types: readonly (OpenType | null)[],
  taken: ReadonlySet<string>,
): Parameters {
  const input = inputPattern(occurrences, types);
  const known: Known = { found: [], extents: input?.extents ?? [], open: input?.open ?? [] };
  const constants = occurrences[0].nodes.map((node, k) =>
    constantsOf(node, all).map((_, slot): Constant => {
      const values = occurrences.map((o) => constantsOf(o.nodes[k]!, all)[slot]!);
      return expressed({ ...slotOf(node, slot, all), values }, known, taken);
    }),
  );
  const parameters = inOrder(numbered(known.found));
  const names = new Map(parameters.map((p, i) => [known.found.indexOf(p.from), { ...p, at: i }]));
  const rename = (c: Constant): Constant => c && renamed(c, (n) => names.get(n)!.name);
  return {
    parameters: parameters.map(({ name, type, fallback }) => ({ name, type, fallback })),
    input: input?.text ?? null,
    constants: constants.map((list) => list.map(rename)),
    args: new Map(occurrences.map((o, i) => [o, parameters.map(({ from, fallback }) => given(from.values[i]!, fallback))])),
  };
}
const given = (v: Term, fallback: Term | null): Constant => (fallback && same(v, fallback) ? null : v);
const same = (a: Term, b: Term): boolean => printTerm(a) === printTerm(b);

/** Those without default first; numbers behind names that several want. */
function numbered(found: readonly Found[]): readonly (HyperParameter & { readonly from: Found })[] {
  const counts = new Map<string, number>();
  for (const { name } of found) counts.set(name, (counts.get(name) ?? 0) + 1);
  const used = new Map<string, number>();
  return found.map((from) => {
    const { name, type, fallback } = from;
    const n = (used.get(name) ?? 0) + 1;
    used.set(name, n);
    return { name: counts.get(name)! > 1 ? `${name}${n}` : name, type, fallback, from };
  });
}
const inOrder = <T extends HyperParameter>(list: readonly T[]): readonly T[] => [
  ...list.filter((p) => p.fallback === null),
  ...list.filter((p) => p.fallback !== null),
];

/** Parameters stand as `$0`, `$1`, ... until all are known. */
const reference = (n: number): Term => word(`$${n}`);
function renamed(t: Term, nameOf: (n: number) => string): Term {
  if (t.kind === "word") return t.text.startsWith("$") ? word(nameOf(Number(t.text.slice(1)))) : t;
  return mapTerm(t, (x) => renamed(x, nameOf));
}

/** A term for a number: itself, a parameter or extent, a multiple or part of one, or a new parameter. */
function expressed({ base, values, fallback, canRemain }: Varying, known: Known, taken: ReadonlySet<string>): Constant {
  const [first] = values;
  const isOpen = values.some((v) => v?.kind === "extent");
  const own = isOpen ? ofInput(values, known.open) : null;
  if (own) return own;
  if (isOpen && canRemain) return int(-1);
  if (!isOpen && values.every((v) => (v && first ? same(v, first) : v === first))) return first!;
  const terms = values.map((v) => v ?? fallback!);
  const { found, extents } = known;
  const equal = found.findIndex((p) => p.values.every((v, i) => same(v, terms[i]!)));
  if (equal >= 0) return reference(equal);
  const numbers = terms.flatMap((t) => (t.kind === "int" ? [t.value] : []));
  const related = numbers.length === terms.length ? relatedTo(numbers, found, extents) : null;
  if (related) return related;
  const defaults = values.some((v) => v === null || (fallback && same(v, fallback)));
  const name = taken.has(base) ? `${base}_` : base;
  const usual = base === "kernel" ? mostCommon(terms) : null;
  found.push({ name, type: typeOf(terms), fallback: defaults ? fallback : usual, values: terms });
  return reference(found.length - 1);
}
/** null: there is nothing that most of them are. */
function mostCommon(terms: readonly Term[]): Term | null {
  const [most] = [...byKey(terms, (t) => printTerm(t)).values()].sort((a, b) => b.length - a.length);
  return most && 2 * most.length > terms.length ? most[0]! : null;
}
function typeOf(terms: readonly Term[]): HyperParameter["type"] {
  if (terms.every((t) => t.kind === "int" || t.kind === "extent")) return "int";
  const [{ kind }] = terms as [Term];
  return (kind === "int" || kind === "float" || kind === "list") && terms.every((t) => t.kind === kind) ? kind : null;
}
/** An open extent of the input or a multiple of it; null: it is none. */
function ofInput(values: readonly Constant[], open: Known["open"]): Term | null {
  for (const [name, extents] of open) {
    const scales = values.map((v, i) => (v?.kind === "extent" ? v.scale / extents[i]!.scale : 0));
    const [scale] = scales as [number];
    const fits = (v: Constant, i: number): boolean => {
      const e = extents[i]!;
      return v?.kind === "extent" && same(v, { ...e, scale: e.scale * scale, offset: e.offset * scale });
    };
    if (Number.isInteger(scale) && values.every(fits)) return scale === 1 ? word(name) : binary("*", int(scale), word(name));
  }
  return null;
}
const largestFactor = 16;
function relatedTo(numbers: readonly number[], found: readonly Found[], extents: Known["extents"]): Term | null {
  const exact = extents.find(([, v]) => v.every((n, i) => n === numbers[i]));
  if (exact) return word(exact[0]);
  const parameters = found.flatMap((p, i): readonly (readonly [Term, readonly number[]])[] =>
    p.values.every((t) => t.kind === "int") ? [[reference(i), p.values.map((t) => t.value)]] : [],
  );
  const channels = extents.slice(0, 1).map(([name, v]) => [word(name), v] as const);
  for (const [term, v] of [...parameters, ...channels]) {
    const factor = numbers[0]! / v[0]!;
    if (isFactor(factor) && v.every((n, i) => n * factor === numbers[i])) return binary("*", int(factor), term);
    const part = v[0]! / numbers[0]!;
    if (isFactor(part) && v.every((n, i) => n === numbers[i]! * part)) return binary("//", term, int(part));
    if (v.every((n, i) => Math.floor(n / 2) === numbers[i])) return binary("//", term, int(2));
  }
  return null;
}
const isFactor = (n: number): boolean => Number.isInteger(n) && n > 1 && n <= largestFactor;

/** Names of extents, and the order in which numbers are looked for among them: channels first, never the batch. */
interface Pattern {
  readonly names: readonly string[];
  readonly order: readonly number[];
}
const images: readonly Pattern[] = [
  { names: ["N", "D"], order: [1] },
  { names: ["N", "C", "L"], order: [1, 2] },
  { names: ["N", "C", "H", "W"], order: [1, 2, 3] },
  { names: ["N", "C", "D", "H", "W"], order: [1, 2, 3, 4] },
];
const sequences: readonly Pattern[] = [
  { names: ["N", "D"], order: [1] },
  { names: ["N", "T", "D"], order: [2, 1] },
  { names: ["N", "H", "W", "C"], order: [3, 1, 2] },
];
/** Some layer takes its channels from the second axis. */
function isImage(nodes: readonly Node[]): boolean {
  return nodes.some((n) =>
    n.kind === "group" ? isImage(n.nodes) : n.kind === "leaf" && /^Conv|^(Batch|Group|Instance)Norm$|pool/.test(n.template.callee),
  );
}
function inputPattern(
  occurrences: readonly Group[],
  types: readonly (OpenType | null)[],
): ({ readonly text: string } & Pick<Known, "extents" | "open">) | null {
  const inputs = occurrences.map((o) => (o.operands.length > 0 ? (types[o.operands[0]!] ?? null) : null));
  const [first] = inputs;
  if (!first || inputs.some((t) => t?.dtype !== first.dtype || t.shape.length !== first.shape.length)) return null;
  const pattern = (isImage(occurrences[0]!.nodes) ? images : sequences).find((p) => p.names.length === first.shape.length);
  if (!pattern) return null;
  const along = (axis: number) => inputs.map((t) => t!.shape[axis]!);
  const isNumber = (d: number | Extent | null): d is number => typeof d === "number";
  const isOpen = (d: number | Extent | null): d is Extent => d !== null && !isNumber(d);
  const named = (axis: number): string => pattern.names[axis]!;
  return {
    text: `${first.dtype}[${pattern.names.join(", ")}]`,
    extents: pattern.order.flatMap((axis) => {
      const sizes = along(axis);
      return sizes.every(isNumber) ? [[named(axis), sizes] as const] : [];
    }),
    open: [...pattern.names.keys()].flatMap((axis) => {
      const sizes = along(axis);
      return sizes.every(isOpen) ? [[named(axis), sizes] as const] : [];
    }),
  };
}

/** Names that say more than the parameter of the callee does. */
function slotOf(node: Node, slot: number, all: ReadonlyMap<number, Parameters>): Omit<Varying, "values"> {
  if (node.kind === "variable") return { base: "size", fallback: null, canRemain: false };
  if (node.kind === "group") {
    const { name, fallback } = all.get(node.form)!.parameters[slot]!;
    return { base: name.replace(/\d+$/, ""), fallback, canRemain: false };
  }
  const { parameter, callee, fallback } = node.template.slots[slot]!;
  const canRemain = callee === "reshape" && node.constants.filter((c) => c?.kind === "extent").length === 1;
  return { base: baseName(parameter, callee), fallback, canRemain };
}
function baseName(parameter: string, callee: string): string {
  if (parameter === "out") return callee.startsWith("Conv") ? "channels" : "width";
  if (parameter === "shape" || parameter === "x") return "size";
  return parameter === "" ? "factor" : parameter;
}
