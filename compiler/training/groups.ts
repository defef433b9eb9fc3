/** Globs over the paths of parameters, and who is trained by what. */
import { type Diagnostic, diagnostic, type Span } from "../../ir/diagnostic.ts";

/** `*` stands for any characters, dots included; everything else for itself. The whole path must match. */
export function globMatcher(glob: string): (path: string) => boolean {
  const [first, ...rest] = glob.split("*") as [string, ...string[]];
  const last = rest.pop();
  if (last === undefined) return (path) => path === glob;
  return (path) => {
    if (!path.startsWith(first)) return false;
    let at = first.length;
    for (const piece of rest) {
      const found = path.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return path.length - last.length >= at && path.endsWith(last);
  };
}

interface Group {
  /** null: everything. */
  readonly globs: readonly string[] | null;
}
/** For every path the last of `groups` that matches it. */
export function assignGroups<G extends Group>(paths: readonly string[], groups: readonly G[]): ReadonlyMap<string, G> {
  const of = new Map<string, G>();
  for (const group of groups) {
    const matchers = group.globs?.map(globMatcher);
    for (const path of paths) if (!matchers || matchers.some((m) => m(path))) of.set(path, group);
  }
  return of;
}

/** An error if `glob` matches none of `paths`. */
export function unmatched(glob: string, span: Span | null, paths: readonly string[], what: string): Diagnostic | null {
  if (paths.some(globMatcher(glob))) return null;
  const shown = paths.slice(0, 8).join(", ");
  const help = paths.length === 0 ? `the training step has no ${what}` : `there are ${shown}${paths.length > 8 ? ", ..." : ""}`;
  return diagnostic("train", `"${glob}" matches no ${what} of the training step`, span, { help });
}
