/** What functions and layers of the standard library take: the order of their parameters, and defaults as terms. */
import type { Expr } from "../frontend/ast.ts";
import { builtins } from "../frontend/elaborate/builtins/index.ts";
import { standardLibrary } from "../frontend/elaborate/source.ts";
import { parse } from "../frontend/parse.ts";
import { float, int, type Term } from "./sketch.ts";

export interface Parameter {
  readonly name: string;
  /** The default where it is a number; null: there is none, or it is something else. */
  readonly fallback: Term | null;
}

const known = new Map<string, readonly Parameter[] | null>();
/** null: the standard library does not have it. */
export function parametersOf(callee: string): readonly Parameter[] | null {
  const had = known.get(callee);
  if (had !== undefined) return had;
  const found = declaredParameters(callee);
  known.set(callee, found);
  return found;
}

function declaredParameters(callee: string): readonly Parameter[] | null {
  const entry = standardLibrary().get(callee);
  if (entry?.kind === "declared" && entry.declaration.kind !== "const") return entry.declaration.params.map(parameter);
  const signature = builtins.get(callee)?.signature;
  if (signature === undefined) return null;
  const [declaration] = parse(`fn ${signature.replaceAll("...", "")} { return none }`, "signature").file.declarations;
  return declaration?.kind === "fn" ? declaration.params.map(parameter) : null;
}
const parameter = ({ name, value }: { readonly name: { readonly name: string }; readonly value: Expr | null }): Parameter => ({
  name: name.name,
  fallback: value && numberTerm(value),
});
function numberTerm(e: Expr): Term | null {
  if (e.kind === "int") return int(e.value);
  if (e.kind === "float") return float(e.value);
  if (e.kind !== "unary" || e.op !== "-") return null;
  const inner = numberTerm(e.value);
  return inner?.kind === "int" ? int(-inner.value) : inner?.kind === "float" ? float(-inner.value) : null;
}
