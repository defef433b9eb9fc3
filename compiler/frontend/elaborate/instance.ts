/** Instances of layers: paths of their parameters, places of their random numbers, and which call sites make them. */
import type { Span } from "../../../ir/diagnostic.ts";
import type { Block, Expr, Label } from "../ast.ts";
import { walk } from "../walk.ts";
import { complain, type Frame } from "./frame.ts";
import { joinPath, snakeCase } from "./paths.ts";
import { describe, type LayerValue, type Value } from "./values.ts";

export interface Instance {
  readonly layer: LayerValue;
  /** Labels from the root, joined by dots: what parameter names begin with. */
  readonly path: string;
  /** The chain of calls that made it. */
  readonly place: string;
  /** Instances made inside, by label. */
  readonly children: Map<string, Instance>;
  /** Number of applications so far. */
  applied: number;
  /** An application failed: parameters may be missing. */
  broken: boolean;
}
export const newInstance = (layer: LayerValue, path: string, place: string): Instance => ({
  layer,
  path,
  place,
  children: new Map(),
  applied: 0,
  broken: false,
});

/** The call expression that a frame is at, and how it is labelled. */
export interface CallSite {
  readonly node: object;
  /** The callee as written; "" where it is not a name. */
  readonly callee: string;
  readonly label: Label | null;
  /** The call without what is piped into it. */
  readonly span: Span;
}

/** The instance of `layer` labelled `label` inside the frame's instance: made at the first application, found at the next. */
export function instanceAt(frame: Frame, site: CallSite, label: string, layer: LayerValue): Instance {
  const owner = frame.instance;
  if (!owner) {
    const what = frame.kind === "fn" ? `the fn \`${frame.name}\` owns no parameters: it cannot make` : "a constant cannot make";
    return complain(frame, "name", `${what} ${describe(layer)}`, site.span, { help: "declare it as a `layer`, or pass an instance in" });
  }
  const before = label === "_" ? undefined : frame.labels.get(label);
  if (before) {
    const inLoop = frame.loops.length ? `in a loop, put its index into the label: ${label}{i}` : null;
    const help = site.label ? inLoop : `label it: name: ${site.callee}(...)`;
    complain(frame, "label", `the label \`${label}\` is used twice`, site.span, {
      help,
      notes: [{ message: "it is used before", span: before }],
    });
  }
  frame.labels.set(label, site.span);
  const element = label === "_" ? placeElement(frame, site) : label;
  const had = owner.children.get(element);
  if (had) return had;
  const made = newInstance(layer, joinPath(owner.path, label), `${frame.place}/${element}`);
  owner.children.set(element, made);
  return made;
}

/** The label that an unlabelled layer call has: `linear_2`, in loops `conv2d_1.0`. */
export const implicitLabel = (frame: Frame, site: CallSite): string =>
  [`${snakeCase(site.callee)}_${numberOf(frame, site)}`, ...frame.loops].join(".");

/** What a call adds to the chain of calls: its name and number in the source text, and the rounds of the loops around it. */
export const placeElement = (frame: Frame, site: CallSite): string =>
  [`${site.label ? "_:" : ""}${site.callee}#${numberOf(frame, site)}`, ...frame.loops].join(".");

const numbers = new WeakMap<Block, ReadonlyMap<object, number>>();
/** Number of a call among the calls of that name in the source text of the body; 0 outside of bodies. */
function numberOf(frame: Frame, site: CallSite): number {
  if (!frame.body) return 0;
  let all = numbers.get(frame.body);
  if (!all) {
    all = numberCalls(frame.body);
    numbers.set(frame.body, all);
  }
  return all.get(site.node) ?? 0;
}
function numberCalls(body: Block): ReadonlyMap<object, number> {
  const calls: { readonly node: object; readonly name: string; readonly span: Span }[] = [];
  walk(body, (e) => {
    if (e.kind === "call" || e.kind === "pipe") calls.push({ node: e, name: nameOf(e), span: e.callee.span });
    else if (e.kind === "use") calls.push({ node: e, name: `_${e.callee.name}`, span: e.callee.span });
  });
  calls.sort((a, b) => a.span.start.line - b.span.start.line || a.span.start.column - b.span.start.column);
  const counts = new Map<string, number>();
  return new Map(
    calls.map(({ node, name }) => {
      const n = (counts.get(name) ?? 0) + 1;
      counts.set(name, n);
      return [node, n];
    }),
  );
}
const nameOf = (e: Extract<Expr, { kind: "call" | "pipe" }>): string =>
  `${e.label ? "_" : ""}${e.callee.kind === "name" ? e.callee.name : ""}`;

/** A parameter or state of an instance, as a tensor: `enc.weight`, `enc["layer1.0.weight"]`. */
export function memberOf(frame: Frame, instance: Instance, member: string, span: Span): Value {
  const { session } = frame;
  const path = joinPath(instance.path, member);
  const declared = session.made.has(path) ? session.world.variables.get(path) : undefined;
  if (declared) return { kind: "tensor", node: session.states.get(path) ?? declared.leaf };
  if (instance.broken) return { kind: "unknown" };
  const prefix = instance.path === "" ? "" : `${instance.path}.`;
  const others = [...session.made.keys()].filter((p) => p.startsWith(prefix)).map((p) => p.slice(prefix.length));
  const help = others.length
    ? `it has ${others
        .slice(0, 6)
        .map((o) => (/^\w+$/.test(o) ? `.${o}` : `["${o}"]`))
        .join(", ")}${others.length > 6 ? ", ..." : ""}`
    : "its parameters exist after its first application";
  return complain(frame, "name", `${describe({ kind: "instance", instance, given: [] })} has no parameter \`${member}\` here`, span, {
    help,
  });
}
