/**
 * Writes `text.ts`: the standard layers and the models of `std/` as strings, so that the compiler needs no file system.
 * Run by `npm run embed`.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const prelude = import.meta.dirname;
const zoo = join(prelude, "../../examples/zoo");

/** A declaration of the texts of a folder's .dlm files, by name. */
function table(name: string, folder: string): string {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith(".dlm"))
    .sort();
  const entries = files.map((file) => `  ${JSON.stringify(file)}: ${JSON.stringify(readFileSync(join(folder, file), "utf8"))},`);
  return `export const ${name}: Readonly<Record<string, string>> = {\n${entries.join("\n")}\n};\n`;
}
const text = [
  "// Written by embed.ts from the .dlm files of this folder and of examples/zoo.\n",
  table("preludeFiles", prelude),
  "/** What `std/NAME.dlm` imports. */\n",
  table("zooFiles", zoo),
].join("");
const target = join(prelude, "text.ts");
if (!existsSync(target) || readFileSync(target, "utf8") !== text) writeFileSync(target, text);
