/** Reads what `print.ts` writes. Mistakes are `SyntaxError`s with the line; comments run from `#` to its end. */
import { type Layout, layout } from "../layout.ts";
import { type AttrKind, type Op, withOrigin } from "../op.ts";
import { opByName } from "../ops/index.ts";
import { counter, input } from "../ops/leaf.ts";
import { type DType, dtypes, printType, type Shape, sameType, type TensorType, tensor } from "../type.ts";
import { fits } from "./attribute.ts";
import { type Attr, type Attrs, type Graph, type Node, type Output, type Update, variableKinds } from "./graph.ts";

/**
 *     graph  = "graph" word "(" [ "%name" [ string ] ":" type { "," ... } ] ")" "{" { line } return { update } "}"
 *     line   = "@name" "=" kind string type  |  "%name" "=" op "(" [ name { "," name } ] ")" [ "{" attrs "}" ] ":" type
 *     return = "return" [ word "=" name { "," word "=" name } ]        update = "update" "@name" "=" name
 *     attrs  = word "=" value { "," word "=" value }                   word   = name without quotes | string
 *     value  = number | "true" | "false" | string | "[" [ number { "," number } ] "]"
 *     type   = dtype "[" extents "]" [ "{" layout "}" ]
 */
export function parseGraph(text: string): Graph {
  return withOrigin(null, () => new GraphParser(text).graph());
}

const words = {
  name: /[A-Za-z_][\w.]*/y,
  value: /[%@][\w.]+/y,
  string: /"(?:[^"\\\n]|\\.)*"/y,
  number: /-?(?:inf|nan|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/y,
  type: /([a-z]\w*)\[([\d,\s]*)\](?:\{([^}\n]*)\})?/y,
  space: /(?:\s|#[^\n]*)*/y,
} as const;

class GraphParser {
  private at = 0;
  private readonly nodes = new Map<string, Node>();
  private readonly text: string;
  constructor(text: string) {
    this.text = text;
    this.skip();
  }

  graph(): Graph {
    this.expect("graph");
    const name = this.word("the name of the graph");
    this.expect("(");
    const inputs = this.list(")", () => this.input());
    this.expect("{");
    for (;;) {
      if (this.peek("@")) this.variable();
      else if (this.peek("%")) this.call();
      else break;
    }
    const outputs = this.outputs();
    const updates: Update[] = [];
    while (!this.take("}")) updates.push(this.update());
    if (this.at < this.text.length) this.fail("expected the end of the text");
    return { name, inputs, outputs, updates };
  }

  private input(): Node {
    const start = this.at;
    const value = this.fresh("%");
    const name = this.peek('"') ? this.string() : value.slice(1);
    this.expect(":");
    const type = this.type();
    return this.define(value, this.typed(input.make([], { name, dtype: type.dtype, shape: type.shape }), type, start));
  }

  private call(): void {
    const start = this.at;
    const value = this.fresh("%");
    this.expect("=");
    const op = this.op();
    this.expect("(");
    const inputs = this.list(")", () => this.operand());
    const attrs = this.take("{") ? this.attrs(op) : {};
    this.expect(":");
    const written = this.at;
    const type = this.type();
    this.define(value, this.typed(this.make(op, inputs, attrs, start), type, written));
  }
  private variable(): void {
    const start = this.at;
    const value = this.fresh("@");
    this.expect("=");
    const kind = this.match("name", "the kind of a variable")[0];
    if (!variableKinds.some((k) => k === kind)) this.fail(`expected ${variableKinds.join(", ")}, found ${kind}`);
    const name = this.string();
    const type = this.type();
    const op = opByName.get(kind)!;
    const node = this.make(op, [], op === counter ? { name } : { name, dtype: type.dtype, shape: type.shape }, start);
    this.define(value, this.typed(node, type, start));
  }

  private op(): Op {
    const start = this.at;
    const name = this.match("name", "an operation")[0];
    return opByName.get(name) ?? this.fail(`there is no operation ${name}`, start);
  }
  /** `start` is where the line begins. */
  private make(op: Op, inputs: readonly Node[], attrs: Attrs, start: number): Node {
    const { schema } = op;
    for (const [key, spec] of Object.entries(schema.attrs)) {
      if (!(key in attrs) && spec.default === undefined) this.fail(`${schema.name} needs the attribute ${key}`, start);
    }
    const variadic = schema.inputs.at(-1)?.startsWith("...") ?? false;
    if (variadic ? inputs.length < schema.inputs.length - 1 : inputs.length !== schema.inputs.length) {
      this.fail(`${schema.name} takes (${schema.inputs.join(", ")}), got ${inputs.length} operands`, start);
    }
    try {
      return op.make(inputs, attrs);
    } catch (e) {
      return this.fail(e instanceof Error ? e.message : String(e), start);
    }
  }
  private attrs(op: Op): Attrs {
    const start = this.at;
    const list = this.list("}", () => this.attr(op));
    const twice = list.find(([key], i) => list.findIndex(([k]) => k === key) < i);
    if (twice) this.fail(`attribute ${twice[0]} is given twice`, start);
    return Object.fromEntries(list);
  }
  private attr(op: Op): readonly [string, Attr] {
    const start = this.at;
    const key = this.match("name", "an attribute")[0];
    const spec = Object.hasOwn(op.schema.attrs, key)
      ? op.schema.attrs[key]!
      : this.fail(`${op.schema.name} has no attribute ${key}`, start);
    this.expect("=");
    const value = this.attrValue(spec.kind);
    if (!fits(spec.kind, value)) this.fail(`attribute ${key} must be ${spec.kind}`, start);
    return [key, value];
  }
  private attrValue(kind: AttrKind): Attr {
    switch (kind) {
      case "int":
      case "float":
        return this.number();
      case "bool":
        return this.take("true") || (this.take("false") ? false : this.fail(`expected true or false, found ${this.found()}`));
      case "string":
        return this.string();
      case "ints":
      case "floats":
        this.expect("[");
        return this.list("]", () => this.number());
    }
  }

