/** Where an expression is evaluated: the body, its names, its place among the instances, and whom errors are told to. */
import { CompileError, type Diagnostic, diagnostic, type Note, type Span } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { withOrigin } from "../../../ir/op.ts";
import type { Block } from "../ast.ts";
import type { Instance } from "./instance.ts";
import type { Session } from "./session.ts";
import type { SourceFile } from "./source.ts";
import { unknown, type Value } from "./values.ts";

/** How a name came to its value; the words of notes. */
export type Form = "input" | "argument" | "dimension" | "binding" | "loop" | "param" | "state" | "instance";
export interface Binding {
  /** null: not evaluated yet, see `pending`. */
  value: Value | null;
  readonly form: Form;
  readonly span: Span | null;
  /** Evaluates a default at its first use. */
  readonly pending: (() => Value) | null;
}
export interface Scope {
  readonly names: Map<string, Binding>;
  /** Names that a branch not taken, or a loop without rounds, would have bound, and where. */
  readonly skipped: Map<string, { readonly span: Span; readonly why: string }>;
  readonly parent: Scope | null;
}
export const newScope = (parent: Scope | null): Scope => ({ names: new Map(), skipped: new Map(), parent });

export interface Frame {
  readonly session: Session;
  readonly kind: "const" | "fn" | "layer" | "model" | "train" | "initial";
  /** Name of the declaration, for messages. */
  readonly name: string;
  readonly file: SourceFile;
  /** null: a constant or a default, where nothing can be instantiated. */
  readonly body: Block | null;
  scope: Scope;
  readonly training: boolean;
  /** Owner of parameters made here. */
  readonly instance: Instance | null;
  /** Path of the nearest instance, for origins. */
  readonly path: string;
  /** The chain of calls that leads here, for random numbers. */
  readonly place: string;
  /** What random numbers count: the micro-step in training, else 0. */
  readonly counter: Node;
  /** Round of each loop around the statement at hand. */
  readonly loops: number[];
  /** Labels used in this application. */
  readonly labels: Map<string, Span>;
  readonly caller: Caller | null;
}
/** The call that a frame serves. */
export interface Caller {
  readonly frame: Frame;
  readonly span: Span;
  /** `layer1.0: Block`. */
  readonly subject: string;
}

/** The user's own code that a frame of the standard library works for, and the place there. */
function userPlace(frame: Frame, span: Span): { readonly frame: Frame; readonly span: Span } {
  let place = { frame, span };
  while (place.frame.file.standard && place.frame.caller) place = { frame: place.frame.caller.frame, span: place.frame.caller.span };
  return place;
}
/** In the standard library, places are those of the user's call. */
export const userSpan = (frame: Frame, span: Span): Span => userPlace(frame, span).span;

const shownCalls = 3;
/** "in `layer1.0: Block` at ...", innermost first: how the program got here. */
function callNotes(frame: Frame, span: Span): Note[] {
  const notes: Note[] = [];
  for (let c = userPlace(frame, span).frame.caller; c && notes.length < shownCalls; c = c.frame.caller) {
    if (!c.frame.file.standard) notes.push({ message: `in \`${c.subject}\``, span: c.span });
  }
  return notes;
}

/** The user's mistake, at a place of the body. */
export function complain(
  frame: Frame,
  code: string,
  message: string,
  span: Span,
  more: { help?: string | null; notes?: readonly Note[] } = {},
): never {
  throw new CompileError([
    diagnostic(code, message, userSpan(frame, span), {
      ...(more.help == null ? {} : { help: more.help }),
      notes: [...(more.notes ?? []), ...callNotes(frame, span)],
    }),
  ]);
}
/** More errors of one statement help nobody. */
const mostTogether = 20;
/** `f` of every item, each independent of the others: the errors of all are thrown together. */
export function mapAll<T, R>(frame: Frame, items: readonly T[], f: (item: T, index: number) => R): R[] {
  const { budget } = frame.session.world;
  const { nesting, depth } = budget;
  const { scope } = frame;
  const loops = frame.loops.length;
  const found: Diagnostic[] = [];
  const results: R[] = [];
  for (const [i, item] of items.entries()) {
    try {
      results.push(f(item, i));
    } catch (e) {
      if (!(e instanceof CompileError) || budget.spent) throw e;
      found.push(...e.diagnostics);
      [budget.nesting, budget.depth, frame.scope, frame.loops.length] = [nesting, depth, scope, loops];
      if (found.length >= mostTogether) break;
    }
  }
  if (found.length > 0) throw new CompileError(found);
  return results;
}
/** The same for two things of different types. */
export function both<A, B>(frame: Frame, a: () => A, b: () => B): [A, B] {
  return mapAll<() => A | B, A | B>(frame, [a, b], (f) => f()) as [A, B];
}
/** Runs `f`, which makes nodes, as coming from a place of the body. Errors of shape rules get the notes of the calls. */
export function at<T>(frame: Frame, span: Span, f: () => T): T {
  const origin = { span: userSpan(frame, span), path: frame.path };
  try {
    return withOrigin(origin, f);
  } catch (e) {
    const notes = callNotes(frame, span);
    const bare = e instanceof CompileError && notes.length > 0 && e.diagnostics.every((d) => d.notes.length === 0);
    throw bare ? new CompileError(e.diagnostics.map((d) => ({ ...d, notes }))) : e;
  }
}

export function warn(frame: Frame, code: string, message: string, span: Span, help: string): void {
  if (!frame.file.standard) frame.session.world.problems.report(diagnostic(code, message, span, { severity: "warning", help }));
}

export function bind(frame: Frame, name: string, value: Value, form: Form, span: Span | null): void {
  if (name === "_") return;
  frame.scope.names.set(name, { value, form, span, pending: null });
  frame.scope.skipped.delete(name);
}
/** Binds names to the unknown value, so that no error follows from the one reported. */
export function poison(frame: Frame, names: readonly { readonly name: string; readonly span: Span }[]): void {
  for (const { name, span } of names) bind(frame, name, unknown, "binding", span);
}
export function skip(frame: Frame, names: readonly { readonly name: string; readonly span: Span }[], why: string): void {
  for (const { name, span } of names) if (!isBound(frame.scope, name)) frame.scope.skipped.set(name, { span, why });
}
const isBound = (scope: Scope | null, name: string): boolean => scope !== null && (scope.names.has(name) || isBound(scope.parent, name));
