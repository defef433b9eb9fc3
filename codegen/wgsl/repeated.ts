/**
 * Names for index arithmetic that a shader repeats, in front of what depends on it.
 *
 *     for (var v_k = 0i; v_k < 16i; v_k++) {          let at = (v_i / 196i);
 *       s += b_x[(((v_i / 196i) * 64i) + v_k)]   =>   for (var v_k = 0i; v_k < 16i; v_k++) {
 *         * b_w[((v_i / 196i) + v_k)];                  s += b_x[((at * 64i) + v_k)] * b_w[(at + v_k)];
 *     }                                               }
 *
 * The arithmetic is that of axes and constants: it has the same value wherever an axis has it, and cannot fail. No two axes of a
 * kernel may have one name, or a term of the first loop would be named in the last one (`ir/kernel/verify.ts` refuses it). What stands in
 * parentheses is the same term wherever the same text stands, so that text is what is looked for. Drivers would find most of this
 * themselves; the shader is smaller, is compiled sooner, and can be read.
 */

import { invariant } from "../../ir/diagnostic.ts";

/** Integer terms of a shader while it is printed. */
export interface Terms {
  /** `name` is declared as an axis. */
  readonly axis: (name: string) => void;
  /** `text`, in parentheses or a call, was made of `parts`. */
  readonly term: (text: string, parts: readonly string[]) => string;
  /** The lines with names for what they repeat; `fresh` makes them. */
  readonly named: (lines: readonly string[], fresh: () => string) => readonly string[];
}
const isConstant = (text: string): boolean => /^(\d+i|\(-\d+i\))$/.test(text);

export function terms(): Terms {
  /** Axes that an axis or a term depends on. */
  const depends = new Map<string, ReadonlySet<string>>();
  const made = new Map<string, number>();
  const dependsOf = (part: string) => (isConstant(part) ? none : depends.get(part));
  return {
    axis: (name) => void depends.set(name, new Set([name])),
    term: (text, parts) => {
      made.set(text, (made.get(text) ?? 0) + 1);
      const of = parts.map(dependsOf);
      if (!depends.has(text) && of.every((d) => d !== undefined)) depends.set(text, new Set(of.flatMap((d) => [...d])));
      return text;
    },
    named: (lines, fresh) => {
      const repeated = [...made].filter(([text, count]) => count > 1 && (depends.get(text)?.size ?? 0) > 0).map(([text]) => text);
      const longestFirst = repeated.sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
      return numbered(
        longestFirst.reduce((all, text, i) => withName(all, text, depends.get(text)!, `@${i}@`), lines),
        fresh,
      );
    },
  };
}
/** Characters. A name for less makes a compressed shader larger: equal text compresses better than names that differ. */
const fewestSaved = 150;
const none: ReadonlySet<string> = new Set();

/** `text` under a name, where it occurs often, behind the last of the axes it depends on. */
function withName(lines: readonly string[], text: string, axes: ReadonlySet<string>, name: string): readonly string[] {
  const occurrences = lines.reduce((n, line) => n + line.split(text).length - 1, 0);
  if ((occurrences - 1) * text.length < fewestSaved) return lines;
  const behind = lines.findLastIndex((line) => axes.has(declaredBy(line) ?? "")) + 1;
  invariant(behind > 0, `${[...axes].join(", ")}: no line declares such axes`);
  const margin = /^ */.exec(lines[behind]!)![0];
  const renamed = lines.map((line) => line.replaceAll(text, name));
  return [...renamed.slice(0, behind), `${margin}let ${name} = ${text};`, ...renamed.slice(behind)];
}
/** Names in the order in which they are declared. */
function numbered(lines: readonly string[], fresh: () => string): readonly string[] {
  const names = new Map<string, string>();
  for (const line of lines) {
    const mark = /^ *let (@\d+@) /.exec(line)?.[1];
    if (mark) names.set(mark, fresh());
  }
  return lines.map((line) => line.replaceAll(/@\d+@/g, (mark) => names.get(mark)!));
}
const declaredBy = (line: string): string | undefined => /^ *(?:let|for \(var) (\w+) /.exec(line)?.[1];
