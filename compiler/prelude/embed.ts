/** Writes `text.ts`, the standard layers as strings, so that the compiler needs no file system. Run by `npm run embed`. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = import.meta.dirname;
const names = readdirSync(folder)
  .filter((name) => name.endsWith(".dlm"))
  .sort();
const entries = names.map((name) => `  ${JSON.stringify(name)}: ${JSON.stringify(readFileSync(join(folder, name), "utf8"))},`);
const text = `// Written by embed.ts from the .dlm files of this folder.\nexport const preludeFiles: Readonly<Record<string, string>> = {\n${entries.join("\n")}\n};\n`;
const target = join(folder, "text.ts");
if (!existsSync(target) || readFileSync(target, "utf8") !== text) writeFileSync(target, text);
