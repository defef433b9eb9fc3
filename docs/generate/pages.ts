/** The generated pages by their place in `docs/`, and generated parts of pages that are written by hand. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { invariant } from "../../ir/diagnostic.ts";
import { builtinTable } from "./builtins.ts";
import { libraryPage } from "./library.ts";
import { operationsPage } from "./operations.ts";

export const folder = join(import.meta.dirname, "..");

export const generatedPages = (): ReadonlyMap<string, string> =>
  new Map([
    ["library.md", libraryPage()],
    ["operations.md", operationsPage()],
    ["language.md", withParts(readFileSync(join(folder, "language.md"), "utf8"))],
  ]);

const parts: Readonly<Record<string, () => string>> = {
  optimizers: () => builtinTable("optimizers", "optimizer"),
  schedules: () => builtinTable("schedules", "schedule"),
};
/** `<!-- npm run docs: NAME -->` up to `<!-- end -->` holds the part of that name. */
const withParts = (text: string): string =>
  text.replace(/(<!-- npm run docs: (\w+) -->\n).*?(?=<!-- end -->)/gs, (_, start: string, name: string) => {
    const part = parts[name];
    invariant(part, `there is no generated part ${name}`);
    return `${start}\n${part()}\n\n`;
  });
