/** `npm run docs`: writes what of the documentation follows from the sources. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, generatedPages } from "./generate/pages.ts";

for (const [name, text] of generatedPages()) writeFileSync(join(folder, name), text);
