/** Names: the body, then the file's declarations, then imports, then the standard library; never the caller's. */
import type { Span } from "../../../ir/diagnostic.ts";
import { dtypes } from "../../../ir/type.ts";
import type { Const, Name, Pattern } from "../ast.ts";
import { grammarWords } from "../tokens.ts";
import { boundNames } from "../walk.ts";
import { evaluate } from "./expression.ts";
import { type Binding, bind, complain, type Form, type Frame, newScope, type Scope } from "./frame.ts";
import type { Declared, SourceFile } from "./source.ts";
import { helpForName } from "./suggest.ts";
import { bool, describe, float, isUnknown, unknown, type Value } from "./values.ts";

/** Words with a meaning of their own, which no statement may bind. */
export const reserved: ReadonlySet<string> = new Set(["training", "inf", "pi", ...dtypes, "int", "float", "string", "list"]);
const unbindable: ReadonlySet<string> = new Set(["training", "inf", "pi", ...dtypes]);
/** No value can have such a name: words of the grammar, and those with a meaning of their own. */
export const namesOfNoValue: ReadonlySet<string> = new Set([...grammarWords, ...unbindable]);

export function lookup(frame: Frame, name: Name): Value {
  const special = specialName(frame, name.name);
  if (special) return special;
  const binding = findBinding(frame, name);
  if (binding) return read(frame, name, binding);
  const declared = declaredName(frame, name.name);
  if (declared) return declaredValue(frame, declared, name.span);
  return complainUnknown(frame, name);
}

function specialName(frame: Frame, name: string): Value | null {
  switch (name) {
    case "training":
      return bool(frame.training);
    case "inf":
      return float(Number.POSITIVE_INFINITY);
    case "pi":
      return float(Math.PI);
    case "f32":
    case "i32":
    case "u8":
    case "bool":
      return { kind: "type", dtype: name };
    default:
      return null;
  }
}

function findBinding(frame: Frame, name: Name): Binding | null {
  for (let s: Scope | null = frame.scope; s; s = s.parent) {
    const binding = s.names.get(name.name);
    if (binding) return binding;
    const skipped = s.skipped.get(name.name);
    if (skipped) {
      return complain(frame, "name", `\`${name.name}\` has no value here`, name.span, {
        notes: [{ message: `it is bound ${skipped.why}`, span: skipped.span }],
      });
    }
  }
  return null;
}
/** The binding that a name has in the body, for notes; null where it has none. */
export function bindingOf(frame: Frame, name: string): Binding | null {
  for (let s: Scope | null = frame.scope; s; s = s.parent) {
    const binding = s.names.get(name);
    if (binding) return binding;
  }
  return null;
}

function read(frame: Frame, name: Name, binding: Binding): Value {
  if (binding.span) frame.session.used.add(binding.span);
  if (binding.value) return binding.value;
  if (!binding.pending) return complain(frame, "name", `\`${name.name}\` is not known yet here`, name.span);
  const value = binding.pending();
  binding.value = value;
  return value;
}

/** What the name is outside of bodies. */
export const declaredName = (frame: Frame, name: string): Declared | Value | null =>
  frame.file.declarations.get(name) ?? frame.file.imports.get(name) ?? frame.session.world.library.get(name) ?? builtinNamed(frame, name);
const builtinNamed = (frame: Frame, name: string): Value | null => {
  const found = frame.session.world.builtins.get(name);
  return found ? { kind: "builtin", builtin: found } : null;
};

export function declaredValue(frame: Frame, declared: Declared | Value, span: Span): Value {
  if (declared.kind === "broken") return unknown;
  if (declared.kind !== "declared") return declared;
  const { declaration, file } = declared;
  switch (declaration.kind) {
    case "const":
      return constantValue(frame, declaration, file, span);
    case "fn":
      return { kind: "function", declaration, file };
    case "layer":
    case "model":
      return { kind: "layer", declaration, file };
  }
}

function constantValue(frame: Frame, declaration: Const, file: SourceFile, span: Span): Value {
  const { world } = frame.session;
  const had = world.constants.get(declaration);
  if (had === "busy") return complain(frame, "name", `the constant \`${declaration.name.name}\` depends on itself`, span);
  if (had) return had;
  const given = file === world.root ? world.overrides.get(declaration.name.name) : undefined;
  if (given) {
    world.constants.set(declaration, given);
    return given;
  }
  world.constants.set(declaration, "busy");
  try {
    const value = evaluate(declaration.value, constantFrame(frame, declaration.name.name, file));
    world.constants.set(declaration, value);
    return value;
  } catch (e) {
    world.constants.set(declaration, unknown);
    throw e;
  }
}
export const constantFrame = (frame: Frame, name: string, file: SourceFile): Frame => ({
  session: frame.session,
  kind: "const",
  name,
  file,
  body: null,
  scope: newScope(null),
  training: false,
  instance: null,
  path: "",
  place: `const ${name}`,
  counter: frame.session.world.zero,
  loops: [],
  labels: new Map(),
  caller: null,
});

function complainUnknown(frame: Frame, name: Name): Value {
  if (mayBeMissing(frame, name.name)) return unknown;
  const later = frame.body && boundNames(frame.body).find((b) => b.name === name.name);
  if (later) {
    return complain(frame, "name", `\`${name.name}\` has no value yet here`, name.span, {
      notes: [{ message: `\`${name.name}\` is bound later`, span: later.span }],
    });
  }
  return complain(frame, "name", `unknown name \`${name.name}\``, name.span, { help: helpForName(name.name, knownNames(frame)) });
}
/** A file with syntax errors may have lost this declaration. */
function mayBeMissing({ file }: Frame, name: string): boolean {
  if (!file.broken) return false;
  return new RegExp(`\\b(?:layer|fn|model|const)\\s+${name}\\b|\\bimport\\b[^\\n]*\\b${name}\\b`).test(file.text);
}
export function* knownNames(frame: Frame): Iterable<string> {
  for (let s: Scope | null = frame.scope; s; s = s.parent) yield* s.names.keys();
  yield* frame.file.declarations.keys();
  yield* frame.file.imports.keys();
  yield* frame.session.world.library.keys();
  yield* frame.session.world.builtins.keys();
  yield* ["training", "inf", "pi"];
}

/** Binds the names of a pattern, taking lists apart. */
export function assign(frame: Frame, pattern: Pattern, value: Value, form: Form): void {
  if (pattern.kind === "name") {
    checkBindable(frame, pattern.name, pattern.span);
    bind(frame, pattern.name, value, form, pattern.span);
    return;
  }
  const { items } = pattern;
  if (isUnknown(value) && value.kind !== "list") {
    for (const item of items) assign(frame, item, unknown, form);
    return;
  }
  if (value.kind !== "list") {
    const help = value.kind === "tensor" ? "take a tensor apart with unstack(x) or split(x, n)" : null;
    complain(frame, "type", `${items.length} names cannot be bound to ${describe(value)}`, pattern.span, { help });
  }
  if (value.items.length !== items.length) {
    complain(frame, "type", `${items.length} names cannot be bound to ${describe(value)}`, pattern.span, {
      help: value.items.length > items.length ? "write `_` for what is not needed" : null,
    });
  }
  items.forEach((item, i) => {
    assign(frame, item, value.items[i]!, form);
  });
}
export function checkBindable(frame: Frame, name: string, span: Span): void {
  if (unbindable.has(name)) complain(frame, "name", `\`${name}\` cannot be bound: it has a meaning of its own`, span);
}
