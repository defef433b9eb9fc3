/** Attribute values in text. */
import type { AttrKind } from "../op.ts";
import type { Attr } from "./graph.ts";

const isList = (v: Attr): v is readonly number[] => Array.isArray(v);

export function fits(kind: AttrKind, value: Attr): boolean {
  switch (kind) {
    case "int":
      return Number.isInteger(value);
    case "float":
      return typeof value === "number";
    case "bool":
      return typeof value === "boolean";
    case "string":
      return typeof value === "string";
    case "ints":
      return isList(value) && value.every((v) => Number.isInteger(v));
    case "floats":
      return isList(value) && value.every((v) => typeof v === "number");
  }
}

/** Equal to the last bit; NaN equals itself. */
export const sameAttr = (a: Attr, b: Attr): boolean =>
  isList(a) ? isList(b) && a.length === b.length && a.every((v, i) => Object.is(v, b[i])) : Object.is(a, b);

/** The shortest text that reads back as the same number; `inf`, `-inf`, `nan`. */
export function printNumber(v: number): string {
  if (Number.isNaN(v)) return "nan";
  if (!Number.isFinite(v)) return v > 0 ? "inf" : "-inf";
  return Object.is(v, -0) ? "-0" : String(v);
}

export function printAttr(v: Attr): string {
  if (isList(v)) return `[${v.map(printNumber).join(",")}]`;
  return typeof v === "number" ? printNumber(v) : typeof v === "string" ? JSON.stringify(v) : String(v);
}
