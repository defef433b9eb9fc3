/** Ours: the program and its weights, loaded by the runtime as an app would. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Input, Job, Opened } from "../job.ts";
import { files } from "../job.ts";
import { programPath } from "../prepare.ts";
import { runOf } from "./dlm-model.ts";

/** As built: what the package ships. */
const runtime: typeof import("../../../runtime/index.ts") = await import(new URL("../../../dist/runtime/index.js", import.meta.url).href);

export async function open({ work, threads, folder }: Job, inputs: readonly Input[]): Promise<Opened> {
  const path = programPath(work, folder);
  const description = JSON.parse(await readFile(path, "utf8"));
  const program = await runtime.programFromArtefact(description, async (name) => new Uint8Array(await readFile(join(dirname(path), name))));
  const net = await runtime.load(program, { threads, weights: new Uint8Array(await readFile(join(folder, files.weights))) });
  return { run: runOf(net, work.kind, inputs), threads: net.threads };
}
