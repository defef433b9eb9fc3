/** Names in bodies that no elaboration entered: what nothing can ever bind is a mistake all the same. */
import { type Diagnostic, diagnostic } from "../../../ir/diagnostic.ts";
import type { Block, Expr, Fn, Layer, Model, Name, Param, Pattern, Statement } from "../ast.ts";
import { boundNames, namesOf, walk } from "../walk.ts";
import type { SourceFile } from "./source.ts";
import { helpForName } from "./suggest.ts";

const special: readonly string[] = ["training", "inf", "pi", "f32", "i32", "u8", "bool", "_"];

/** Unknown names of a declaration; `standard` are those of the library and the builtin functions. */
export function unknownNames(d: Fn | Layer | Model, file: SourceFile, standard: readonly string[]): Diagnostic[] {
  const known = new Set([...standard, ...special, ...file.declarations.keys(), ...file.imports.keys()]);
  for (const name of [...signatureNames(d.params), ...boundNames(d.body).map((b) => b.name), ...loopNames(d.body)]) known.add(name);
  const found: Diagnostic[] = [];
  walk(d.body, (e) => {
    for (const name of namesUsed(e)) {
      if (known.has(name.name)) continue;
      const help = helpForName(name.name, known);
      found.push(diagnostic("name", `unknown name \`${name.name}\``, name.span, help === null ? {} : { help }));
    }
  });
  return found;
}

function namesUsed(e: Expr | Statement): readonly Name[] {
  if (e.kind === "name") return [e];
  if (e.kind === "update") return [e.name];
  return e.kind === "use" ? [e.callee] : [];
}
/** Parameters and the dimensions that their types bind. */
function signatureNames(params: readonly Param[]): readonly string[] {
  const dims = params.flatMap((p) => p.type?.dims ?? []);
  return [...params.map((p) => p.name.name), ...dims.flatMap((d) => (d.value?.kind === "name" ? [d.value.name] : []))];
}
function loopNames(body: Block): readonly string[] {
  const patterns: Pattern[] = [];
  walk(body, (e) => {
    if (e.kind === "comprehension") patterns.push(...e.loops.map((l) => l.pattern));
  });
  return patterns.flatMap(namesOf).map((n) => n.name);
}
