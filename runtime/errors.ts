/** What can go wrong while loading and running a program; every error of the runtime is one of these. */

/**
 * input: values given to a call. weights, checkpoint: a file that does not fit the program. safetensors: a malformed file.
 * artefact: a malformed or newer program. entry: the program was compiled without it. option: an option of `load`.
 * unsupported: this engine or GPU cannot run the program. memory: not enough of it. device: the GPU failed or went away.
 * trap: generated code stopped. threads: one of them has ended. disposed: used after `dispose`.
 */
export type ErrorCode =
  | "input"
  | "weights"
  | "checkpoint"
  | "safetensors"
  | "artefact"
  | "entry"
  | "option"
  | "unsupported"
  | "memory"
  | "device"
  | "trap"
  | "threads"
  | "disposed";

export class DlmError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DlmError";
    this.code = code;
  }
}

export function fail(code: ErrorCode, message: string, cause?: unknown): never {
  throw new DlmError(code, message, cause);
}

/** The message of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
