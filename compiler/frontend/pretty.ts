/**
 * Documents that know where they may be broken into lines, and their layout in a given width, after Wadler, "A prettier printer" (2003).
 * Comments are documents too: they end the line that they stand on, wherever that is.
 */
export type Doc =
  | string
  | readonly Doc[]
  /** A line break, or `flat` where the group around it fits on one line. */
  | { readonly kind: "line"; readonly flat: string }
  /** Always a line break, after an empty line if `blank`. */
  | { readonly kind: "break"; readonly blank: boolean }
  /** On one line if it fits and nothing in it forces a break (`broken`). */
  | { readonly kind: "group"; readonly doc: Doc; readonly broken: boolean }
  | { readonly kind: "indent"; readonly doc: Doc }
  /** ` first` on the line and `rest` below the beginning of `first`; both indented where `first` does not fit or stands far right. */
  | { readonly kind: "hang"; readonly first: Doc; readonly rest: Doc }
  /** Only where the group around it is broken. */
  | { readonly kind: "if broken"; readonly doc: Doc }
  /** `own`: on a line of its own; else behind what is on the line. */
  | { readonly kind: "comment"; readonly text: string; readonly own: boolean };

export const line: Doc = { kind: "line", flat: " " };
export const softline: Doc = { kind: "line", flat: "" };
export const hardline: Doc = { kind: "break", blank: false };
export const blankline: Doc = { kind: "break", blank: true };
export const group = (...doc: readonly Doc[]): Doc => ({ kind: "group", doc, broken: doc.some(forces) });
export const indent = (...doc: readonly Doc[]): Doc => ({ kind: "indent", doc });
export const hang = (first: Doc, rest: Doc): Doc => ({ kind: "hang", first, rest });
export const ifBroken = (doc: Doc): Doc => ({ kind: "if broken", doc });
export const join = (docs: readonly Doc[], separator: Doc): Doc => docs.flatMap((d, i) => (i === 0 ? [d] : [separator, d]));

function forces(doc: Doc): boolean {
  if (typeof doc === "string") return false;
  if (isList(doc)) return doc.some(forces);
  switch (doc.kind) {
    case "break":
    case "comment":
      return true;
    case "group":
      return doc.broken;
    case "indent":
      return forces(doc.doc);
    case "hang":
      return forces(doc.first) || forces(doc.rest);
    case "line":
    case "if broken":
      return false;
  }
}
const isList = (doc: Doc): doc is readonly Doc[] => Array.isArray(doc);

interface Item {
  readonly doc: Doc;
  readonly indent: number;
  readonly flat: boolean;
}
const step = 2;

/** The text, every line ended by `\n`, no spaces at the ends of lines. */
export function layout(doc: Doc, width: number): string {
  const paper = write();
  const todo: Item[] = [{ doc, indent: 0, flat: false }];
  for (let item = todo.pop(); item; item = todo.pop()) {
    const { doc, indent, flat } = item;
    if (typeof doc === "string") paper.text(doc, indent);
    else if (isList(doc)) push(todo, doc, item);
    else if (doc.kind === "line") flat ? paper.text(doc.flat, indent) : paper.newline(false);
    else if (doc.kind === "break") paper.newline(doc.blank);
    else if (doc.kind === "comment") paper.comment(doc.text, doc.own, indent);
    else if (doc.kind === "indent") todo.push({ doc: doc.doc, indent: indent + step, flat });
    else if (doc.kind === "if broken") flat || todo.push({ doc: doc.doc, indent, flat });
    else if (doc.kind === "hang") todo.push(...hung(doc, item, todo, paper.column(indent) + 1, width));
    else todo.push({ doc: doc.doc, indent, flat: flat || (!doc.broken && fits(doc.doc, todo, width - paper.column(indent))) });
  }
  return paper.finish();
}
const push = (todo: Item[], docs: readonly Doc[], { indent, flat }: Item) => {
  for (let i = docs.length - 1; i >= 0; i--) todo.push({ doc: docs[i]!, indent, flat });
};

/** How far right `rest` may hang. */
const farthest = 40;
/** The parts of a hanging document, the last to be printed first. `column`: where `first` would begin on this line. */
function hung(
  { first, rest }: Extract<Doc, { kind: "hang" }>,
  { indent, flat }: Item,
  todo: readonly Item[],
  column: number,
  width: number,
) {
  const stays = flat || fits(first, [...todo, { doc: rest, indent, flat: false }], width - column);
  const at = stays && column <= farthest ? column : indent + step;
  const item = (doc: Doc): Item => ({ doc, indent: at, flat });
  return [item(rest), item(first), item(stays ? " " : hardline)];
}

/** Whether `doc` on one line, and what follows up to the next possible break, take at most `room` columns. */
function fits(doc: Doc, rest: readonly Item[], room: number): boolean {
  let left = room;
  let next = rest.length;
  const todo: Item[] = [{ doc, indent: 0, flat: true }];
  while (left >= 0) {
    const item = todo.pop() ?? rest[--next];
    if (!item) return true;
    const { doc, flat } = item;
    if (typeof doc === "string") left -= doc.length;
    else if (isList(doc)) push(todo, doc, item);
    else if (doc.kind === "line") {
      if (!flat) return true;
      left -= doc.flat.length;
    } else if (doc.kind === "break" || doc.kind === "comment") return true;
    else if (doc.kind === "if broken") flat || todo.push({ ...item, doc: doc.doc });
    else if (doc.kind === "hang") push(todo, [" ", doc.first, doc.rest], item);
    else if (doc.kind === "group") todo.push({ ...item, doc: doc.doc, flat: flat && !doc.broken });
    else todo.push({ ...item, doc: doc.doc });
  }
  return false;
}

/** Lines so far; the current one is indented when the first text comes. No empty line arises but where one is asked for. */
function write() {
  const done: string[] = [];
  let current = "";
  /** A comment ends the current line, or the last one done. */
  let ended = false;
  /** How much further what follows that comment is indented: it belongs to the line that the comment cut short. */
  let hang = 0;
  let lastEnded = false;
  let blank = false;
  const newline = (withBlank: boolean) => {
    if (current !== "") {
      done.push(current.trimEnd());
      lastEnded = ended;
    }
    current = "";
    ended = false;
    blank ||= withBlank;
  };
  const text = (s: string, around: number) => {
    const indent = ended ? around + hang : around;
    if (ended) newline(false);
    const rest = current === "" ? s.trimStart() : s;
    if (rest === "") return;
    if (current === "") {
      if (blank && done.length > 0) done.push("");
      blank = false;
      current = " ".repeat(indent);
    }
    current += rest;
  };
  const comment = (s: string, own: boolean, indent: number) => {
    if (current === "" && !own && done.length > 0 && !lastEnded) {
      done.push(`${done.pop()}  ${s}`);
      lastEnded = true;
      return;
    }
    const deeper = current === "" ? 0 : ended ? hang : step;
    if (own || ended) newline(false);
    text(current === "" ? s : `  ${s}`, indent + deeper);
    hang = deeper;
    ended = true;
  };
  const finish = () => {
    newline(false);
    return done.map((l) => `${l}\n`).join("");
  };
  return { text, newline, comment, finish, column: (indent: number) => (current === "" || ended ? indent : current.length) };
}
