import { execSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";

/** The libraries to compare with, in the versions of the lockfile. Nothing of what they ship is run while they are installed. */
export function installed(folder: string, progress: (text: string) => void): void {
  const [lock, present] = ["package-lock.json", "node_modules/.package-lock.json"].map((name) => join(folder, name)) as [string, string];
  if (existsSync(present) && statSync(present).mtimeMs >= statSync(lock).mtimeMs) return;
  progress("installing the libraries to compare with");
  execSync("npm ci --no-audit --no-fund", { cwd: folder, stdio: ["ignore", 2, 2] });
}
