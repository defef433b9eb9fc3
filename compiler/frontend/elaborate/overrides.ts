/** `--set name=value`: hyper-parameters of the chosen model and constants of its file, from outside. */
import { CompileError, type Diagnostic, diagnostic } from "../../../ir/diagnostic.ts";
import type { Model, Param } from "../ast.ts";
import { parse } from "../parse.ts";
import type { Argument } from "./arguments.ts";
import { evaluate } from "./expression.ts";
import type { Frame } from "./frame.ts";
import { constantFrame } from "./names.ts";
import { isTensorType } from "./signature.ts";
import { nearest } from "./suggest.ts";
import { describe, float, kindName, text, type Value } from "./values.ts";

export interface Overrides {
  readonly args: Map<string, Argument>;
  readonly constants: Map<string, Value>;
}

export function readOverrides(frame: Frame, model: Model, set: Readonly<Record<string, string>>): Overrides {
  const args = new Map<string, Argument>();
  const constants = new Map<string, Value>();
  const { root, problems } = frame.session.world;
  const hyper = model.params.filter((p) => p.value !== null && !(p.type && isTensorType(p.type)));
  for (const [name, given] of Object.entries(set)) {
    const param = hyper.find((p) => p.name.name === name);
    const declared = root.declarations.get(name);
    const constant = declared?.kind === "declared" && declared.declaration.kind === "const" ? declared.declaration : null;
    const fallback = param?.value ?? constant?.value ?? null;
    if (!fallback) {
      problems.report(unknownName(name, given, model, hyper, frame));
      continue;
    }
    const value = read(
      frame,
      name,
      given,
      typical(frame, param?.type?.name.name ?? null, () => evaluate(fallback, constantFrame(frame, name, root))),
    );
    if (!value) continue;
    if (param) args.set(name, { name, value, span: param.name.span, expr: null });
    else constants.set(name, value);
  }
  return { args, constants };
}
function unknownName(name: string, given: string, model: Model, hyper: readonly Param[], frame: Frame): Diagnostic {
  const { root, dims } = frame.session.world;
  const constants = [...root.declarations].flatMap(([n, d]) => (d.kind === "declared" && d.declaration.kind === "const" ? [n] : []));
  const names = [...hyper.map((p) => p.name.name), ...constants];
  const near = nearest(name, names);
  const isDim = dims.has(name) || model.params.some((p) => p.type?.dims?.some((d) => d.value?.kind === "name" && d.value.name === name));
  const help = isDim
    ? `\`${name}\` is a dimension: --dim ${name}=${given}`
    : near
      ? `did you mean \`${near}\`?`
      : names.length
        ? `there are ${names.join(", ")}`
        : "there are none";
  return flag(`--set ${name}: \`${model.name.name}\` has no hyper-parameter and its file no constant of this name`, help);
}
const flag = (message: string, help: string | null): Diagnostic => diagnostic("flag", message, null, help === null ? {} : { help });

/** The kind that a value must have: that of the default, or of the declared type; null: any. */
function typical(frame: Frame, type: string | null, fallback: () => Value): string | null {
  if (type !== null) return type;
  const { budget } = frame.session.world;
  const { nesting, depth } = budget;
  try {
    const value = fallback();
    return value.kind === "none" || value.kind === "unknown" ? null : kindName(value);
  } catch (e) {
    if (!(e instanceof CompileError) || budget.spent) throw e;
    [budget.nesting, budget.depth] = [nesting, depth];
    return null;
  }
}

/** A constant expression, or plain text where the default is a string; null after an error. */
function read(frame: Frame, name: string, given: string, kind: string | null): Value | null {
  const { problems } = frame.session.world;
  if (kind === "string" && !/^".*"$/s.test(given)) return text(given);
  const value = evaluated(frame, name, given);
  if (value === null) return null;
  if (kind === null || kindName(value) === kind) return value;
  if (kind === "float" && value.kind === "int") return float(value.value);
  // a learning rate is a schedule or a number
  if (kind === "schedule" && (value.kind === "int" || value.kind === "float")) return value;
  problems.report(flag(`--set ${name}=${given}: the default is of kind ${kind}, got ${describe(value)}`, null));
  return null;
}
function evaluated(frame: Frame, name: string, given: string): Value | null {
  const { problems, root, budget } = frame.session.world;
  const { file, problems: syntax } = parse(`const value = (${given}\n)`, `--set ${name}`);
  const only = file.declarations.length === 1 ? file.declarations[0]! : null;
  if (syntax.length || only?.kind !== "const") {
    problems.report(flag(`--set ${name}=${given}: this is not a constant expression`, 'quote text: "..."; lists are [1, 2]'));
    return null;
  }
  const { nesting, depth } = budget;
  try {
    return evaluate(only.value, constantFrame(frame, name, root));
  } catch (e) {
    if (!(e instanceof CompileError) || budget.spent) throw e;
    [budget.nesting, budget.depth] = [nesting, depth];
    for (const d of e.diagnostics) problems.report(flag(`--set ${name}=${given}: ${d.message}`, d.help));
    return null;
  }
}
