/** Comments on their way into formatted text: whoever prints something first takes the comments that stand before it. */
import type { Span } from "../../ir/diagnostic.ts";
import type { Comment } from "./ast.ts";
import { type Doc, hardline } from "./pretty.ts";

type Position = Span["start"];
export interface PlacedComment {
  readonly text: string;
  readonly line: number;
  /** Nothing stands before it on its line. */
  readonly own: boolean;
}
export interface Pen {
  /** The comments before a place that were not taken yet. */
  readonly take: (before: Position) => readonly PlacedComment[];
  /** The same as a document, for places inside of statements. */
  readonly lead: (before: Position) => Doc;
  /** The same before a closing bracket whose group is broken then. */
  readonly trail: (before: Position) => Doc;
  /** What stands in the source at `span`, on one line. */
  readonly source: (span: Span) => string;
}

/** Printing must ask in source order. `source`: the text that the spans count in. */
export function penFor(source: string, comments: readonly Comment[]): Pen {
  const lines = source.split("\n");
  let next = 0;
  const take = (at: Position): PlacedComment[] => {
    const taken: PlacedComment[] = [];
    for (let c = comments[next]; c && precedes(c.span.start, at); c = comments[++next]) {
      const { line, column } = c.span.start;
      taken.push({ text: c.text, line, own: lines[line - 1]!.slice(0, column - 1).trim() === "" });
    }
    return taken;
  };
  return {
    take,
    lead: (at) => take(at).map(commentDoc),
    trail: (at) => take(at).map((c) => [c.own ? hardline : "", commentDoc(c)]),
    source: ({ start, end }) => lines[start.line - 1]!.slice(start.column - 1, end.column - 1),
  };
}
export const commentDoc = ({ text, own }: PlacedComment): Doc => ({ kind: "comment", text, own });
const precedes = (a: Position, b: Position) => a.line < b.line || (a.line === b.line && a.column < b.column);
/** The place of a closing bracket that ends `span`. */
export const closing = ({ end }: Span): Position => ({ line: end.line, column: end.column - 1 });
