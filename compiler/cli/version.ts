import { readFileSync } from "node:fs";

/** Of the package; the compiled file lies one folder deeper than the source. */
export function version(): string {
  for (const up of ["../../package.json", "../../../package.json"])
    try {
      return JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")).version;
    } catch {
      // not there: the next place
    }
  return "unknown";
}
