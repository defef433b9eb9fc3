#!/usr/bin/env node
/** The program `dlm`: the command line on the real process. */
import { main } from "./command-line.ts";
import { report } from "./errors.ts";
import type { Io } from "./io.ts";
import { realToolchain } from "./toolchain.ts";

const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  columns: process.stderr.isTTY ? process.stderr.columns || 80 : null,
  env: process.env,
  now: () => performance.now(),
  onInterrupt: (callback) => {
    process.once("SIGINT", callback);
    return () => void process.off("SIGINT", callback);
  },
  toolchain: realToolchain,
};

// `dlm inspect net.dlm | head` closes the pipe early: not an error.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? 0 : 2);
  });

process.on("uncaughtException", (error) => process.exit(report(error, io)));

const code = await main(process.argv.slice(2), io);
// Threads and GPU devices may outlive their work; what was printed must be out first.
process.stdout.write("", () => process.exit(code));
