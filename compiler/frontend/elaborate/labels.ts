/** Labels: words, numbers and constants joined by dots. */
import type { Label } from "../ast.ts";
import { evaluate } from "./expression.ts";
import { complain, type Frame } from "./frame.ts";
import { limits } from "./session.ts";
import { describe, isUnknown } from "./values.ts";

/** The text of a label; null when a part is unknown. */
export function labelText(frame: Frame, label: Label): string | null {
  let text = "";
  for (const part of label.parts) {
    const piece = part.kind === "text" ? part.text : holeText(frame, part.value);
    if (piece === null) return null;
    text += piece;
  }
  if (!/^\w+(\.\w+)*$/.test(text)) {
    complain(frame, "label", `"${text}" is not a label`, label.span, { help: "a label is words and numbers joined by dots" });
  }
  if (text.length > limits.text) complain(frame, "limit", "this label is too long", label.span);
  return text;
}
function holeText(frame: Frame, e: Extract<Label["parts"][number], { kind: "hole" }>["value"]): string | null {
  const value = evaluate(e, frame);
  if (isUnknown(value)) return null;
  if (value.kind === "int" || value.kind === "string") return String(value.value);
  const code = value.kind === "tensor" ? "constant" : "label";
  return complain(frame, code, `a label is made of ints and strings, got ${describe(value)}`, e.span);
}
