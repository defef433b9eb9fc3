/** What was thrown, as the user reads it, and the exit code that goes with it. */
import { CompileError } from "../../ir/diagnostic.ts";
import { DlmError, type ErrorCode } from "../../runtime/errors.ts";
import { exit, type Io } from "./io.ts";

/** Which errors of the runtime are faults of ours. */
const faults: Record<ErrorCode, boolean> = {
  input: false,
  weights: false,
  checkpoint: false,
  safetensors: false,
  artefact: false,
  entry: true,
  option: false,
  unsupported: false,
  memory: false,
  device: false,
  trap: true,
  threads: false,
  disposed: true,
};

/** Prints the error to standard error and gives the exit code. The stack is shown for our faults when DLM_DEBUG is 1. */
export function report(error: unknown, io: Io): number {
  if (error instanceof CompileError) {
    io.err(`${error.message}\n`);
    return exit.mistake;
  }
  if (error instanceof DlmError && !faults[error.code]) {
    io.err(`error[${error.code}]: ${error.message}\n`);
    return exit.mistake;
  }
  const debug = io.env.DLM_DEBUG === "1";
  const text = error instanceof Error ? (debug ? (error.stack ?? error.message) : firstLines(error.message)) : String(error);
  io.err(`${text.startsWith("internal error") ? "" : "internal error: "}${text}\n`);
  io.err(`This is a fault of dlm, not of your input.${debug ? "" : " DLM_DEBUG=1 shows where it happened."}\n`);
  return exit.fault;
}

const shownLines = 12;
const shownWidth = 400;
function firstLines(message: string): string {
  const lines = message.split("\n");
  const shown = lines.slice(0, shownLines).map((line) => (line.length > shownWidth ? `${line.slice(0, shownWidth)} ...` : line));
  return lines.length > shownLines ? [...shown, `... (${lines.length - shownLines} more lines)`].join("\n") : shown.join("\n");
}
