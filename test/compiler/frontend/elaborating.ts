/** Elaborating programs in tests. */
import { type ElaborateRequest, elaborate } from "../../../compiler/frontend/elaborate.ts";
import type { Module } from "../../../compiler/frontend/module.ts";
import { CompileError } from "../../../ir/diagnostic.ts";
import type { Graph } from "../../../ir/graph/graph.ts";
import { printGraph } from "../../../ir/graph/print.ts";
import { verifyGraph } from "../../../ir/graph/verify.ts";

export interface Options extends Partial<Omit<ElaborateRequest, "path" | "text" | "resolve">> {
  /** Other files by path; "std/..." too. */
  readonly files?: Readonly<Record<string, string>>;
}
export const request = (text: string, { files = {}, ...options }: Options = {}): ElaborateRequest => ({
  path: "net.dlm",
  text,
  resolve: (path) => files[path] ?? null,
  model: null,
  trainBlock: null,
  dims: {},
  batch: null,
  set: {},
  train: false,
  ...options,
});

/** A module whose graphs hold together. */
export function build(text: string, options?: Options): Module {
  const module = elaborate(request(text, options));
  const graphs = [module.forward, ...(module.training ? [module.training.step, module.training.evaluate] : [])];
  const problems = graphs.flatMap(verifyGraph);
  if (problems.length) throw new Error(problems.join("\n"));
  return module;
}

/** The rendered diagnostics of a program that must not elaborate. */
export function mistakes(text: string, options?: Options): string {
  try {
    elaborate(request(text, options));
  } catch (e) {
    if (e instanceof CompileError) return e.message;
    throw e;
  }
  throw new Error("no mistake was found");
}
/** The first line of each diagnostic. */
export const headlines = (text: string, options?: Options): string[] =>
  mistakes(text, options)
    .split("\n")
    .filter((line) => /^(error|warning)\[/.test(line));

/** `conv1.weight f32[32,1,5,5]` for every parameter and state, in order. */
export const variables = (module: Module): string[] =>
  module.variables.map((v) => `${v.kind === "state" ? "state " : ""}${v.name} ${v.type.dtype}[${v.type.shape.join(",")}]`);
export const names = (module: Module): string[] => module.variables.map((v) => v.name);

/** The operations of a graph as lines of text, without leaves. */
export const lines = (graph: Graph): string[] =>
  printGraph(graph)
    .trim()
    .split("\n")
    .slice(1, -1)
    .map((l) => l.trim())
    .filter((l) => !l.startsWith("@"));

/** A model over x: f32[4, 6] with this body, which binds y. */
export const modelOf = (body: string): string => `model M(x: f32[4, 6]) -> y {\n${body}\n}\n`;
/** Type of the first output of a body. */
export function typeOf(body: string, options?: Options): string {
  const { type } = build(modelOf(body), options).forward.outputs[0]!.value;
  return `${type.dtype}[${type.shape.join(",")}]`;
}
/** Number of trained scalars of the saved model. */
export const parameterCount = (module: Module): number =>
  module.variables.filter((v) => v.kind === "param" && v.saved).reduce((n, v) => n + v.type.shape.reduce((a, b) => a * b, 1), 0);
