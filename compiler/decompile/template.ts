/**
 * Steps taken apart: what they do (a template), on which values, with which numbers, under which label.
 *
 *     y = layer1.0.conv1: Conv2d(x, 64, kernel=7, padding=3)
 *
 * is the template `Conv2d(#0, $0, kernel=7, stride=$1, padding=$2, dilation=$3)` on `x` with 64, nothing, 3, nothing. Two
 * steps with the same template do the same up to numbers; a number that is left out means the default.
 */
import { invariant } from "../../ir/diagnostic.ts";
import { printTerm } from "./print-term.ts";
import { parametersOf } from "./signatures.ts";
import { type Bound, type Call, type Index, mapTerm, type Term } from "./sketch.ts";

/** Place of a number in a template. */
export interface Slot {
  /** The parameter that it fills; "" where it is an operand or an index. */
  readonly parameter: string;
  readonly callee: string;
  /** What it means to leave it out; null: it cannot be left out. */
  readonly fallback: Term | null;
  /** Which number it is says what the step does, like the size of a kernel. */
  readonly telling: boolean;
}
export interface Template {
  readonly id: number;
  /** Values are `#0`, `#1`, ..., numbers `$0`, `$1`, .... */
  readonly term: Term;
  readonly slots: readonly Slot[];
  /** Of the outermost call; "" where it is an operator. */
  readonly callee: string;
}
/** null: left out. */
export type Constant = Term | null;
export interface Parts {
  readonly template: Template;
  readonly operands: readonly string[];
  readonly constants: readonly Constant[];
}

export type Templates = (term: Term) => Parts;
/** Gives equal templates the same identity. */
export function newTemplates(): Templates {
  const all = new Map<string, Template>();
  return (term) => {
    const taken: Taken = { operands: [], constants: [], slots: [] };
    const pattern = abstracted(term, taken);
    const text = printTerm(pattern);
    const template = all.get(text) ?? { id: all.size, term: pattern, slots: taken.slots, callee: term.kind === "call" ? term.callee : "" };
    all.set(text, template);
    return { template, operands: taken.operands, constants: taken.constants };
  };
}

/** A template with values and numbers in their places. */
export function fill({ term }: Template, operands: readonly Term[], constants: readonly Constant[], label: string | null): Term {
  const filled = replaced(term, operands, constants);
  invariant(filled !== null, "a number without default is left out");
  return filled.kind === "call" ? { ...filled, label } : filled;
}

/** Numbers of these parameters are what a step does: other numbers, another template. */
const structural = new Set(["axis", "axes", "dims", "from", "a", "b", "parts", "layers", "start", "stop", "step"]);
/** That it is given says what a step does; which number it is does not. */
const present = new Set(["groups"]);
const telling = new Set(["kernel"]);
const slotOf = (parameter: string, callee: string, fallback: Term | null): Slot => ({
  parameter,
  callee,
  fallback,
  telling: telling.has(parameter),
});

interface Taken {
  readonly operands: string[];
  readonly constants: Constant[];
  readonly slots: Slot[];
}
const noSlot = slotOf("", "", null);
function hole(constant: Constant, slot: Slot, { constants, slots }: Taken): Term {
  constants.push(constant);
  return { kind: "word", text: `$${slots.push(slot) - 1}` };
}
function abstracted(t: Term, taken: Taken): Term {
  switch (t.kind) {
    case "value":
      return { kind: "value", name: `#${taken.operands.push(t.name) - 1}` };
    case "int":
    case "float":
    case "extent":
      return hole(t, noSlot, taken);
    case "index":
      return { ...t, value: abstracted(t.value, taken), items: t.items.map((i) => abstractedIndex(i, taken)) };
    case "call":
      return abstractedCall(t, taken);
    default:
      return mapTerm(t, (x) => abstracted(x, taken));
  }
}
function abstractedIndex(i: Index, taken: Taken): Index {
  if (i.kind === "all") return i;
  if (i.kind !== "slice") return abstracted(i, taken);
  const bound = (b: Bound): Bound => (b === null ? null : abstracted(b, taken));
  return { ...i, from: bound(i.from), to: bound(i.to) };
}

/** Numbers that are left out get their places too; named arguments stand in the order of the parameters. */
function abstractedCall(t: Call, taken: Taken): Term {
  const parameters = parametersOf(t.callee) ?? [];
  const { callee } = t;
  const args = t.args.map((x, i) => abstractedArgument(x, slotOf(parameters[i]?.name ?? "", callee, null), taken));
  const named: Record<string, Term> = {};
  for (const { name, fallback } of parameters.slice(args.length)) {
    const given = t.named[name];
    const slot = slotOf(name, callee, fallback);
    const usual = given !== undefined && fallback !== null && printTerm(given) === printTerm(fallback);
    if (given !== undefined && !usual) named[name] = abstractedArgument(given, slot, taken);
    else if (fallback && !structural.has(name) && !present.has(name)) named[name] = hole(null, slot, taken);
  }
  const others = Object.entries(t.named).filter(([name]) => !parameters.some((p) => p.name === name));
  for (const [name, x] of others) named[name] = abstractedArgument(x, slotOf(name, callee, null), taken);
  return { ...t, label: null, args, named };
}
function abstractedArgument(t: Term, slot: Slot, taken: Taken): Term {
  if (structural.has(slot.parameter) && isConstant(t)) return t;
  const isNumber = t.kind === "int" || t.kind === "float" || t.kind === "extent";
  if (isNumber || (t.kind === "list" && (slot.fallback || slot.telling) && isConstant(t))) return hole(t, slot, taken);
  if (t.kind === "list") return { ...t, items: t.items.map((x) => abstractedArgument(x, { ...slot, fallback: null }, taken)) };
  return abstracted(t, taken);
}
function isConstant(t: Term): boolean {
  return t.kind === "list" ? t.items.every(isConstant) : t.kind === "int" || t.kind === "float" || t.kind === "none" || t.kind === "string";
}

/** null: a number that is left out. */
function replaced(t: Term, operands: readonly Term[], constants: readonly Constant[]): Term | null {
  if (t.kind === "value") return operands[Number(t.name.slice(1))]!;
  if (t.kind === "word") return t.text.startsWith("$") ? constants[Number(t.text.slice(1))]! : t;
  const whole = t.kind === "call" ? { ...t, named: withoutLeftOut(t.named, constants) } : t;
  return mapTerm(whole, (x) => {
    const found = replaced(x, operands, constants);
    invariant(found !== null, "a number without default is left out");
    return found;
  });
}
const withoutLeftOut = (named: Call["named"], constants: readonly Constant[]): Call["named"] =>
  Object.fromEntries(
    Object.entries(named).filter(([, x]) => x.kind !== "word" || !x.text.startsWith("$") || constants[Number(x.text.slice(1))] !== null),
  );
