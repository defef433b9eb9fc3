/**
 * A folder that training continues from: `state.json` names a safetensors file and says how far it is. The file is
 * written first and the state is replaced last, so that a crash at any moment leaves a folder that works.
 */
import { join } from "node:path";
import { fail } from "../../ir/diagnostic.ts";
import type { Companion } from "../formats/source.ts";
import { saveInFolder } from "./companions.ts";
import { checkWritable, exists, makeFolder, readBytes, readText, remove, writeAtomically } from "./files.ts";

/** What the run was made of; a resumed run must have the same. */
export interface RunState {
  /** Updates done. */
  readonly step: number;
  /** Updates of the whole run. */
  readonly steps: number;
  readonly seed: number;
  readonly batch: number;
  /** Training examples; 0: a program without data. */
  readonly examples: number;
  readonly shuffle: boolean;
  readonly program: string;
  readonly trainBlock: string;
  /** Of `--set`. */
  readonly set: Readonly<Record<string, string>>;
  /** Of all named dimensions but the batch. */
  readonly dims: Readonly<Record<string, number>>;
  /** Names of the data's fields. */
  readonly fields: readonly string[];
  /** Examples of the data, those kept for validation with them. */
  readonly stored: number;
}
interface StateFile extends RunState {
  readonly format: "dlm-checkpoint";
  readonly version: 2;
  readonly file: string;
}
const stateName = "state.json";

export function writeCheckpoint(folder: string, state: RunState, variables: Uint8Array, companions: readonly Companion[]): void {
  makeFolder(folder);
  const before = exists(join(folder, stateName)) ? parseState(folder).file : null;
  const file = `step-${state.step}.safetensors`;
  const content: StateFile = { format: "dlm-checkpoint", version: 2, file, ...state };
  writeAtomically(join(folder, file), variables);
  saveInFolder(folder, companions);
  writeAtomically(join(folder, stateName), `${JSON.stringify(content, null, 2)}\n`);
  if (before !== null && before !== file) remove(join(folder, before));
}

/** Fails where no checkpoint could be written. Makes the folder. */
export function checkCheckpointFolder(folder: string): void {
  checkWritable(join(folder, stateName));
  if (exists(join(folder, stateName))) parseState(folder);
}

export function readCheckpoint(folder: string): { readonly state: RunState; readonly path: string; readonly variables: Uint8Array } {
  if (!exists(join(folder, stateName))) fail("file", `${folder} is not a checkpoint: it has no ${stateName}`, null);
  const state = parseState(folder);
  const path = join(folder, state.file);
  return { state, path, variables: readBytes(path) };
}

function parseState(folder: string): StateFile {
  const path = join(folder, stateName);
  const value = parseJson(readText(path)) as Partial<StateFile> | null;
  const numbers = [value?.step, value?.steps, value?.seed, value?.batch, value?.examples, value?.stored];
  const known = value?.format === "dlm-checkpoint" && value.version === 2;
  const plain = typeof value?.file === "string" && /^[\w-]+\.safetensors$/.test(value.file);
  const right =
    known &&
    plain &&
    numbers.every((n) => Number.isSafeInteger(n)) &&
    typeof value.shuffle === "boolean" &&
    typeof value.program === "string" &&
    typeof value.trainBlock === "string" &&
    isMap(value.set, "string") &&
    isMap(value.dims, "number") &&
    Array.isArray(value.fields);
  return right ? (value as StateFile) : fail("file", `${path} is not the state of a checkpoint that this version knows`, null);
}
const isMap = (x: unknown, of: "string" | "number"): boolean =>
  typeof x === "object" && x !== null && Object.values(x).every((v) => typeof v === of);
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
