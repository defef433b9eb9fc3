/** `dlm weights FILE [FILE2]`: lists the tensors of a weight file, changes them, compares two files. */
import { extname } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import { type Tensors, writeSafetensors } from "../../runtime/index.ts";
import { makeFolderOf, samePlace, writeAtomically } from "./files.ts";
import { exit, type Io } from "./io.ts";
import type { Arguments, Command } from "./options.ts";
import { jsonOption } from "./settings.ts";
import { readTensors } from "./tensor-files.ts";
import { agree, compare, describeComparison, jsonComparison } from "./weights-compare.ts";
import { converted, renamed, selection } from "./weights-edit.ts";
import { jsonListing, listing, total } from "./weights-list.ts";

export const weightsCommand: Command = {
  name: "weights",
  usage: "FILE [FILE2] [-o OUT.safetensors]",
  summary: "Lists the tensors of a weight file, writes them changed, or compares two files.",
  details:
    "A file is safetensors, or .npz with an array for each parameter. --only and --drop go by the names in the files; then\n" +
    "--rename and --dtype change the tensors of FILE. In patterns * stands for any characters, dots included, and the new name of\n" +
    "--rename 'backbone.*=net.*' takes them over in order. Statistics are of the finite values.\n" +
    "With FILE2 the exit code is 1 when names or shapes differ, or a value by more than E, absolutely and relatively.",
  files: "many",
  options: {
    out: { value: "FILE", short: "o", help: "write the tensors as safetensors" },
    only: { value: "GLOB", repeat: true, help: "only tensors with such names" },
    drop: { value: "GLOB", repeat: true, help: "no tensors with such names" },
    rename: { value: "OLD=NEW", repeat: true, help: "new names, by patterns; one after the other" },
    dtype: { value: "TYPE", help: "floating-point tensors as f32, f16 or bf16" },
    tolerance: { value: "E", help: "what values may differ by; default 0" },
    ...jsonOption,
  },
  run: weights,
};

async function weights(args: Arguments, io: Io): Promise<number> {
  const [path, other, ...rest] = args.files as [string, ...string[]];
  const out = args.get("out");
  if (rest.length) fail("flag", `\`dlm weights\` takes one or two files, found ${args.files.length}`, null);
  if (other === undefined && args.has("tolerance")) fail("flag", "`--tolerance` is for comparing two files", null);
  if (other !== undefined && out !== undefined) fail("flag", "`-o` writes the tensors of one file, found two", null);
  if (out !== undefined) checkEnding(out);
  if (out !== undefined && samePlace(out, path) && (args.has("only") || args.has("drop")))
    fail("flag", `\`-o ${out}\` would replace the file that is read, and lose tensors`, null, { help: "write to another file" });
  const tolerance = toleranceOf(args);
  const [first, second] = [readTensors(path), other === undefined ? null : readTensors(other)];
  const chosen = selection(args, [first.entries, second?.entries ?? []]);
  if (out !== undefined && first.entries.length > 0 && !first.entries.some(chosen))
    fail("flag", `\`-o ${out}\` would have no tensors: --only and --drop leave none`, null);
  const changed: Tensors = { ...first, entries: converted(args, renamed(args, first.entries.filter(chosen))) };
  if (other === undefined || !second) return show(changed, args, io);
  const comparison = compare(changed.entries, second.entries.filter(chosen), [path, other], tolerance);
  io.out(args.has("json") ? `${jsonComparison(comparison)}\n` : describeComparison(comparison));
  return agree(comparison) ? exit.fine : exit.mistake;
}

function checkEnding(path: string): void {
  const ending = extname(path);
  if (ending !== "" && ending !== ".safetensors")
    fail("flag", `weights are written as .safetensors, not \`${ending}\``, null, {
      help: `write -o ${path.slice(0, -ending.length)}.safetensors`,
    });
}

function toleranceOf(args: Arguments): number {
  const text = args.get("tolerance") ?? "0";
  const value = text.trim() === "" ? Number.NaN : Number(text);
  return value >= 0 && value < Infinity ? value : fail("flag", `\`--tolerance\` must be a number from 0, found \`${text}\``, null);
}

/** The list; of a file that is written its size alone. */
function show(tensors: Tensors, args: Arguments, io: Io): number {
  const out = args.get("out");
  if (out !== undefined) {
    makeFolderOf(out);
    writeAtomically(out, writeSafetensors(tensors.entries, tensors.metadata));
  }
  if (args.has("json")) io.out(`${jsonListing(tensors)}\n`);
  else io.out(out === undefined ? listing(tensors) : `${out}: ${total(tensors.entries)}\n`);
  return exit.fine;
}
