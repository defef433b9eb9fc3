/** Files beside weights that say what the numbers of the data mean: `W.vocab.json` and `W.labels.txt` beside `W.safetensors`. */
import { basename, dirname, join } from "node:path";
import type { Companion, CompanionEnding } from "../formats/source.ts";
import { checkWritable, exists, isFile, readText, writeAtomically } from "./files.ts";
import type { Arguments } from "./options.ts";

const besideWeights = (weights: string, ending: CompanionEnding): string =>
  inCheckpoint(weights) ? inFolder(dirname(weights), ending) : `${weights.replace(/\.safetensors$/, "")}${ending}`;
/** The file of a checkpoint may serve as weights. */
const inCheckpoint = (weights: string): boolean => /^step-\d+\.safetensors$/.test(basename(weights));
const inFolder = (folder: string, ending: CompanionEnding): string => join(folder, ending.slice(1));

export function saveBesideWeights(weights: string, companions: readonly Companion[]): void {
  for (const { ending, text } of companions) writeAtomically(besideWeights(weights, ending), text);
}
/** Fails where weights and what lies beside them could not be saved. */
export function checkBesideWeights(weights: string, companions: readonly Companion[]): void {
  checkWritable(weights);
  for (const { ending } of companions) checkWritable(besideWeights(weights, ending));
}
export function saveInFolder(folder: string, companions: readonly Companion[]): void {
  for (const { ending, text } of companions) writeAtomically(inFolder(folder, ending), text);
}

/** What lies beside the weights or in the checkpoint that a command continues from; null: there is none. */
export function findCompanion(args: Arguments, ending: CompanionEnding): { readonly path: string; readonly text: string } | null {
  const resumed = args.get("resume");
  const paths = resumed === undefined ? weightFiles(args).map((w) => besideWeights(w, ending)) : [inFolder(resumed, ending)];
  const path = paths.find(isFile);
  return path === undefined ? null : { path, text: readText(path) };
}
/** `--weights PREFIX=FILE` are of a part of the model. */
const weightFiles = (args: Arguments): readonly string[] => args.all("weights").filter((text) => exists(text) || !text.includes("="));
