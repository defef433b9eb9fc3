/** After `tsc`: makes the compiled command executable. */
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const main = join(resolve(import.meta.dirname, "../.."), "dist/compiler/cli/main.js");
const shebang = "#!/usr/bin/env node\n";

const text = readFileSync(main, "utf8");
if (!text.startsWith(shebang)) writeFileSync(main, shebang + text);
chmodSync(main, 0o755);
