/** The dimensions of a model's inputs that `--dim` or the data may size, read off the source. */
import type { Shape } from "../../ir/type.ts";
import type { Declaration, File, Model, Param } from "../frontend/ast.ts";
import { parse } from "../frontend/parse.ts";
import type { CompileSettings } from "./settings.ts";

export interface FreeDimension {
  readonly name: string;
  readonly hasDefault: boolean;
}
/** By input, one entry an axis; null: its size is not free. Inputs with `...` are left out. */
export type FreeDimensions = ReadonlyMap<string, readonly (FreeDimension | null)[]>;

/** Constants and hyper-parameters are not free. Mistakes in the source are left to the compiler. */
export function freeDimensions(source: string, path: string, settings: Pick<CompileSettings, "model">): FreeDimensions {
  const { file } = parse(source, path);
  const model = chosenModel(file, settings);
  if (!model) return new Map();
  const fixed = new Set([...constantsOf(file), ...model.params.filter((p) => !isTensor(p)).map((p) => p.name.name)]);
  return new Map(
    model.params.filter(isTensor).flatMap((p) => {
      const axes = axesOf(p, fixed);
      return axes ? [[p.name.name, axes] as const] : [];
    }),
  );
}
/** The model that a command speaks of; undefined: the compiler will ask which one. */
export function chosenModel({ declarations }: File, { model: name }: Pick<CompileSettings, "model">): Model | undefined {
  const models = declarations.filter((d): d is Model => d.kind === "model");
  return name === undefined ? (models.length === 1 ? models[0] : undefined) : models.find((m) => m.name.name === name);
}
const isTensor = (p: Param): boolean => p.type !== null && p.type.dims !== null;
const constantsOf = (file: File): string[] => file.declarations.flatMap((d: Declaration) => (d.kind === "const" ? [d.name.name] : []));

function axesOf({ type }: Param, fixed: ReadonlySet<string>): readonly (FreeDimension | null)[] | null {
  const dims = type?.dims ?? [];
  if (dims.some((d) => d.kind === "rest")) return null;
  return dims.map((d) => {
    if (d.kind !== "dim" || d.value.kind !== "name" || fixed.has(d.value.name)) return null;
    return { name: d.value.name, hasDefault: d.fallback !== null };
  });
}

/** `--dim H=32 --dim W=32`, where these would make an input take examples of this shape; null: they would not. */
export function dimensionHint(free: FreeDimensions, input: string, now: Shape, wanted: Shape): string | null {
  const axes = free.get(input)?.slice(1);
  if (!axes || axes.length !== wanted.length || now.length !== wanted.length) return null;
  const sizes = new Map<string, number>();
  for (const [axis, extent] of wanted.entries()) {
    const name = axes[axis]?.name;
    if (name === undefined ? extent !== now[axis] : (sizes.get(name) ?? extent) !== extent) return null;
    if (name !== undefined) sizes.set(name, extent);
  }
  const changed = [...sizes].filter(([name]) => axes.some((a, axis) => a?.name === name && now[axis] !== wanted[axis]));
  return changed.length ? changed.map(([name, extent]) => `--dim ${name}=${extent}`).join(" ") : null;
}
