/** The syntax tree of a `.dlm` file. Every node has its span; the grammar is section 8 of the language reference. */
import type { Span } from "../../ir/diagnostic.ts";

export interface Comment {
  readonly text: string;
  readonly span: Span;
}
export interface File {
  readonly kind: "file";
  readonly path: string;
  readonly declarations: readonly Declaration[];
  /** All comments that are not documentation, in source order, for the formatter. */
  readonly comments: readonly Comment[];
  readonly span: Span;
}
export interface Name {
  readonly kind: "name";
  readonly name: string;
  readonly span: Span;
}

export type Declaration = Import | Const | Fn | Layer | Model | Train;
export interface Import {
  readonly kind: "import";
  readonly names: readonly { readonly name: Name; readonly as: Name }[];
  /** Decoded string. */
  readonly path: string;
  readonly pathSpan: Span;
  readonly span: Span;
}
export interface Const {
  readonly kind: "const";
  readonly doc: string | null;
  readonly name: Name;
  readonly value: Expr;
  readonly span: Span;
}
export interface Callable {
  readonly doc: string | null;
  readonly name: Name;
  readonly params: readonly Param[];
  readonly body: Block;
  readonly span: Span;
}
export interface Fn extends Callable {
  readonly kind: "fn";
}
export interface Layer extends Callable {
  readonly kind: "layer";
}
export interface Model extends Callable {
  readonly kind: "model";
  readonly outputs: readonly { readonly name: Name; readonly type: Type | null }[];
}
export interface Train {
  readonly kind: "train";
  readonly doc: string | null;
  /** `train finetune: LeNet`. */
  readonly name: Name | null;
  readonly model: Name;
  readonly body: Block;
  readonly span: Span;
}
export interface Param {
  readonly kind: "parameter";
  readonly name: Name;
  readonly type: Type | null;
  readonly value: Expr | null;
  readonly span: Span;
}
/** `f32[N, C, ...rest]`; `dims` null: no brackets (`int`, `list`, or a scalar's element type). */
export interface Type {
  readonly kind: "type";
  readonly name: Name;
  readonly dims: readonly Dim[] | null;
  readonly span: Span;
}
export type Dim =
  /** `...` or `...rest`. */
  | { readonly kind: "rest"; readonly value: Expr | null; readonly span: Span }
  /** `N`, `2 * C`, `H = 224`. */
  | { readonly kind: "dim"; readonly value: Expr; readonly fallback: Expr | null; readonly span: Span };

export interface Block {
  readonly kind: "block";
  readonly statements: readonly Statement[];
  readonly span: Span;
}
export type Statement =
  | {
      readonly kind: "bind";
      readonly pattern: Pattern;
      readonly op: "=" | "+=" | "-=" | "*=" | "/=";
      readonly value: Expr;
      readonly span: Span;
    }
  | {
      readonly kind: "param" | "state";
      readonly doc: string | null;
      readonly label: Label;
      readonly as: Name | null;
      readonly type: Type;
      readonly value: Expr;
      readonly span: Span;
    }
  | {
      readonly kind: "update";
      readonly name: Name;
      readonly op: "=" | "+=" | "-=" | "*=" | "/=";
      readonly value: Expr;
      readonly span: Span;
    }
  | {
      readonly kind: "use";
      readonly label: Label;
      readonly as: Name | null;
      readonly callee: Name;
      readonly args: readonly Arg[];
      readonly span: Span;
    }
  | { readonly kind: "input"; readonly doc: string | null; readonly name: Name; readonly type: Type; readonly span: Span }
  | { readonly kind: "metric"; readonly doc: string | null; readonly name: Name; readonly value: Expr; readonly span: Span }
  | { readonly kind: "freeze"; readonly globs: readonly Glob[]; readonly span: Span }
  /** `optimizer "*.bias" = ...`. */
  | { readonly kind: "setting"; readonly name: Name; readonly globs: readonly Glob[]; readonly value: Expr; readonly span: Span }
  | { readonly kind: "for"; readonly pattern: Pattern; readonly list: Expr; readonly body: Block; readonly span: Span }
  | { readonly kind: "return"; readonly value: Expr; readonly span: Span }
  | { readonly kind: "assert"; readonly condition: Expr; readonly message: Expr | null; readonly span: Span }
  | { readonly kind: "expression"; readonly value: Expr; readonly span: Span }
  /** Skipped after a syntax error. */
  | { readonly kind: "error"; readonly span: Span };
export interface Glob {
  readonly text: string;
  readonly span: Span;
}
export type Pattern = Name | { readonly kind: "patterns"; readonly items: readonly Pattern[]; readonly span: Span };

/** `layer{i + 1}.{j}`: text and constants, joined without spaces; dots are text. */
export interface Label {
  readonly kind: "label";
  readonly parts: readonly ({ readonly kind: "text"; readonly text: string } | { readonly kind: "hole"; readonly value: Expr })[];
  readonly span: Span;
}
export interface Arg {
  readonly name: Name | null;
  readonly value: Expr;
  readonly span: Span;
}
export type BinaryOperator = "||" | "&&" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "+" | "-" | "*" | "/" | "//" | "%" | "@" | "**";
export type Expr =
  | { readonly kind: "int"; readonly value: number; readonly span: Span }
  | { readonly kind: "float"; readonly value: number; readonly span: Span }
  | { readonly kind: "string"; readonly value: string; readonly span: Span }
  | { readonly kind: "bool"; readonly value: boolean; readonly span: Span }
  | { readonly kind: "none"; readonly span: Span }
  | Name
  /** `( )` around one expression; kept for the formatter. */
  | { readonly kind: "paren"; readonly value: Expr; readonly span: Span }
  /** `[a, b]`, `(a, b)`, and `a, b` after `return` or `=`. */
  | { readonly kind: "list"; readonly form: "square" | "round" | "bare"; readonly items: readonly Expr[]; readonly span: Span }
  | {
      readonly kind: "comprehension";
      readonly value: Expr;
      readonly loops: readonly { readonly pattern: Pattern; readonly list: Expr }[];
      readonly span: Span;
    }
  | {
      readonly kind: "if";
      readonly arms: readonly { readonly condition: Expr; readonly body: Block }[];
      readonly otherwise: Block | null;
      readonly span: Span;
    }
  | { readonly kind: "unary"; readonly op: "-" | "!"; readonly value: Expr; readonly span: Span }
  | { readonly kind: "binary"; readonly op: BinaryOperator; readonly left: Expr; readonly right: Expr; readonly span: Span }
  | { readonly kind: "field"; readonly value: Expr; readonly name: Name; readonly span: Span }
  | { readonly kind: "index"; readonly value: Expr; readonly items: readonly Index[]; readonly span: Span }
  /** `callee(args)` and `label: Callee(args)`. */
  | { readonly kind: "call"; readonly label: Label | null; readonly callee: Expr; readonly args: readonly Arg[]; readonly span: Span }
  /** `value |> label: callee(args)`; `args` null: written without parentheses. */
  | {
      readonly kind: "pipe";
      readonly value: Expr;
      readonly label: Label | null;
      readonly callee: Name;
      readonly args: readonly Arg[] | null;
      readonly span: Span;
    }
  /** Skipped after a syntax error. */
  | { readonly kind: "error"; readonly span: Span };
export type Index =
  | { readonly kind: "ellipsis"; readonly span: Span }
  | { readonly kind: "slice"; readonly from: Expr | null; readonly to: Expr | null; readonly step: Expr | null; readonly span: Span }
  | Expr;
