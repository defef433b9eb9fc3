/** What one elaboration shares: the files, the variables found, the budget; and what one walk over the program collects. */
import { CompileError, type Diagnostic, diagnostic, type Span } from "../../../ir/diagnostic.ts";
import type { Node } from "../../../ir/graph/graph.ts";
import { ops } from "../../../ir/ops/index.ts";
import type { Const } from "../ast.ts";
import type { Optimizer, VariableDeclaration } from "../module.ts";
import type { Builtin } from "./builtin.ts";
import type { Instance } from "./instance.ts";
import type { Declared, SourceFile } from "./source.ts";
import type { Value } from "./values.ts";

/** Bounds on the expansion of a program. */
export const limits = {
  /** Applications inside each other. */
  depth: 64,
  /** Expressions inside each other, over all applications: the stack of the compiler. */
  nesting: 1200,
  /** Expressions evaluated in all, and what else takes time, counted in them. */
  steps: 2_000_000,
  nodes: 100_000,
  elements: 2 ** 30,
  list: 100_000,
  /** Numbers of a literal table. */
  table: 2 ** 20,
  text: 10_000,
} as const;

/** The list of diagnostics, without repetitions: a body is elaborated once per application, the user reads it once. */
export interface Problems {
  readonly all: Diagnostic[];
  readonly report: (d: Diagnostic) => void;
  readonly errors: () => number;
}
export function newProblems(): Problems {
  const all: Diagnostic[] = [];
  const seen = new Set<string>();
  let errors = 0;
  const report = (d: Diagnostic): void => {
    const s = d.span;
    const key = `${d.code}|${s ? `${s.file}:${s.start.line}:${s.start.column}-${s.end.line}:${s.end.column}` : d.message}`;
    if (seen.has(key)) return;
    seen.add(key);
    all.push(d);
    if (d.severity === "error") errors++;
  };
  return { all, report, errors: () => errors };
}

export interface Budget {
  steps: number;
  nodes: number;
  nesting: number;
  depth: number;
  /** A bound was reached: nothing goes on. */
  spent: boolean;
}

export interface Variable {
  readonly declaration: VariableDeclaration;
  readonly leaf: Node;
}
export interface World {
  readonly root: SourceFile;
  readonly library: ReadonlyMap<string, Declared>;
  readonly builtins: ReadonlyMap<string, Builtin>;
  readonly problems: Problems;
  readonly budget: Budget;
  /** By path, in creation order. */
  readonly variables: Map<string, Variable>;
  /** Values of constants; "busy" while one is evaluated. */
  readonly constants: Map<Const, Value | "busy">;
  /** Constants of the root file given from outside. */
  readonly overrides: Map<string, Value>;
  /** Whether unlabelled layers get a note. */
  readonly suggests: boolean;
  /** Declarations whose body was walked. */
  readonly entered: Set<object>;
  /** Value of a dimension that nothing in the source gives. */
  readonly freeDim: (name: string, fallback: number | null) => number;
  readonly dims: Map<string, number>;
  readonly seed: Node;
  readonly microStep: Node;
  readonly zero: Node;
  /** Told of every application of a declared function or layer, when it has given its result. */
  readonly onApplication: ((a: Application) => void) | null;
}
/** One application of a function or layer: what it was given and what it gave. */
export interface Application {
  readonly callee: string;
  /** The standard library declares it. */
  readonly standard: boolean;
  /** Of the instance; of a function, of the nearest instance around it. */
  readonly path: string;
  /** Values of all parameters, defaults included. */
  readonly args: ReadonlyMap<string, Value>;
  readonly result: Value;
}
type Fixed = "root" | "library" | "builtins" | "problems" | "freeDim";
type Optional = "suggests" | "entered" | "onApplication";
export const newWorld = (given: Pick<World, Fixed> & Partial<Pick<World, Optional>>): World => ({
  suggests: false,
  entered: new Set(),
  onApplication: null,
  ...given,
  budget: { steps: 0, nodes: 0, nesting: 0, depth: 0, spent: false },
  variables: new Map(),
  constants: new Map(),
  overrides: new Map(),
  dims: new Map(),
  seed: ops.counter({}, { name: "seed" }),
  microStep: ops.counter({}, { name: "micro_step" }),
  zero: ops.full({}, { value: 0, dtype: "i32", shape: [] }),
});

/** One parameter path made in a walk: by which statement, of which instance. */
export interface Made {
  readonly statement: object;
  readonly instance: Instance;
  readonly span: Span;
}
/** What a train block says beside its tensors. */
export interface TrainRecord {
  readonly metrics: Map<string, { readonly value: Node; readonly span: Span }>;
  readonly losses: { readonly globs: readonly GlobAt[]; readonly value: Value; readonly span: Span }[];
  readonly optimizers: { readonly globs: readonly GlobAt[] | null; readonly optimizer: Optimizer; readonly span: Span }[];
  readonly freeze: GlobAt[];
  /** Those of optimizers and losses. */
  readonly groups: GlobAt[];
}
export interface GlobAt {
  readonly text: string;
  readonly span: Span;
}
/** One walk over the program, for prediction or for a training step. */
export interface Session {
  readonly world: World;
  readonly training: boolean;
  /** Leaves of the signature, in order. */
  readonly inputs: Node[];
  readonly made: Map<string, Made>;
  /** Current content of declared states: what a read sees. */
  readonly states: Map<string, Node>;
  /** Which state a node reads. */
  readonly statePaths: Map<Node, string>;
  readonly updates: Map<string, Node>;
  readonly train: TrainRecord;
  readonly docs: Map<string, string>;
  /** Bindings of the train block, by the span of their name ... */
  readonly bound: Map<Span, string>;
  /** ... and those that something reads. */
  readonly used: Set<Span>;
}
export const newSession = (world: World, training: boolean): Session => ({
  world,
  training,
  inputs: [],
  made: new Map(),
  states: new Map(),
  statePaths: new Map(),
  updates: new Map(),
  train: { metrics: new Map(), losses: [], optimizers: [], freeze: [], groups: [] },
  docs: new Map(),
  bound: new Map(),
  used: new Set(),
});

/** Counts work, so that no program elaborates for ever. */
export function charge(budget: Budget, steps: number, span: Span | null): void {
  budget.steps += steps;
  if (budget.steps <= limits.steps) return;
  exceed(budget, `the program expands to more than ${limits.steps} steps`, span, "is there a recursion without end, or a very long loop?");
}
/** Steps that a thing costs beside the evaluation of its parts, by what it takes: about half a microsecond each. */
export const costs = { application: 160, operation: 15 } as const;

/** Stops the elaboration: the program expands beyond a bound. */
export function exceed(budget: Budget, message: string, span: Span | null, help: string): never {
  budget.spent = true;
  throw new CompileError([diagnostic("limit", message, span, { help })]);
}
