/** Elaborates a model while it is being written, statement by statement: types and constants are known at once. */
import { CompileError } from "../../ir/diagnostic.ts";
import type { Node } from "../../ir/graph/graph.ts";
import { ops } from "../../ir/ops/index.ts";
import type { TensorType } from "../../ir/type.ts";
import type { File, Model } from "./ast.ts";
import { builtins } from "./elaborate/builtins/index.ts";
import { bind, type Frame } from "./elaborate/frame.ts";
import { modelFrame } from "./elaborate/model.ts";
import { newProblems, newSession, newWorld } from "./elaborate/session.ts";
import { loadFiles, standardLibrary } from "./elaborate/source.ts";
import { execute } from "./elaborate/statement.ts";
import { tensor, type Value } from "./elaborate/values.ts";
import { parse } from "./parse.ts";

export interface Draft {
  /** Binds a name to an input of the program. */
  readonly input: (name: string, type: TensorType) => void;
  /** Binds a name to any value. */
  readonly define: (name: string, node: Node) => void;
  /** Executes one statement; throws a `CompileError` if it is wrong. */
  readonly run: (statement: string) => void;
  /** The value of a name that was bound. */
  readonly valueOf: (name: string) => Value;
  /** The type of a variable that a layer made, by its path; null: there is none. */
  readonly variable: (path: string) => TensorType | null;
}

/** A model without inputs or outputs, in prediction. */
export function newDraft(): Draft {
  const frame = emptyModel();
  return {
    input: (name, { dtype, shape }) => define(frame, name, ops.input({}, { name, dtype, shape })),
    define: (name, node) => define(frame, name, node),
    run: (statement) => run(frame, statement),
    valueOf: (name) => frame.scope.names.get(name)!.value!,
    variable: (path) => frame.session.world.variables.get(path)?.declaration.type ?? null,
  };
}
const path = "draft.dlm";

function emptyModel(): Frame {
  const text = "model Draft() -> y {\n}\n";
  const loaded = loadFiles(path, text, () => null);
  const freeDim = (_: string, fallback: number | null) => fallback ?? 1;
  const world = newWorld({ root: loaded.root, library: standardLibrary(), builtins, problems: newProblems(), freeDim });
  const model = parse(text, path).file.declarations[0] as Model;
  return modelFrame(newSession(world, false), model, loaded.root);
}
const define = (frame: Frame, name: string, node: Node): void => bind(frame, name, tensor(node), "binding", null);

function run(frame: Frame, statement: string): void {
  const { file, problems } = parse(`fn draft() {\n${statement}\n}\n`, path);
  if (problems.length > 0) throw new CompileError(problems);
  for (const s of bodyOf(file)) execute(s, frame);
  const { all, errors } = frame.session.world.problems;
  if (errors() > 0) throw new CompileError(all);
}
const bodyOf = (file: File) => file.declarations.flatMap((d) => (d.kind === "fn" ? d.body.statements : []));
