/** Files: parsed, with the names that each declares and imports. */
import { type Diagnostic, diagnostic, invariant, type Span } from "../../../ir/diagnostic.ts";
import { preludeFiles, zooFiles } from "../../prelude/text.ts";
import type { Const, Declaration, File, Fn, Import, Layer, Model, Train } from "../ast.ts";
import { parse, plainLines } from "../parse.ts";
import { checkDeclarations } from "./check.ts";
import { resolveImport } from "./paths.ts";
import { nearest } from "./suggest.ts";

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Part of the standard library: its places mean nothing to users. */
  readonly standard: boolean;
  readonly declarations: ReadonlyMap<string, Declared>;
  readonly imports: ReadonlyMap<string, Declared>;
  readonly trains: readonly Train[];
  /** It has syntax errors: names may be missing without being the user's mistake. */
  readonly broken: boolean;
}
export type Declared =
  | { readonly kind: "declared"; readonly declaration: Const | Fn | Layer | Model; readonly file: SourceFile }
  /** An import that failed and was reported. */
  | { readonly kind: "broken" };

/** All files that a file reaches through imports, and what is wrong with them. */
export interface Loaded {
  readonly root: SourceFile;
  readonly sources: ReadonlyMap<string, string>;
  readonly problems: readonly Diagnostic[];
}

export function loadFiles(path: string, text: string, resolve: (path: string) => string | null): Loaded {
  const problems: Diagnostic[] = [];
  const sources = new Map<string, string>();
  const done = new Map<string, SourceFile>();
  const loading: string[] = [];

  const load = (at: string, raw: string): SourceFile => {
    const content = plainLines(raw);
    sources.set(at, content);
    loading.push(at);
    const parsed = parse(content, at);
    problems.push(...parsed.problems, ...checkDeclarations(parsed.file));
    const file = declare(at, content, parsed.file, { standard: false, broken: parsed.problems.length > 0 }, (i) => importNames(i, at));
    loading.pop();
    done.set(at, file);
    return file;
  };
  const importNames = (i: Import, from: string): [string, Declared][] => {
    const file = importFile(i, from);
    return i.names.map(({ name, as }) => [as.name, file ? importName(file, name) : { kind: "broken" }]);
  };
  const importFile = (i: Import, from: string): SourceFile | null => {
    const wrong = (message: string, help: string | null = null): null => {
      problems.push(diagnostic("file", message, i.pathSpan, help === null ? {} : { help }));
      return null;
    };
    const at = resolveImport(from, i.path);
    if (at === null) return wrong(`"${i.path}" is not a path to import from`, helpForPath(i.path));
    if (loading.includes(at)) return wrong(`imports form a cycle: ${[...loading.slice(loading.indexOf(at)), at].join(" -> ")}`);
    const had = done.get(at);
    if (had) return had;
    const content = standardModels(at) ?? resolve(at);
    return content === null ? wrong(`there is no file "${at}"`, standardHelp(at)) : load(at, content);
  };
  const importName = (file: SourceFile, name: { name: string; span: Span }): Declared => {
    const found = file.declarations.get(name.name);
    if (found) return found;
    if (!file.broken) {
      const near = nearest(name.name, file.declarations.keys());
      const help = near === null ? {} : { help: `did you mean \`${near}\`?` };
      problems.push(diagnostic("name", `"${file.path}" declares no \`${name.name}\``, name.span, help));
    }
    return { kind: "broken" };
  };
  return { root: load(path, text), sources, problems };
}

const helpForPath = (path: string): string =>
  /^\w[^:\\]*$/.test(path)
    ? `write "./${path}" for a file beside this one, or "std/..."`
    : "an import begins with `./` or `../`, from the folder of this file, or with `std/`";

const standardFolder = "std/";
/** Text of a file of the library of models, which is part of the compiler; null: it has none of this name. */
function standardModels(path: string): string | null {
  const name = path.slice(standardFolder.length);
  return path.startsWith(standardFolder) && Object.hasOwn(zooFiles, name) ? zooFiles[name]! : null;
}
function standardHelp(path: string): string | null {
  if (!path.startsWith(standardFolder)) return null;
  const names = Object.keys(zooFiles).map((name) => standardFolder + name);
  const near = nearest(path, names);
  return near === null ? `the library of models has ${names.join(", ")}` : `did you mean "${near}"?`;
}

function declare(
  path: string,
  text: string,
  ast: File,
  { standard, broken }: Pick<SourceFile, "standard" | "broken">,
  importNames: (i: Import) => [string, Declared][],
): SourceFile {
  const declarations = new Map<string, Declared>();
  const imports = new Map<string, Declared>();
  const isTrain = (d: Declaration): d is Train => d.kind === "train";
  const file: SourceFile = { path, text, standard, declarations, imports, trains: ast.declarations.filter(isTrain), broken };
  for (const d of ast.declarations) {
    if (d.kind === "import") for (const [name, declared] of importNames(d)) imports.set(name, declared);
    else if (d.kind !== "train" && !declarations.has(d.name.name))
      declarations.set(d.name.name, { kind: "declared", declaration: d, file });
  }
  return file;
}

let prelude: ReadonlyMap<string, Declared> | null = null;
/** The declarations of the standard library, which all see each other. */
export function standardLibrary(): ReadonlyMap<string, Declared> {
  if (prelude) return prelude;
  const all = new Map<string, Declared>();
  for (const [name, text] of Object.entries(preludeFiles)) {
    const path = `std/prelude/${name}`;
    const { file: ast, problems } = parse(text, path);
    invariant(problems.length === 0, `${path} has syntax errors`, () =>
      problems.map((p) => `${p.message} ${JSON.stringify(p.span)}`).join("\n"),
    );
    const file = declare(path, text, ast, { standard: true, broken: false }, () => []);
    for (const d of ast.declarations) {
      invariant(d.kind !== "import" && d.kind !== "train", `${path} holds an ${d.kind}`);
      invariant(!all.has(d.name.name), `the standard library declares ${d.name.name} twice`);
      all.set(d.name.name, { kind: "declared", declaration: d, file });
    }
  }
  prelude = all;
  return all;
}
