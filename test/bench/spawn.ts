import { fork } from "node:child_process";
import { join } from "node:path";
import type { Answer, Job } from "./job.ts";

/** `limit`: seconds after which a process is given up. */
export function runCell(job: Job, limit: number): Promise<Answer> {
  return new Promise((resolve) => {
    const child = fork(join(import.meta.dirname, "cell.ts"), { execArgv: ["--import", "tsx"], stdio: ["ignore", "ignore", "pipe", "ipc"] });
    let errors = "";
    child.stderr!.on("data", (chunk) => {
      errors += chunk;
    });
    const failed = (why: string): void => resolve({ kind: "failed", why });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      failed(`no answer within ${limit} s`);
    }, 1000 * limit);
    child.once("message", (answer: Answer) => resolve(answer));
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      failed(`the process ended with ${signal ?? code}: ${errors.trim().split("\n").at(-1)}`);
    });
    child.send(job);
  });
}
