/** Which `--set` would let a model tell more things apart: the hyper-parameter or constant that has the present number. */
import type { Expr } from "../frontend/ast.ts";
import { parse } from "../frontend/parse.ts";
import { chosenModel } from "./free-dimensions.ts";
import type { CompileSettings } from "./settings.ts";

/** Names that such numbers usually have, where several hyper-parameters have the same value. */
const usual = ["classes", "vocab"];

/** `--set classes=12`, where exactly one thing can be meant; else null. */
export function extentHint(
  source: string,
  path: string,
  settings: Pick<CompileSettings, "model" | "set">,
  now: number,
  wanted: number,
): string | null {
  const { file } = parse(source, path);
  const constants = file.declarations.flatMap((d) => (d.kind === "const" ? [[d.name.name, d.value] as const] : []));
  const params = (chosenModel(file, settings)?.params ?? []).map((p) => [p.name.name, p.value] as const);
  const numbers = [...params, ...constants].flatMap(([name, value]) => {
    const given = settings.set[name];
    return (given === undefined ? intOf(value) : Number(given)) === now ? [name] : [];
  });
  const likely = numbers.filter((n) => usual.includes(n));
  const [found, ...others] = likely.length > 0 ? likely : numbers;
  return found !== undefined && others.length === 0 ? `--set ${found}=${wanted}` : null;
}
const intOf = (e: Expr | null): number | null => (e?.kind === "int" ? e.value : null);
