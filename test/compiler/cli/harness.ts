/** Commands run inside the test, on files of a temporary folder. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { main } from "../../../compiler/cli/command-line.ts";
import type { Io } from "../../../compiler/cli/io.ts";
import { realToolchain, type Toolchain } from "../../../compiler/cli/toolchain.ts";

export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
export interface RunOptions {
  readonly toolchain?: Toolchain;
  readonly env?: Io["env"];
  readonly columns?: number;
  /** Milliseconds that each look at the clock takes. */
  readonly tick?: number;
  /** A clock of the test; then nothing else takes time. */
  readonly now?: () => number;
  /** Interrupts when this text has been printed to standard error. */
  readonly interruptAt?: string;
}

export async function dlm(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
  let out = "";
  let err = "";
  let time = 0;
  let interrupt: (() => void) | null = null;
  const io: Io = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
      if (options.interruptAt !== undefined && err.includes(options.interruptAt)) {
        const callback = interrupt;
        interrupt = null;
        callback?.();
      }
    },
    columns: options.columns ?? null,
    env: options.env ?? {},
    now: () => {
      if (options.now) return options.now();
      time += options.tick ?? 1;
      return time;
    },
    onInterrupt: (callback) => {
      interrupt = callback;
      return () => {
        interrupt = null;
      };
    },
    toolchain: options.toolchain ? async () => options.toolchain! : realToolchain,
  };
  const code = await main(argv, io);
  return { code, out, err };
}

/** A folder with these files, gone after the test; gives the path of a name in it. */
export function folder(files: Readonly<Record<string, string | Uint8Array>> = {}): (name: string) => string {
  const root = mkdtempSync(join(tmpdir(), "dlm-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(root, name), content);
  return (name) => join(root, name);
}
