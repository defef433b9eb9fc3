/** Arguments of calls: positional, then named, each for one parameter. */
import type { Span } from "../../../ir/diagnostic.ts";
import type { Expr } from "../ast.ts";
import { complain, type Frame, mapAll } from "./frame.ts";
import { helpForArgument } from "./suggest.ts";
import { describe, type Value } from "./values.ts";

export interface Argument {
  /** null: positional. */
  readonly name: string | null;
  readonly value: Value;
  readonly span: Span;
  /** As written, for notes; null for what `use` or the command line gave. */
  readonly expr: Expr | null;
}
/** What a message says about a call. */
export interface Called {
  readonly frame: Frame;
  readonly span: Span;
  /** "conv1: Conv2d". */
  readonly subject: string;
  /** "Conv2d". */
  readonly callee: string;
  /** Help where these arguments may have been meant in another order. */
  readonly order?: (args: readonly Argument[]) => string | null;
}

/** Arguments by parameter: positional ones fill `order` from the left. */
export function matchArguments(
  order: readonly string[],
  names: readonly string[],
  args: readonly Argument[],
  c: Called,
): Map<string, Argument> {
  const given = new Map<string, Argument>();
  fillArguments(given, order, names, args, c);
  return given;
}
/** Adds arguments to those given before. */
export function fillArguments(
  given: Map<string, Argument>,
  order: readonly string[],
  names: readonly string[],
  args: readonly Argument[],
  c: Called,
): void {
  const positional = args.filter((a) => a.name === null);
  if (positional.length > order.length) tooMany(order, positional, c);
  let next = 0;
  mapAll(c.frame, args, (arg) => {
    const name = arg.name ?? order[next++]!;
    if (!names.includes(name)) {
      complain(c.frame, "argument", `\`${c.callee}\` has no parameter \`${name}\``, arg.span, { help: helpForArgument(name, names) });
    }
    const before = given.get(name);
    if (before) {
      const notes = [{ message: `\`${name}\` is already ${describe(before.value)}`, span: before.span }];
      complain(c.frame, "argument", `${c.subject} gets \`${name}\` twice`, arg.span, { notes, help: c.order?.(args) ?? null });
    }
    given.set(name, arg);
  });
}
function tooMany(order: readonly string[], args: readonly Argument[], c: Called): never {
  const takes =
    order.length === 0
      ? "no positional arguments"
      : `${order.length} positional argument${order.length === 1 ? "" : "s"} (${order.join(", ")})`;
  const message = `\`${c.callee}\` takes ${takes}, got ${args.length}`;
  return complain(c.frame, "argument", message, args[order.length]!.span, { help: helpForNumbers(order, args, c) });
}
/** `permute(x, 0, 2, 1)`, as in PyTorch. */
function helpForNumbers(order: readonly string[], args: readonly Argument[], { callee }: Called): string | null {
  const numbers = args.slice(order.length - 1);
  if (order.length === 0 || !["shape", "axes"].includes(order.at(-1)!) || numbers.some((a) => a.value.kind !== "int")) return null;
  const [first] = order;
  const list = `[${numbers.map((a) => (a.expr?.kind === "name" ? a.expr.name : a.value.kind === "int" ? a.value.value : "")).join(", ")}]`;
  return `numbers that belong together are a list: ${callee}(${order.length > 1 ? `${first}, ` : ""}${list})`;
}

export function missing(c: Called, name: string, what: string | null): never {
  const help = /^(zeros|ones)$/.test(c.callee) ? `as an initial value write ${c.callee}, without parentheses` : null;
  return complain(c.frame, "argument", `${c.subject} needs \`${name}\`${what ? ` (${what})` : ""}`, c.span, { help });
}

/** Takes `training=...` out of the arguments: any call may switch training off for all inside. */
export function takeTraining(args: readonly Argument[], c: Called): { readonly args: readonly Argument[]; readonly training: boolean } {
  const given = args.find((a) => a.name === "training");
  if (!given) return { args, training: c.frame.training };
  const { value } = given;
  if (value.kind !== "bool" && value.kind !== "unknown") {
    complain(c.frame, value.kind === "tensor" ? "constant" : "type", `\`training\` is a constant bool, got ${describe(value)}`, given.span);
  }
  return { args: args.filter((a) => a !== given), training: c.frame.training && value.kind === "bool" && value.value };
}
