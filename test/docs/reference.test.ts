/** Generated pages are those that the sources give; links between pages lead somewhere. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { builtins } from "../../compiler/frontend/elaborate/builtins/index.ts";
import { isUpperCase } from "../../compiler/frontend/elaborate/paths.ts";
import { standardLibrary } from "../../compiler/frontend/elaborate/source.ts";
import { generatedPages } from "../../docs/generate/pages.ts";
import { opByName } from "../../ir/ops/index.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const generated = generatedPages();

describe("generated pages", () => {
  test.each([...generated.keys()])("docs/%s is up to date: run `npm run docs` where it is not", (name) => {
    expect(read(`docs/${name}`)).toBe(generated.get(name));
  });
  /** Names without a row whose last cell says something. */
  const unexplained = (page: string, names: Iterable<string>): readonly string[] => {
    const rows = generated.get(page)!.split("\n");
    return [...names].filter((name) => !rows.some((row) => row.startsWith(`| \`${name}(`) && !/\|\s*\|$/.test(row)));
  };
  test("every operation is explained", () => {
    expect(unexplained("operations.md", opByName.keys())).toEqual([]);
  });
  test("every builtin function is explained, every layer, and what else of the prelude has documentation", () => {
    const prelude = [...standardLibrary()].filter(
      ([name, d]) => isUpperCase(name) || (d.kind === "declared" && d.declaration.doc !== null),
    );
    expect(prelude.length).toBeGreaterThan(30);
    expect(unexplained("library.md", [...builtins.keys(), ...prelude.map(([name]) => name)])).toEqual([]);
  });
});

const pages = [
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs")).flatMap((f) => (f.endsWith(".md") ? [`docs/${f}`] : [])),
];

/** As GitHub makes them of headings. */
const anchors = (text: string): ReadonlySet<string> =>
  new Set(
    [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replace(/[^\w\s-]/g, "")
        .replace(/ /g, "-"),
    ),
  );
const withoutCode = (text: string): string => text.replace(/^```.*?^```$/gms, "");

describe("links", () => {
  test.each(pages)("%s", (page) => {
    const links = [
      ...withoutCode(read(page))
        .replace(/`[^`\n]*`/g, "")
        .matchAll(/\]\(([^)\s]+)\)/g),
    ].map((m) => m[1]!);
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path, anchor] = link.split("#") as [string, string | undefined];
      const target = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchors(read(target)).has(anchor);
    });
    expect(broken).toEqual([]);
  });
});
