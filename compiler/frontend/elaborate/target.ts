/** Which model and which train block of a file are meant. */
import { type Diagnostic, diagnostic } from "../../../ir/diagnostic.ts";
import type { Model, Name, Param, Statement, Train, Type } from "../ast.ts";
import { isTensorType } from "./signature.ts";
import type { Declared, SourceFile } from "./source.ts";
import { nearest } from "./suggest.ts";

export interface Target {
  readonly model: Model;
  /** Where the model is declared, which may be an imported file. */
  readonly modelFile: SourceFile;
  readonly train: Train | null;
}
/** What `--model` and `--train-block` say. */
export interface Choice {
  readonly model: string | null;
  readonly trainBlock: string | null;
  readonly train: boolean;
}
type Chosen = { readonly target: Target } | { readonly problem: Diagnostic };

const modelOf = (file: SourceFile, name: string): { model: Model; modelFile: SourceFile } | null => {
  const found: Declared | undefined = file.declarations.get(name) ?? file.imports.get(name);
  return found?.kind === "declared" && found.declaration.kind === "model" ? { model: found.declaration, modelFile: found.file } : null;
};
const ownModels = (file: SourceFile): readonly Model[] =>
  [...file.declarations.values()].flatMap((d) => (d.kind === "declared" && d.declaration.kind === "model" ? [d.declaration] : []));
/** `train finetune: LeNet` is called finetune, `train LeNet` LeNet. */
export const blockName = (t: Train): string => (t.name ?? t.model).name;

export function choose(file: SourceFile, choice: Choice): Chosen {
  if (choice.train) return chooseTrain(file, choice);
  const models = ownModels(file);
  if (choice.model !== null) {
    const found = modelOf(file, choice.model);
    return found
      ? { target: { ...found, train: null } }
      : problem(
          `there is no model \`${choice.model}\` in "${file.path}"`,
          helpFor(
            choice.model,
            models.map((m) => m.name.name),
          ),
        );
  }
  if (models.length === 1) return { target: { model: models[0]!, modelFile: file, train: null } };
  if (models.length === 0) return problem(`"${file.path}" declares no model`, "write model Name(x: f32[N, ...]) -> y { ... }");
  return problem(`"${file.path}" declares several models`, `choose one with --model: ${models.map((m) => m.name.name).join(", ")}`);
}

function chooseTrain(file: SourceFile, { model, trainBlock }: Choice): Chosen {
  const blocks = file.trains.filter(
    (t) => (model === null || t.model.name === model) && (trainBlock === null || blockName(t) === trainBlock),
  );
  const block = blocks[0];
  if (!block) {
    const wanted = trainBlock !== null ? ` \`${trainBlock}\`` : model !== null ? ` of \`${model}\`` : "";
    return problem(`there is no train block${wanted} in "${file.path}"`, helpFor(trainBlock ?? "", file.trains.map(blockName)));
  }
  if (blocks.length > 1) {
    const flag = new Set(blocks.map((t) => t.model.name)).size > 1 ? "--model or --train-block" : "--train-block";
    return problem(`"${file.path}" has several train blocks`, `choose one with ${flag}: ${blocks.map(blockName).join(", ")}`);
  }
  const found = modelOf(file, block.model.name);
  return found ? { target: { ...found, train: block } } : { problem: noModel(file, block.model) };
}
function noModel(file: SourceFile, name: Name): Diagnostic {
  const near = nearest(name.name, [...file.declarations.keys(), ...file.imports.keys()]);
  return diagnostic("name", `there is no model \`${name.name}\` to train`, name.span, near ? { help: `did you mean \`${near}\`?` } : {});
}
function helpFor(name: string, names: readonly string[]): string | null {
  const near = nearest(name, names);
  return near ? `did you mean \`${near}\`?` : names.length ? `there are ${names.join(", ")}` : null;
}
const problem = (message: string, help: string | null): Chosen => ({
  problem: diagnostic("flag", message, null, help === null ? {} : { help }),
});

/** Every model of a file alone, and with each of its train blocks. */
export function targetsOf(file: SourceFile): readonly Choice[] {
  const models = ownModels(file).map((m): Choice => ({ model: m.name.name, trainBlock: null, train: false }));
  const trained = new Set(file.trains.map((t) => t.model.name));
  const blocks = file.trains.map((t): Choice => ({ model: t.model.name, trainBlock: blockName(t), train: true }));
  return [...models.filter((m) => !trained.has(m.model!)), ...blocks];
}

/** The name of the first dimension of every data input, of the model and of the block. */
export function batchName({ model, modelFile, train }: Target): string | null {
  const isInput = (p: Param): p is Param & { type: Type } => p.type !== null && isTensorType(p.type) && p.value === null;
  const isTrainInput = (s: Statement): s is Extract<Statement, { kind: "input" }> => s.kind === "input";
  const types = [...model.params.filter(isInput), ...(train?.body.statements.filter(isTrainInput) ?? [])].map((i) => i.type);
  const names = types.map((t) => {
    const first = t.dims?.[0];
    return first?.kind === "dim" && first.value.kind === "name" ? first.value.name : null;
  });
  const name = names[0] ?? null;
  const taken = model.params.some((p) => p.name.name === name) || (name !== null && isConstant(modelFile, name));
  return name !== null && !taken && names.every((n) => n === name) ? name : null;
}
const isConstant = (file: SourceFile, name: string): boolean => {
  const found = file.declarations.get(name) ?? file.imports.get(name);
  return found?.kind === "declared" && found.declaration.kind === "const";
};
