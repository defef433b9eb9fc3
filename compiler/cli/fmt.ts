/** `dlm fmt FILE...`: canonical formatting. */
import { report } from "./errors.ts";
import { readText, writeAtomically } from "./files.ts";
import { exit, type Io } from "./io.ts";
import type { Arguments, Command } from "./options.ts";

export const fmtCommand: Command = {
  name: "fmt",
  usage: "FILE...",
  summary: "Formats files in place.",
  files: "many",
  options: { check: { help: "change nothing, list the files that are not formatted; exit 1 if there are any" } },
  run: async (args, io) => {
    const { format } = await import("../frontend/format.ts");
    return Math.max(...args.files.map((path) => formatFile(path, format, args, io)));
  },
};

/** A mistake in one file does not stop the others. */
function formatFile(path: string, format: (text: string, path: string) => string, args: Arguments, io: Io): number {
  try {
    const before = readText(path);
    const after = format(before, path);
    if (after === before) return exit.fine;
    if (args.has("check")) {
      io.out(`${path}\n`);
      return exit.mistake;
    }
    writeAtomically(path, after);
    return exit.fine;
  } catch (error) {
    return report(error, io);
  }
}
