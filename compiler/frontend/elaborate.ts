/**
 * Stage 2: syntax trees to graphs. Names are resolved, layers instantiated, loops unrolled, every value typed.
 *
 * The model's body is walked for prediction (`training` false) and, to train, for the step (`training` true); the train
 * block is walked after each. All walks share variables, by path.
 */
import { CompileError, type Diagnostic, diagnostic } from "../../ir/diagnostic.ts";
import { type Dims, printDims } from "../../ir/program.ts";
import type { Train } from "./ast.ts";
import type { Argument } from "./elaborate/arguments.ts";
import { builtins } from "./elaborate/builtins/index.ts";
import { unknownNames } from "./elaborate/check-names.ts";
import type { Frame } from "./elaborate/frame.ts";
import { modelFrame, runModel } from "./elaborate/model.ts";
import { readOverrides } from "./elaborate/overrides.ts";
import { type Application, limits, newProblems, newSession, newWorld, type Problems, type World } from "./elaborate/session.ts";
import { type Loaded, loadFiles, type SourceFile, standardLibrary } from "./elaborate/source.ts";
import { nearest } from "./elaborate/suggest.ts";
import { batchName, blockName, choose, type Target, targetsOf } from "./elaborate/target.ts";
import { checkUsed, graphOf, runTrain } from "./elaborate/train.ts";
import type { Module, Training } from "./module.ts";

export interface ElaborateRequest {
  readonly path: string;
  readonly text: string;
  /** Text of an import; the path is resolved already: relative to the importing file, or `std/...`. */
  readonly resolve: (path: string) => string | null;
  readonly model: string | null;
  readonly trainBlock: string | null;
  /** Values of named dimensions. */
  readonly dims: Dims;
  /** Of the batch dimension, where `dims` and the source leave it open; null: 32 to train, else 1. */
  readonly batch: number | null;
  /** Hyper-parameters and constants, as text. */
  readonly set: Readonly<Record<string, string>>;
  readonly train: boolean;
  /** Told of every application of a declared function or layer with `training` false. */
  readonly onApplication?: (a: Application) => void;
}

/** Elaborates a program; throws one `CompileError` with everything that is wrong. */
export const elaborate = ({ dims, ...request }: ElaborateRequest): Module => elaborateEach(request, [dims])[0]!;

/** The same with each of several values of its dimensions; files are read once. */
export function elaborateEach(request: Omit<ElaborateRequest, "dims">, bindings: readonly Dims[]): readonly Module[] {
  const loaded = loadFiles(request.path, request.text, request.resolve);
  return bindings.map((dims, i) => {
    try {
      return elaborateLoaded({ ...request, dims }, loaded);
    } catch (e) {
      throw e instanceof CompileError && i > 0 ? about(dims, e) : e;
    }
  });
}
/** What is wrong with a later binding is right with the first: it says which one it is. */
function about(dims: Dims, { diagnostics, sources }: CompileError): CompileError {
  const note = { message: `this is with ${printDims(dims)}`, span: null };
  return new CompileError(
    diagnostics.map((d) => ({ ...d, notes: [...d.notes, note] })),
    sources,
  );
}

function elaborateLoaded(request: ElaborateRequest, loaded: Loaded): Module {
  const problems = newProblems();
  for (const d of loaded.problems) problems.report(d);
  const noting = notingOpen(problems);
  const module = guarded(noting, () => elaborateTarget(request, loaded, noting));
  if (!module || problems.errors() > 0) throw new CompileError(inOrder(problems.all, loaded), loaded.sources);
  return module;
}

/** Everything that is wrong with a file: each of its models, alone and with each train block. */
export function checkFile(request: Pick<ElaborateRequest, "path" | "text" | "resolve">): {
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: ReadonlyMap<string, string>;
} {
  const loaded = loadFiles(request.path, request.text, request.resolve);
  const problems = newProblems();
  for (const d of loaded.problems) problems.report(d);
  const entered = new Set<object>();
  for (const choice of targetsOf(loaded.root)) {
    const noting = notingOpen(problems);
    guarded(noting, () => elaborateTarget({ ...request, ...choice, dims: {}, batch: null, set: {} }, loaded, noting, { entered }));
  }
  for (const d of loaded.root.declarations.values()) {
    if (loaded.root.broken || d.kind !== "declared" || d.declaration.kind === "const" || entered.has(d.declaration)) continue;
    for (const p of unknownNames(d.declaration, d.file, [...standardLibrary().keys(), ...builtins.keys()])) problems.report(p);
  }
  return { diagnostics: inOrder(problems.all, loaded), sources: loaded.sources };
}

/** Problems of one target, which knows dimensions that nobody gave. */
interface TargetProblems extends Problems {
  /** Names of dimensions that are taken as 1. */
  readonly open: Set<string>;
}
/** A shape with an extent of 1 may be wrong because a dimension is open: errors about such shapes say so. */
function notingOpen(problems: Problems): TargetProblems {
  const open = new Set<string>();
  const report = (d: Diagnostic): void => {
    const isConcerned = open.size > 0 && d.code === "shape" && /[[(, ]1[\]), ]/.test(d.message);
    const names = [...open].map((n) => `\`${n}\``).join(", ");
    const flags = [...open].map((n) => `--dim ${n}=16`).join(" ");
    const message =
      open.size === 1
        ? `${names} is open and taken as 1; set it with ${flags}`
        : `${names} are open and taken as 1; set them with ${flags}`;
    problems.report(isConcerned ? { ...d, notes: [...d.notes, { message, span: null }] } : d);
  };
  return { ...problems, report, open };
}

