/**
 * The grammar of section 8 of the language reference, as one chevrotain parser (its rules refer to each other and to the parser's state,
 * so they stay in one class and one file). It runs on the tokens of token-pass.ts and is LL(1) with gates for labels and bindings.
 * After a syntax error the rest of the statement is skipped; `statement` and `declaration` are where that happens.
 */
import {
  EmbeddedActionsParser,
  EOF,
  type IParserErrorMessageProvider,
  type IRecognitionException,
  type IToken,
  isRecognitionException,
  MismatchedTokenException,
  type OrMethodOpts,
  type TokenType,
} from "chevrotain";
import type { Diagnostic, Span } from "../../ir/diagnostic.ts";
import type {
  Arg,
  BinaryOperator,
  Block,
  Declaration,
  Dim,
  Expr,
  Glob,
  Index,
  Label,
  Model,
  Name,
  Param,
  Pattern,
  Statement,
  Type,
} from "./ast.ts";
import { startsDeclaration } from "./brackets.ts";
import { numberOf, spanOf, textOf, tooDeep } from "./leaves.ts";
import { associate, binary } from "./operators.ts";
import { deepestNesting } from "./prune.ts";
import * as t from "./tokens.ts";

/** A file being read: what the rules need of it, and whom they tell what they find. */
export interface Source {
  readonly path: string;
  /** The `##` lines directly above, if the token is the first of its line. */
  readonly docAbove: (token: IToken, previous: IToken) => string | null;
  /** A rule could not go on. */
  readonly failed: (mistake: Mistake) => void;
  /** Something is wrong that does not keep the parser from going on. */
  readonly report: (problem: Diagnostic) => void;
  /** So much is wrong that the rest need not be read. */
  readonly full: () => boolean;
}
/** `found` stands where `expected` should. */
export interface Mistake {
  readonly found: IToken;
  readonly expected: string;
  /** Tokens of the statement before the one found, at most the last 100. */
  readonly before: readonly IToken[];
  readonly start: IToken;
  readonly next: IToken;
}

/** The message of an exception is what was expected; the rest of the sentence is made where it is reported. */
const messages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected }) => expected.LABEL ?? expected.name,
  buildNotAllInputParsedMessage: () => "the end of the file",
  buildNoViableAltMessage: ({ customUserDescription, ruleName }) => customUserDescription ?? ruleName,
  buildEarlyExitMessage: ({ customUserDescription, ruleName }) => customUserDescription ?? ruleName,
};
/** What may follow a comparison. */
export const comparisonEnd = "`&&`, `||` or the end of the expression";
export const declarationList = "`import`, `const`, `fn`, `layer`, `model` or `train`";

class DlmParser extends EmbeddedActionsParser {
  private source!: Source;
  constructor() {
    super(t.vocabulary, { maxLookahead: 1, errorMessageProvider: messages });
    this.performSelfAnalysis();
  }
  read(tokens: IToken[], source: Source): Declaration[] {
    this.source = source;
    this.input = tokens;
    return this.file();
  }