  private outputs(): Output[] {
    this.expect("return");
    const outputs: Output[] = [];
    if (this.peek("}") || /^update\s+[%@]/.test(this.text.slice(this.at, this.at + 100))) return outputs;
    do {
      const name = this.word("the name of an output");
      this.expect("=");
      outputs.push({ name, value: this.operand() });
    } while (this.take(","));
    return outputs;
  }
  private update(): Update {
    this.expect("update");
    const start = this.at;
    const target = this.operand();
    if (!this.text.startsWith("@", start)) this.fail("only variables are updated", start);
    this.expect("=");
    return { target, value: this.operand() };
  }

  /* ---- values ---- */

  private fresh(sign: "%" | "@"): string {
    const start = this.at;
    const value = this.match("value", `a ${sign}name`)[0];
    if (!value.startsWith(sign)) this.fail(`expected a ${sign}name, found ${value}`, start);
    if (this.nodes.has(value)) this.fail(`${value} is defined twice`, start);
    return value;
  }
  private define(value: string, node: Node): Node {
    this.nodes.set(value, node);
    return node;
  }
  private operand(): Node {
    const start = this.at;
    const value = this.match("value", "a value")[0];
    return this.nodes.get(value) ?? this.fail(`${value} is not defined above`, start);
  }
  /** Checks the written type and takes its layout. */
  private typed(node: Node, type: TensorType, start: number): Node {
    if (!sameType(node.type, type)) this.fail(`${node.op.schema.name} gives ${printType(node.type)}, not ${printType(type)}`, start);
    return type.layout ? { ...node, type } : node;
  }

  /* ---- tokens ---- */

  private type(): TensorType {
    const start = this.at;
    const [, dtype = "", extents = "", dims] = this.match("type", "a type such as f32[2,3]");
    if (!dtypes.some((d) => d === dtype)) this.fail(`there is no element type ${dtype}`, start);
    const shape: Shape = extents.trim() === "" ? [] : extents.split(",").map(Number);
    if (!shape.every((d) => Number.isInteger(d) && d > 0)) this.fail("extents must be positive integers", start);
    return tensor(dtype as DType, shape, dims === undefined ? null : this.layout(dims, start));
  }
  private layout(text: string, start: number): Layout {
    try {
      return layout(text);
    } catch (e) {
      return this.fail(e instanceof Error ? e.message : String(e), start);
    }
  }
  private number(): number {
    const [text] = this.match("number", "a number");
    const [sign, digits] = text.startsWith("-") ? [-1, text.slice(1)] : [1, text];
    return sign * (digits === "inf" ? Number.POSITIVE_INFINITY : digits === "nan" ? Number.NaN : Number(digits));
  }
  private string(): string {
    const start = this.at;
    const [text] = this.match("string", "a string");
    try {
      return JSON.parse(text) as string;
    } catch {
      return this.fail(`${text} is not a string`, start);
    }
  }
  private word(what: string): string {
    return this.peek('"') ? this.string() : this.match("name", what)[0];
  }
  private list<T>(end: string, item: () => T): T[] {
    const items: T[] = [];
    if (this.take(end)) return items;
    do items.push(item());
    while (this.take(","));
    this.expect(end);
    return items;
  }

  private peek(token: string): boolean {
    if (!this.text.startsWith(token, this.at)) return false;
    return !/\w$/.test(token) || !/[\w.]/.test(this.text[this.at + token.length] ?? "");
  }
  private take(token: string): boolean {
    if (!this.peek(token)) return false;
    this.at += token.length;
    this.skip();
    return true;
  }
  private expect(token: string): void {
    if (!this.take(token)) this.fail(`expected ${token}, found ${this.found()}`);
  }
  private match(kind: keyof typeof words, what: string): RegExpExecArray {
    const m = this.run(kind) ?? this.fail(`expected ${what}, found ${this.found()}`);
    this.at += m[0].length;
    this.skip();
    return m;
  }
  private run(kind: keyof typeof words): RegExpExecArray | null {
    words[kind].lastIndex = this.at;
    return words[kind].exec(this.text);
  }
  private skip(): void {
    this.at += this.run("space")?.[0].length ?? 0;
  }
  private found(): string {
    return this.at >= this.text.length ? "the end" : JSON.stringify(/^\S+/.exec(this.text.slice(this.at, this.at + 40))?.[0] ?? "");
  }
  private fail(message: string, at = this.at): never {
    throw new SyntaxError(`line ${this.text.slice(0, at).split("\n").length}: ${message}`);
  }
}
