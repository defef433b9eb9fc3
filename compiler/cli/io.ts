/** What a command may touch besides files: given from outside, so that tests can run commands in their own process. */
import type { Toolchain } from "./toolchain.ts";

export interface Io {
  /** Standard output: results. */
  readonly out: (text: string) => void;
  /** Standard error: progress, notes, diagnostics. */
  readonly err: (text: string) => void;
  /** Width of the terminal behind standard error; null: a pipe or file. */
  readonly columns: number | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds. */
  readonly now: () => number;
  /** Calls back once when the user interrupts; a further interrupt ends the process. Returns how to stop listening. */
  readonly onInterrupt: (callback: () => void) => () => void;
  readonly toolchain: () => Promise<Toolchain>;
}

/** The kinds of exit: fine, the user's mistake, ours, stopped by the user. */
export const exit = { fine: 0, mistake: 1, fault: 2, interrupted: 130 } as const;

export const note = (io: Io, text: string): void => io.err(`note: ${text}\n`);
export const warn = (io: Io, text: string): void => io.err(`warning: ${text}\n`);