/** What `checkFile` adds to an elaboration: a look at everything that no model enters, and suggestions. */
interface Check {
  readonly entered: Set<object>;
}
/** Runs `f`; what stops it is reported. A stack that overflows in spite of all bounds is a program nested too deeply. */
function guarded<T>(problems: Problems, f: () => T): T | null {
  try {
    return f();
  } catch (e) {
    if (e instanceof CompileError) for (const d of e.diagnostics) problems.report(d);
    else if (e instanceof RangeError) problems.report(diagnostic("limit", "the program is nested too deeply", null));
    else throw e;
    return null;
  }
}

function elaborateTarget(request: ElaborateRequest, loaded: Loaded, problems: TargetProblems, check: Check | null = null): Module | null {
  const chosen = choose(loaded.root, request);
  if ("problem" in chosen) {
    if (problems.errors() === 0 || chosen.problem.span) problems.report(chosen.problem);
    return null;
  }
  const { target } = chosen;
  const batch = batchName(target);
  const world = worldOf(request, loaded, problems, batch, check);
  const forward = newSession(world, false);
  const frame = modelFrame(forward, target.model, target.modelFile);
  const given = readOverrides(frame, target.model, request.set);
  for (const [name, value] of given.constants) world.overrides.set(name, value);

  const outputs = runModel(frame, target.model, given.args);
  const graph = graphOf(target.model.name.name, forward, [...forward.inputs], outputs);
  const saved = new Set(forward.made.keys());
  const training = target.train ? elaborateTraining(target, target.train, loaded.root, frame, given.args, saved) : null;
  checkDims(request, world);
  const docs = new Map(forward.docs);
  return {
    name: target.model.name.name,
    doc: target.model.doc,
    docs,
    batch,
    dims: Object.fromEntries(world.dims),
    variables: [...world.variables.values()].map((v) => ({ ...v.declaration, saved: saved.has(v.declaration.name) })),
    forward: graph,
    training,
    warnings: problems.all.filter((d) => d.severity !== "error"),
    sources: loaded.sources,
  };
}

/** The step on a walk of its own, then the evaluation, which goes on where prediction ended. */
function elaborateTraining(
  target: Target,
  block: Train,
  file: SourceFile,
  forward: Frame,
  given: ReadonlyMap<string, Argument>,
  saved: Set<string>,
): Training {
  const session = newSession(forward.session.world, true);
  const frame = modelFrame(session, target.model, target.modelFile);
  runModel(frame, target.model, given);
  for (const path of session.made.keys()) saved.add(path);
  const step = runTrain(frame, block, file);
  const evaluation = runTrain(forward, block, file);
  checkUsed(session, forward.session, block);
  const { train } = session;
  return {
    name: blockName(block),
    step: step.graph,
    evaluate: evaluation.graph,
    losses: step.losses,
    optimizers: train.optimizers.map((o) => ({ ...o, globs: o.globs?.map((g) => g.text) ?? null })),
    freeze: train.freeze.map((g) => ({ glob: g.text, span: g.span })),
    ...step.settings,
  };
}

function worldOf(request: ElaborateRequest, loaded: Loaded, problems: TargetProblems, batch: string | null, check: Check | null): World {
  const { dims, train } = request;
  const freeDim = (name: string, fallback: number | null): number => {
    const given = (Object.hasOwn(dims, name) ? dims[name] : null) ?? fallback;
    if (given === null && name !== batch) problems.open.add(name);
    const extent = given ?? (name === batch ? (request.batch ?? (train ? defaultBatch : 1)) : 1);
    return isExtent(extent) ? extent : 1;
  };
  return newWorld({
    root: loaded.root,
    library: standardLibrary(),
    builtins,
    problems,
    freeDim,
    suggests: check !== null,
    onApplication: request.onApplication ?? null,
    ...check,
  });
}
/** The batch of training and evaluation where nothing says otherwise. */
const defaultBatch = 32;

const isExtent = (n: number): boolean => Number.isInteger(n) && n >= 1 && n <= limits.elements;
/** What is given names dimensions of the signature, and has extents for them. */
function checkDims({ dims, batch }: ElaborateRequest, { dims: known, problems }: World): void {
  if (batch !== null && !isExtent(batch)) problems.report(diagnostic("flag", `batch ${batch}: a batch is a positive int`, null));
  for (const [name, value] of Object.entries(dims)) {
    if (!isExtent(value)) problems.report(diagnostic("flag", `dimension ${name}=${value}: a size is a positive int`, null));
    if (!known.has(name)) {
      const near = nearest(name, known.keys());
      const help = near
        ? `did you mean \`${near}\`?`
        : known.size
          ? `there are ${[...known.keys()].join(", ")}`
          : "all its dimensions are fixed";
      problems.report(diagnostic("flag", `dimension ${name}=${value}: the program has no open dimension of this name`, null, { help }));
    }
  }
}

/** By file, the one that was asked for first; then by place. */
function inOrder(all: readonly Diagnostic[], { sources }: Loaded): readonly Diagnostic[] {
  const files = [...sources.keys()];
  const rank = (d: Diagnostic) => (d.span ? files.indexOf(d.span.file) : -1);
  const at = (d: Diagnostic) => d.span?.start ?? { line: 0, column: 0 };
  return [...all].sort((a, b) => rank(a) - rank(b) || at(a).line - at(b).line || at(a).column - at(b).column);
}
