/** After `tsc`: makes the compiled command executable, and reachable as `npx dlm` in this checkout. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
const main = join(root, "dist/compiler/cli/main.js");
const shebang = "#!/usr/bin/env node\n";

const text = readFileSync(main, "utf8");
if (!text.startsWith(shebang)) writeFileSync(main, shebang + text);
chmodSync(main, 0o755);

// npm links the bins of dependencies only, so `npx dlm` would look in the registry.
const bin = join(root, "node_modules/.bin");
if (existsSync(join(root, "node_modules")) && process.platform !== "win32") {
  mkdirSync(bin, { recursive: true });
  rmSync(join(bin, "dlm"), { force: true });
  symlinkSync(relative(bin, main), join(bin, "dlm"));
}
