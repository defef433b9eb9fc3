/** Whole rendered diagnostics for files that get something wrong. `npx vitest run --update` writes them anew. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "../../../compiler/frontend/parse.ts";
import { renderDiagnostics } from "../../../ir/diagnostic.ts";

const folder = join(import.meta.dirname, "syntax-errors");
const files = readdirSync(folder).filter((f) => f.endsWith(".dlm"));

test.each(files)("%s", async (name) => {
  const text = readFileSync(join(folder, name), "utf8");
  const { problems } = parse(text, name);
  expect(problems.every((p) => p.severity === "error")).toBe(true);
  await expect(`${renderDiagnostics(problems, new Map([[name, text]]))}\n`).toMatchFileSnapshot(join(folder, name.replace(".dlm", ".txt")));
});

test("what follows an error is read as usual", () => {
  const survivors = files.filter((f) => readFileSync(join(folder, f), "utf8").includes("fn fine(x)"));
  expect(survivors.length).toBeGreaterThan(5);
  for (const name of survivors) {
    const { file } = parse(readFileSync(join(folder, name), "utf8"), name);
    expect(file.declarations.at(-1)).toMatchObject({ kind: "fn", name: { name: "fine" } });
  }
});