  // ---- declarations
  private file = this.RULE("file", (): Declaration[] => {
    const declarations: Declaration[] = [];
    this.MANY(() => {
      this.OR([
        { ALT: () => void this.CONSUME(t.LineEnd) },
        {
          ALT: () => {
            const declaration = this.SUBRULE(this.declaration);
            if (declaration) declarations.push(declaration);
          },
        },
      ]);
    });
    return declarations;
  });
  private declaration = this.RULE("declaration", (): Declaration | null => {
    const start = this.LA(1);
    const doc = t.is(start, t.Import) ? null : this.doc();
    try {
      const declaration = this.OR({
        IGNORE_AMBIGUITIES: true,
        DEF: [
          { ALT: () => this.SUBRULE(this.importDeclaration) },
          { ALT: () => this.SUBRULE(this.constDeclaration, { ARGS: [doc] }) },
          { ALT: () => this.SUBRULE(this.callable, { ARGS: [doc] }) },
          { ALT: () => this.SUBRULE(this.model, { ARGS: [doc] }) },
          { ALT: () => this.SUBRULE(this.train, { ARGS: [doc] }) },
          { ALT: () => this.misplaced(t.Anything, declarationList) },
          { ALT: () => this.misplaced(t.RCurly, declarationList) },
        ],
      });
      this.endsStatement();
      return declaration;
    } catch (error) {
      this.recoverDeclaration(error, start);
      return null;
    }
  });
  private importDeclaration = this.RULE("importDeclaration", (): Declaration => {
    const start = this.CONSUME(t.Import);
    this.CONSUME(t.LCurly);
    const names = this.items(
      t.RCurly,
      () => this.SUBRULE(this.imported),
      () => this.SUBRULE2(this.imported),
    );
    this.CONSUME(t.RCurly, { ERR_MSG: "`,` or `}`" });
    this.CONSUME(t.From);
    const path = this.CONSUME(t.Text, { ERR_MSG: "a path in double quotes" });
    return { kind: "import", names, path: this.text(path), pathSpan: this.spanOf(path), span: this.since(start) };
  });
  private imported = this.RULE("imported", (): { name: Name; as: Name } => {
    const name = this.SUBRULE(this.name);
    const as = this.OPTION(() => {
      this.CONSUME(t.As);
      return this.SUBRULE2(this.name);
    });
    return { name, as: as ?? name };
  });
  private constDeclaration = this.RULE("constDeclaration", (doc: string | null): Declaration => {
    const start = this.CONSUME(t.Const);
    const name = this.SUBRULE(this.name);
    this.CONSUME(t.Equals);
    const value = this.SUBRULE(this.expr);
    return { kind: "const", doc, name, value, span: this.since(start) };
  });
  private callable = this.RULE("callable", (doc: string | null): Declaration => {
    const start = this.LA(1);
    const word = this.OR([{ ALT: () => this.CONSUME(t.Fn) }, { ALT: () => this.CONSUME(t.Layer) }]);
    const kind = t.is(word, t.Fn) ? "fn" : "layer";
    const name = this.SUBRULE(this.name);
    const params = this.SUBRULE(this.params);
    const body = this.SUBRULE(this.block);
    return { kind, doc, name, params, body, span: this.since(start) };
  });
  private model = this.RULE("model", (doc: string | null): Model => {
    const start = this.CONSUME(t.Model);
    const name = this.SUBRULE(this.name);
    const params = this.SUBRULE(this.params);
    const outputs: { name: Name; type: Type | null }[] = [];
    this.CONSUME(t.Arrow);
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      ERR_MSG: "the name of an output",
      DEF: () => {
        const output = this.SUBRULE2(this.name);
        outputs.push({ name: output, type: this.SUBRULE(this.annotation) });
      },
    });
    const body = this.SUBRULE(this.block);
    return { kind: "model", doc, name, params, outputs, body, span: this.since(start) };
  });
  private train = this.RULE("train", (doc: string | null): Declaration => {
    const start = this.CONSUME(t.Train);
    const first = this.SUBRULE(this.name);
    const model = this.OPTION(() => {
      this.CONSUME(t.Colon);
      return this.SUBRULE2(this.name);
    });
    const body = this.SUBRULE(this.block);
    return { kind: "train", doc, name: model ? first : null, model: model ?? first, body, span: this.since(start) };
  });
  private params = this.RULE("params", (): Param[] => {
    this.CONSUME(t.LParen);
    const params =
      this.OPTION(() =>
        this.items(
          t.RParen,
          () => this.SUBRULE(this.param),
          () => this.SUBRULE2(this.param),
        ),
      ) ?? [];
    this.CONSUME(t.RParen, { ERR_MSG: params.length ? "`,` or `)`" : "a parameter or `)`" });
    return params;
  });
  private param = this.RULE("param", (): Param => {
    const start = this.LA(1);
    const name = this.SUBRULE(this.name);
    const type = this.SUBRULE(this.annotation);
    const value = this.OPTION(() => {
      this.CONSUME(t.Equals);
      return this.SUBRULE(this.expr);
    });
    return { kind: "parameter", name, type, value: value ?? null, span: this.since(start) };
  });
  /** `: type`, or nothing. */
  private annotation = this.RULE("annotation", (): Type | null => {
    const type = this.OPTION(() => {
      this.CONSUME(t.Colon);
      return this.SUBRULE(this.type);
    });
    return type ?? null;
  });
  private type = this.RULE("type", (): Type => {
    const start = this.CONSUME(t.Name, { ERR_MSG: "a type" });
    const dims = this.OPTION(() => this.SUBRULE(this.dims));
    return { kind: "type", name: this.named(start), dims: dims ?? null, span: this.since(start) };
  });
  private dims = this.RULE("dims", (): Dim[] => {
    this.CONSUME(t.LSquare);
    const dims =
      this.OPTION(() =>
        this.items(
          t.RSquare,
          () => this.SUBRULE(this.dim),
          () => this.SUBRULE2(this.dim),
        ),
      ) ?? [];
    this.CONSUME(t.RSquare, { ERR_MSG: dims.length ? "`,` or `]`" : "a dimension or `]`" });
    return dims;
  });
  private dim = this.RULE("dim", (): Dim => {
    const start = this.LA(1);
    return this.OR({
      ERR_MSG: "a dimension",
      DEF: [
        {
          ALT: () => {
            this.CONSUME(t.Ellipsis);
            const value = this.OPTION(() => this.SUBRULE(this.postfix));
            return { kind: "rest" as const, value: value ?? null, span: this.since(start) };
          },
        },
        {
          ALT: () => {
            const value = this.SUBRULE(this.operation);
            const fallback = this.OPTION2(() => {
              this.CONSUME(t.Equals);
              return this.SUBRULE2(this.operation);
            });
            return { kind: "dim" as const, value, fallback: fallback ?? null, span: this.since(start) };
          },
        },
      ],
    });
  });

  // ---- statements
  private block = this.RULE("block", (): Block => {
    const start = this.CONSUME(t.LCurly);
    const statements: Statement[] = [];
    this.MANY({
      GATE: () => !this.atDeclaration(),
      DEF: () => {
        this.OR([{ ALT: () => void this.CONSUME(t.LineEnd) }, { ALT: () => void statements.push(this.SUBRULE(this.statement)) }]);
      },
    });
    this.CONSUME(t.RCurly);
    return { kind: "block", statements, span: this.since(start) };
  });
  private readonly statements: OrMethodOpts<Statement> = {
    IGNORE_AMBIGUITIES: true,
    DEF: [
      { GATE: () => this.isBinding(), ALT: () => this.SUBRULE(this.bind) },
      { ALT: () => this.SUBRULE(this.variable) },
      { ALT: () => this.SUBRULE(this.update) },
      { ALT: () => this.SUBRULE(this.use) },
      { ALT: () => this.SUBRULE(this.blockInput) },
      { ALT: () => this.SUBRULE(this.metric) },
      { ALT: () => this.SUBRULE(this.freeze) },
      { GATE: () => t.is(this.LA(2), t.Text), ALT: () => this.SUBRULE(this.setting) },
      { ALT: () => this.SUBRULE(this.loop) },
      { ALT: () => this.SUBRULE(this.result) },
      { ALT: () => this.SUBRULE(this.assert) },
      { ALT: () => this.SUBRULE(this.expression) },
      { ALT: () => this.misplaced(t.Anything, "a statement") },
    ],
  };
  private statement = this.RULE("statement", (): Statement => {
    const start = this.LA(1);
    try {
      const statement = this.OR(this.statements);
      this.endsStatement();
      return statement;
    } catch (error) {
      return this.recoverStatement(error, start);
    }
  });
  private bind = this.RULE("bind", (): Statement => {
    const start = this.LA(1);
    const pattern = this.SUBRULE(this.pattern);
    const op = this.SUBRULE(this.assign);
    const value = this.SUBRULE(this.exprs);
    return { kind: "bind", pattern, op, value, span: this.since(start) };
  });
  private assign = this.RULE("assign", (): "=" | "+=" | "-=" | "*=" | "/=" => {
    const { image } = this.CONSUME(t.Assign);
    return image as "=" | "+=" | "-=" | "*=" | "/=";
  });
  private variable = this.RULE("variable", (): Statement => {
    const start = this.LA(1);
    const doc = this.doc();
    const word = this.OR([{ ALT: () => this.CONSUME(t.Param) }, { ALT: () => this.CONSUME(t.State) }]);
    const kind = t.is(word, t.Param) ? "param" : "state";
    const label = this.SUBRULE(this.label);
    const as = this.SUBRULE(this.alias);
    this.CONSUME(t.Colon, { ERR_MSG: "`:` and a type" });
    const type = this.SUBRULE(this.type);
    this.CONSUME(t.Equals, { ERR_MSG: "`=` and an initial value" });
    const value = this.SUBRULE(this.expr);
    return { kind, doc, label, as, type, value, span: this.since(start) };
  });
  private alias = this.RULE("alias", (): Name | null => {
    const name = this.OPTION(() => {
      this.CONSUME(t.As);
      return this.SUBRULE(this.name);
    });
    return name ?? null;
  });
  private update = this.RULE("update", (): Statement => {
    const start = this.CONSUME(t.Update);
    const name = this.SUBRULE(this.name);
    const op = this.SUBRULE(this.assign);
    const value = this.SUBRULE(this.expr);
    return { kind: "update", name, op, value, span: this.since(start) };
  });
  private use = this.RULE("use", (): Statement => {
    const start = this.CONSUME(t.Use);
    const label = this.SUBRULE(this.label);
    const as = this.SUBRULE(this.alias);
    this.CONSUME(t.Equals);
    const callee = this.SUBRULE(this.name);
    const args = this.OPTION(() => this.SUBRULE(this.args));
    return { kind: "use", label, as, callee, args: args ?? [], span: this.since(start) };
  });
  private blockInput = this.RULE("blockInput", (): Statement => {
    const doc = this.doc();
    const start = this.CONSUME(t.Input);
    const name = this.SUBRULE(this.name);
    this.CONSUME(t.Colon, { ERR_MSG: "`:` and a type" });
    const type = this.SUBRULE(this.type);
    return { kind: "input", doc, name, type, span: this.since(start) };
  });
  private metric = this.RULE("metric", (): Statement => {
    const doc = this.doc();
    const start = this.CONSUME(t.Metric);
    const name = this.SUBRULE(this.name);
    this.CONSUME(t.Equals);
    const value = this.SUBRULE(this.expr);
    return { kind: "metric", doc, name, value, span: this.since(start) };
  });
  private freeze = this.RULE("freeze", (): Statement => {
    const start = this.CONSUME(t.Freeze);
    const globs = this.SUBRULE(this.globs);
    return { kind: "freeze", globs, span: this.since(start) };
  });
  private setting = this.RULE("setting", (): Statement => {
    const start = this.LA(1);
    const name = this.SUBRULE(this.name);
    const globs = this.SUBRULE(this.globs);
    this.CONSUME(t.Equals);
    const value = this.SUBRULE(this.expr);
    return { kind: "setting", name, globs, value, span: this.since(start) };
  });
  private globs = this.RULE("globs", (): Glob[] => {
    const globs: Glob[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      ERR_MSG: "a string",
      DEF: () => {
        const token = this.CONSUME(t.Text);
        globs.push({ text: this.text(token), span: this.spanOf(token) });
      },
    });
    return globs;
  });
  private loop = this.RULE("loop", (): Statement => {
    const start = this.CONSUME(t.For);
    const pattern = this.SUBRULE(this.pattern);
    this.CONSUME(t.In);
    const list = this.SUBRULE(this.expr);
    const body = this.SUBRULE(this.block);
    return { kind: "for", pattern, list, body, span: this.since(start) };
  });
  private result = this.RULE("result", (): Statement => {
    const start = this.CONSUME(t.Return);
    const value = this.SUBRULE(this.exprs);
    return { kind: "return", value, span: this.since(start) };
  });
  private assert = this.RULE("assert", (): Statement => {
    const start = this.CONSUME(t.Assert);
    const condition = this.SUBRULE(this.expr);
    const message = this.OPTION(() => {
      this.CONSUME(t.Comma);
      return this.SUBRULE2(this.expr);
    });
    return { kind: "assert", condition, message: message ?? null, span: this.since(start) };
  });
  private expression = this.RULE("expression", (): Statement => {
    const start = this.LA(1);
    const value = this.SUBRULE(this.expr);
    return { kind: "expression", value, span: this.since(start) };
  });
  private pattern = this.RULE("pattern", (): Pattern => {
    const start = this.LA(1);
    const items = [this.SUBRULE(this.patternItem)];
    let list = false;
    this.MANY(() => {
      this.CONSUME(t.Comma);
      list = true;
      this.OPTION(() => items.push(this.SUBRULE2(this.patternItem)));
    });
    return list ? { kind: "patterns", items, span: this.since(start) } : items[0]!;
  });
  private patternItem = this.RULE(
    "patternItem",
    (): Pattern =>
      this.OR({
        ERR_MSG: "a name",
        DEF: [
          { ALT: () => this.SUBRULE(this.name) },
          {
            ALT: () => {
              this.CONSUME(t.LParen);
              const pattern = this.SUBRULE(this.pattern);
              this.CONSUME(t.RParen);
              return pattern;
            },
          },
        ],
      }),
  );

  // ---- expressions
  /** `a, b` is a list, `a` itself. */
  private exprs = this.RULE("exprs", (): Expr => {
    const start = this.LA(1);
    const items = [this.SUBRULE(this.expr)];
    this.MANY(() => {
      this.CONSUME(t.Comma);
      items.push(this.SUBRULE2(this.expr));
    });
    return items.length === 1 ? items[0]! : { kind: "list", form: "bare", items, span: this.since(start) };
  });
  private expr = this.RULE("expr", (): Expr => {
    const start = this.LA(1);
    let value = this.SUBRULE(this.operation);
    this.MANY(() => {
      this.CONSUME(t.Pipe);
      const label = this.OPTION({ GATE: () => this.isLabel(), DEF: () => this.SUBRULE(this.callLabel) });
      const callee = this.SUBRULE(this.name);
      const args = this.OPTION2(() => this.SUBRULE(this.args));
      value = { kind: "pipe", value, label: label ?? null, callee, args: args ?? null, span: this.since(start) };
    });
    return value;
  });
  private callLabel = this.RULE("callLabel", (): Label => {
    const label = this.SUBRULE(this.label);
    this.CONSUME(t.Colon);
    return label;
  });
  /** All left-associative binary operators at once; their precedence is sorted out by `associate`. */
  private operation = this.RULE("operation", (): Expr => {
    const operands = [this.SUBRULE(this.unary)];
    const operators: BinaryOperator[] = [];
    let compared = false;
    this.MANY(() => {
      const operator = this.CONSUME(t.Operator);
      this.ACTION(() => {
        // `a < b < c`: comparisons do not chain.
        if (t.is(operator, t.Compare)) {
          if (compared) throw new MismatchedTokenException(comparisonEnd, operator, this.LA(-1));
          compared = true;
        } else if (t.is(operator, t.And) || t.is(operator, t.Or)) compared = false;
      });
      operators.push(operator.image as BinaryOperator);
      operands.push(this.SUBRULE2(this.unary));
    });
    return operators.length === 0 ? operands[0]! : this.ACTION(() => associate(operands, operators));
  });
  /** `-a ** -b ** c` is `-(a ** (-(b ** c)))`. */
  private unary = this.RULE("unary", (): Expr => {
    let signs: IToken[] | null = null;
    this.MANY(() => {
      signs ??= [];
      signs.push(this.CONSUME(t.Sign));
    });
    const operand = this.SUBRULE(this.postfix);
    let powers: Signed[] | null = null;
    this.MANY2(() => {
      this.CONSUME(t.Power);
      const more: IToken[] = [];
      this.MANY3(() => more.push(this.CONSUME(t.Minus)));
      powers ??= [];
      powers.push({ signs: more, value: this.SUBRULE2(this.postfix) });
    });
    return signs || powers ? this.ACTION(() => this.powers([{ signs: signs ?? [], value: operand }, ...(powers ?? [])])) : operand;
  });
  private powers(operands: readonly Signed[]): Expr {
    const depth = operands.length + operands.reduce((n, o) => n + o.signs.length, 0);
    if (depth > deepestNesting) this.source.report(tooDeep(this.spanOf(this.LA(0))));
    let right: Expr | null = null;
    for (const { signs, value } of operands.slice(0, deepestNesting).reverse()) {
      right = right ? binary("**", value, right) : value;
      for (const sign of signs.slice(0, deepestNesting).reverse()) {
        const span: Span = { file: right.span.file, start: this.spanOf(sign).start, end: right.span.end };
        right = { kind: "unary", op: sign.image as "-" | "!", value: right, span };
      }
    }
    return right!;
  }
  private postfix = this.RULE("postfix", (): Expr => {
    const start = this.LA(1);
    let value = this.SUBRULE(this.primary);
    this.MANY(() => {
      const suffix = this.SUBRULE(this.suffix);
      const span = this.since(start);
      value = suffix.kind === "call" ? { ...suffix, label: null, callee: value, span } : { ...suffix, value, span };
    });
    return value;
  });
  private readonly suffixes: OrMethodOpts<Suffix> = {
    DEF: [
      { ALT: () => ({ kind: "call", args: this.SUBRULE(this.args) }) },
      { ALT: () => ({ kind: "index", items: this.SUBRULE(this.index) }) },
      {
        ALT: () => {
          this.CONSUME(t.Dot);
          return { kind: "field", name: this.SUBRULE(this.name) };
        },
      },
    ],
  };
  private suffix = this.RULE("suffix", (): Suffix => this.OR(this.suffixes));
  private args = this.RULE("args", (): Arg[] => {
    this.CONSUME(t.LParen);
    const args =
      this.OPTION(() =>
        this.items(
          t.RParen,
          () => this.SUBRULE(this.arg),
          () => this.SUBRULE2(this.arg),
        ),
      ) ?? [];
    this.CONSUME(t.RParen, { ERR_MSG: args.length ? "`,` or `)`" : "an argument or `)`" });
    return args;
  });
  private arg = this.RULE("arg", (): Arg => {
    const start = this.LA(1);
    const name = this.OPTION({
      GATE: () => t.is(this.LA(2), t.Equals),
      DEF: () => {
        const name = this.SUBRULE(this.name);
        this.CONSUME(t.Equals);
        return name;
      },
    });
    const value = this.SUBRULE(this.expr);
    return { name: name ?? null, value, span: this.since(start) };
  });
  private index = this.RULE("index", (): Index[] => {
    this.CONSUME(t.LSquare);
    const items = this.items(
      t.RSquare,
      () => this.SUBRULE(this.indexItem),
      () => this.SUBRULE2(this.indexItem),
    );
    this.CONSUME(t.RSquare, { ERR_MSG: "`,`, `:` or `]`" });
    return items;
  });
  private indexItem = this.RULE("indexItem", (): Index => {
    const start = this.LA(1);
    return this.OR<Index>({
      ERR_MSG: "an index",
      DEF: [
        { ALT: () => ({ kind: "ellipsis", span: this.spanOf(this.CONSUME(t.Ellipsis)) }) },
        { ALT: () => this.SUBRULE(this.slice, { ARGS: [start, null] }) },
        {
          ALT: () => {
            const from = this.SUBRULE(this.expr);
            return this.OPTION(() => this.SUBRULE2(this.slice, { ARGS: [start, from] })) ?? from;
          },
        },
      ],
    });
  });
  /** From the first `:` on. */
  private slice = this.RULE("slice", (start: IToken, from: Expr | null): Index => {
    this.CONSUME(t.SliceColon);
    const to = this.OPTION(() => this.SUBRULE(this.expr));
    const step = this.OPTION2(() => {
      this.CONSUME2(t.SliceColon);
      return this.OPTION3(() => this.SUBRULE2(this.expr));
    });
    return { kind: "slice", from, to: to ?? null, step: step ?? null, span: this.since(start) };
  });
  private readonly primaries: OrMethodOpts<Expr> = {
    IGNORE_AMBIGUITIES: true,
    ERR_MSG: "an expression",
    DEF: [
      { GATE: () => this.isLabel(), ALT: () => this.SUBRULE(this.labelled) },
      { ALT: () => this.SUBRULE(this.name) },
      { ALT: () => this.number(this.CONSUME(t.Int), "int") },
      { ALT: () => this.number(this.CONSUME(t.Float), "float") },
      { ALT: () => this.string(this.CONSUME(t.Text)) },
      { ALT: () => ({ kind: "bool", value: true, span: this.spanOf(this.CONSUME(t.True)) }) },
      { ALT: () => ({ kind: "bool", value: false, span: this.spanOf(this.CONSUME(t.False)) }) },
      { ALT: () => ({ kind: "none", span: this.spanOf(this.CONSUME(t.None)) }) },
      { ALT: () => this.SUBRULE(this.square) },
      { ALT: () => this.SUBRULE(this.round) },
      { ALT: () => this.SUBRULE(this.conditional) },
    ],
  };
  private primary = this.RULE("primary", (): Expr => this.OR(this.primaries));
  private labelled = this.RULE("labelled", (): Expr => {
    const start = this.LA(1);
    const label = this.SUBRULE(this.callLabel);
    const callee = this.SUBRULE(this.name);
    const args = this.SUBRULE(this.args);
    return { kind: "call", label, callee, args, span: this.since(start) };
  });
  private square = this.RULE("square", (): Expr => {
    const start = this.CONSUME(t.LSquare);
    const loops: { pattern: Pattern; list: Expr }[] = [];
    const items =
      this.OPTION(() =>
        this.items(
          t.RSquare,
          () => this.SUBRULE(this.expr),
          () => this.SUBRULE2(this.expr),
        ),
      ) ?? [];
    this.MANY2({
      GATE: () => items.length === 1 && !t.is(this.LA(0), t.Comma),
      DEF: () => {
        this.CONSUME(t.For);
        const pattern = this.SUBRULE(this.pattern);
        this.CONSUME(t.In);
        loops.push({ pattern, list: this.SUBRULE3(this.expr) });
      },
    });
    this.CONSUME(t.RSquare, { ERR_MSG: loops.length ? "`for` or `]`" : items.length ? "`,` or `]`" : "an expression or `]`" });
    const span = this.since(start);
    return loops.length > 0 ? { kind: "comprehension", value: items[0]!, loops, span } : { kind: "list", form: "square", items, span };
  });
  private round = this.RULE("round", (): Expr => {
    const start = this.CONSUME(t.LParen);
    const items =
      this.OPTION(() =>
        this.items(
          t.RParen,
          () => this.SUBRULE(this.expr),
          () => this.SUBRULE2(this.expr),
        ),
      ) ?? [];
    const list = items.length !== 1 || t.is(this.LA(0), t.Comma);
    this.CONSUME(t.RParen, { ERR_MSG: items.length ? "`,` or `)`" : "an expression or `)`" });
    const span = this.since(start);
    return !list ? { kind: "paren", value: items[0]!, span } : { kind: "list", form: "round", items, span };
  });
  private conditional = this.RULE("conditional", (): Expr => {
    const start = this.CONSUME(t.If);
    const arms: { condition: Expr; body: Block }[] = [];
    arms.push({ condition: this.SUBRULE(this.expr), body: this.SUBRULE(this.block) });
    this.MANY({
      GATE: () => t.is(this.LA(2), t.If),
      DEF: () => {
        this.CONSUME(t.Else);
        this.CONSUME2(t.If);
        arms.push({ condition: this.SUBRULE2(this.expr), body: this.SUBRULE2(this.block) });
      },
    });
    const otherwise = this.OPTION(() => {
      this.CONSUME2(t.Else);
      return this.SUBRULE3(this.block);
    });
    return { kind: "if", arms, otherwise: otherwise ?? null, span: this.since(start) };
  });
  private name = this.RULE("name", (): Name => this.named(this.CONSUME(t.Name)));
  /** Words, numbers and `{constants}` without spaces, dots between them; neighbouring text becomes one part. */
  private label = this.RULE("label", (): Label => {
    const start = this.LA(1);
    const parts = [this.SUBRULE(this.labelPart)];
    this.MANY({
      GATE: () => t.adjacent(this.LA(0), this.LA(1)),
      DEF: () => {
        this.OPTION(() => {
          this.CONSUME(t.Dot);
          parts.push({ kind: "text", text: "." });
        });
        parts.push(this.SUBRULE2(this.labelPart));
      },
    });
    return { kind: "label", parts: joined(parts), span: this.since(start) };
  });
  private labelPart = this.RULE(
    "labelPart",
    (): LabelPart =>
      this.OR<LabelPart>({
        ERR_MSG: "a label",
        DEF: [
          { ALT: () => ({ kind: "text", text: this.CONSUME(t.LabelText).image }) },
          {
            ALT: () => {
              this.CONSUME(t.LCurly);
              const value = this.SUBRULE(this.operation);
              this.CONSUME(t.RCurly);
              return { kind: "hole", value };
            },
          },
        ],
      }),
  );

  /** `item { "," item } [ "," ]` up to `closer`. The two callbacks read an item each; the indices of the steps are this helper's. */
  private items<T>(closer: TokenType, first: () => T, next: () => T): T[] {
    const items = [first()];
    this.MANY({
      GATE: () => !t.is(this.LA(2), closer),
      DEF: () => {
        this.CONSUME(t.Comma);
        items.push(next());
      },
    });
    this.OPTION9(() => this.CONSUME2(t.Comma));
    return items;
  }

  // ---- gates
  /** Words, numbers and `{ }` joined by dots without spaces, then `:`. */
  private isLabel(): boolean {
    let k = 1;
    for (;;) {
      const part = this.LA(k);
      if (t.is(part, t.LCurly)) k = this.closing(k);
      else if (!t.isLabelText(part)) return false;
      if (k === 0) return false;
      const [last, next] = [this.LA(k), this.LA(k + 1)];
      if (!t.adjacent(last, next)) return false;
      if (t.is(next, t.Colon)) return true;
      k += t.is(next, t.Dot) ? 2 : 1;
      if (t.is(next, t.Dot) && !t.adjacent(next, this.LA(k))) return false;
    }
  }
  /** Where the `{` at `k` is closed on its line; 0: nowhere. */
  private closing(k: number): number {
    let depth = 0;
    for (let i = k; ; i++) {
      const type = this.LA(i).tokenType;
      if (type === EOF || (type === t.LineEnd && depth === 1)) return 0;
      if (type === t.LCurly) depth++;
      else if (type === t.RCurly && --depth === 0) return i;
    }
  }
  /** Names, commas and parentheses up to `=`. */
  private isBinding(): boolean {
    let depth = 0;
    let item = false; // just behind a name or `)`
    for (let k = 1; ; k++) {
      const token = this.LA(k);
      if (depth === 0 && (item || k > 1) && (t.is(token, t.Equals) || t.is(token, t.AssignOperator))) return true;
      if (!item && t.isName(token)) item = true;
      else if (!item && t.is(token, t.LParen)) depth++;
      else if (t.is(token, t.RParen) && k > 1 && depth > 0) depth--;
      else if (item && t.is(token, t.Comma)) item = false;
      else return false;
      if (t.is(token, t.RParen)) item = true;
    }
  }
  private atDeclaration(): boolean {
    return startsDeclaration(this.LA(1), this.LA(2));
  }

  // ---- errors
  /** Any token, which has no place here: recorded as consumed, so that lookahead leads here; never consumed. */
  private misplaced(type: TokenType, expected: string): never {
    this.ACTION(() => {
      throw new MismatchedTokenException(expected, this.LA(1), this.LA(0));
    });
    return this.CONSUME(type) as never;
  }
  private endsStatement(): void {
    this.ACTION(() => {
      const type = this.LA(1).tokenType;
      if (type !== t.LineEnd && type !== t.RCurly && type !== EOF && !this.atDeclaration()) this.CONSUME(t.LineEnd);
    });
  }
  private recoverStatement(error: unknown, start: IToken): Statement {
    this.source.failed(this.mistake(error, start));
    this.skipStatement(this.depthSince(start));
    return { kind: "error", span: this.since(start) };
  }
  /** What is not a declaration is skipped up to the next one; behind a broken header the body is read all the same. */
  private recoverDeclaration(error: unknown, start: IToken): void {
    this.source.failed(this.mistake(error, start));
    if (!isDeclarationWord(start)) {
      while (!t.is(this.LA(1), EOF) && !isDeclarationWord(this.LA(1))) this.SKIP_TOKEN();
      return;
    }
    if (this.LA(1) === start) this.SKIP_TOKEN();
    const inHeader = !t.is(start, t.Import) && this.depthSince(start) === 0 && !t.is(this.LA(0), t.RCurly);
    if (inHeader && this.skipToBody()) this.readBody(start);
    this.skipStatement(this.depthSince(start));
  }
  private readBody(start: IToken): void {
    try {
      this.SUBRULE9(this.block);
    } catch (error) {
      this.source.failed(this.mistake(error, start));
    }
  }
  private mistake(error: unknown, start: IToken): Mistake {
    if (!isMistake(error)) throw error;
    const { token: found, message: expected } = error;
    let at = 1;
    while (at > -100 && this.LA(at) !== found) at--;
    if (this.LA(at) !== found) at = 1;
    const before: IToken[] = [];
    for (let k = at - 1; found !== start && k > at - 100 && !t.is(this.LA(k), EOF); k--) {
      before.unshift(this.LA(k));
      if (this.LA(k) === start) break;
    }
    return { found, expected, before, start, next: this.LA(at + 1) };
  }
  /** Blocks and holes that were opened since then and are not closed yet. */
  private depthSince(start: IToken): number {
    let depth = 0;
    for (let k = 0; !t.is(this.LA(k), EOF) && this.LA(k).startOffset >= start.startOffset; k--) depth += nesting(this.LA(k));
    return depth;
  }
  private skipStatement(depth: number): void {
    for (let open = depth; ; open += nesting(this.LA(0))) {
      const next = this.LA(1);
      if (t.is(next, EOF) || (!this.source.full() && this.atDeclaration())) return;
      if (open <= 0 && (t.is(next, t.LineEnd) || t.is(next, t.RCurly)) && !this.source.full()) return;
      this.SKIP_TOKEN();
    }
  }
  private skipToBody(): boolean {
    for (;;) {
      const next = this.LA(1);
      if (t.is(next, t.LCurly)) return true;
      if (t.is(next, EOF) || t.is(next, t.LineEnd) || t.is(next, t.RCurly) || this.atDeclaration()) return false;
      this.SKIP_TOKEN();
    }
  }

  // ---- leaves
  private since(start: IToken): Span {
    return this.span(start, this.LA(0));
  }
  private span(from: IToken, to: IToken): Span {
    return this.RECORDING_PHASE ? nowhere : spanOf(this.source.path, from, to);
  }
  private spanOf(token: IToken): Span {
    return this.span(token, token);
  }
  private named(token: IToken): Name {
    return { kind: "name", name: token.image, span: this.spanOf(token) };
  }
  private number(token: IToken, kind: "int" | "float"): Expr {
    return { kind, value: this.RECORDING_PHASE ? 0 : numberOf(token, this.source), span: this.spanOf(token) };
  }
  private string(token: IToken): Expr {
    return { kind: "string", value: this.text(token), span: this.spanOf(token) };
  }
  private text(token: IToken): string {
    return this.RECORDING_PHASE ? "" : textOf(token, this.source);
  }
  private doc(): string | null {
    return this.RECORDING_PHASE ? null : this.source.docAbove(this.LA(1), this.LA(0));
  }
}
/** While chevrotain records the grammar the rules run without tokens. */
const nowhere: Span = { file: "", start: { line: 1, column: 1 }, end: { line: 1, column: 1 } };
const isMistake = (error: unknown): error is IRecognitionException => error instanceof Error && isRecognitionException(error);
const isDeclarationWord = ({ image, tokenType }: IToken) => t.declarationWords.get(image) === tokenType;
const nesting = (token: IToken) => (t.is(token, t.LCurly) ? 1 : t.is(token, t.RCurly) ? -1 : 0);
interface Signed {
  readonly signs: readonly IToken[];
  readonly value: Expr;
}
type Suffix =
  | { readonly kind: "call"; readonly args: readonly Arg[] }
  | { readonly kind: "index"; readonly items: readonly Index[] }
  | { readonly kind: "field"; readonly name: Name };
type LabelPart = Label["parts"][number];

/** Neighbouring text becomes one part. */
function joined(parts: readonly LabelPart[]): LabelPart[] {
  const out: LabelPart[] = [];
  for (const part of parts) {
    const last = out.at(-1);
    if (last?.kind === "text" && part.kind === "text") out[out.length - 1] = { kind: "text", text: last.text + part.text };
    else out.push(part);
  }
  return out;
}

let parser: DlmParser | undefined;
/** Reads what token-pass.ts made of a file. The parser is built once, on first use. */
export function readDeclarations(tokens: IToken[], source: Source): Declaration[] {
  parser ??= new DlmParser();
  return parser.read(tokens, source);
}
