/** Every example of the documentation is what it says it is. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/frontend/elaborate.ts";
import { parse } from "../../compiler/frontend/parse.ts";
import { renderDiagnostics } from "../../ir/diagnostic.ts";
import { codeBlocks } from "./blocks.ts";

const root = join(import.meta.dirname, "../..");
const pages = ["README.md", ...readdirSync(join(root, "docs")).flatMap((f) => (f.endsWith(".md") ? [`docs/${f}`] : []))]
  .map((name) => ({ name, blocks: codeBlocks(readFileSync(join(root, name), "utf8")) }))
  .filter(({ blocks }) => blocks.some((b) => b.language.startsWith("dlm")));

describe.each(pages)("$name", ({ blocks }) => {
  const files = new Map(blocks.flatMap(({ text }) => [/^# (\w+\.dlm)\n/.exec(text)].flatMap((m) => (m ? [[m[1]!, text] as const] : []))));
  const saidAbout = (text: string): string => {
    const { diagnostics, sources } = checkFile({ path: "net.dlm", text, resolve: (path) => files.get(path) ?? null });
    return renderDiagnostics(diagnostics, sources);
  };
  const of = (language: string) => blocks.filter((b) => b.language === language).map((b) => [b.line, b.text] as const);

  test.for(of("dlm"))("line %s: a file without mistakes", ([, text]) => {
    expect(saidAbout(text)).toBe("");
  });
  test.for(of("dlm-part"))("line %s: statements", ([, text]) => {
    expect(parse(`layer Part(x) {\n${text}}\n`, "net.dlm").problems).toEqual([]);
  });
  test.for(of("dlm-error"))("line %s: mistakes, and what is said about them", ([line, text]) => {
    const shown = blocks[blocks.findIndex((b) => b.line === line) + 1];
    expect(shown?.language).toBe("text");
    expect(`${saidAbout(text)}\n`).toBe(shown?.text);
  });
});

test("the documentation has examples", () => {
  const all = pages.flatMap((page) => page.blocks);
  expect(all.filter((b) => b.language === "dlm").length).toBeGreaterThan(15);
  expect(all.filter((b) => b.language === "dlm-error").length).toBeGreaterThan(0);
});
