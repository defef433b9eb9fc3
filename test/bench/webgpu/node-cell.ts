/** Ours in Node, through Dawn: a process of its own for one work. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { create, globals } from "webgpu";
import { load, programFromArtefact } from "../../../runtime/index.ts";
import { runOf, warmFor } from "../engines/dlm-model.ts";
import { files, type Input } from "../job.ts";
import { programPath } from "../prepare.ts";
import { countCalls, type Interfaces } from "./counters.ts";
import { adapterOf, type GpuAnswer, type GpuJob, measureGpu } from "./job.ts";

export interface NodeJob {
  readonly job: GpuJob;
  readonly folder: string;
}

const inputsOf = ({ inputs }: GpuJob, folder: string): readonly Input[] =>
  inputs.map(({ name, dims, type, file }) => {
    const { buffer } = new Uint8Array(readFileSync(join(folder, file)));
    return { name, dims, data: type === "f32" ? new Float32Array(buffer) : new Int32Array(buffer) };
  });

async function answer({ job, folder }: NodeJob): Promise<GpuAnswer> {
  const gpu = create([]);
  const adapter = await adapterOf(gpu);
  if (!adapter) return { kind: "failed", why: "Dawn finds no GPU" };
  const open = async () => {
    const path = programPath(job.work, folder);
    const program = await programFromArtefact(JSON.parse(await readFile(path, "utf8")), (name) => readFile(join(dirname(path), name)));
    const weights = new Uint8Array(await readFile(join(folder, files.weights)));
    const net = await load(program, { gpu, weights, warm: warmFor(job.work.kind) });
    return runOf(net, job.work.kind, inputsOf(job, folder));
  };
  const counted = countCalls(globals as unknown as Interfaces);
  return { kind: "measured", ...(await measureGpu(job, adapter, open, counted, () => performance.now())) };
}

process.once("message", async (job: NodeJob) => {
  const given = await answer(job).catch((e): GpuAnswer => ({ kind: "failed", why: e instanceof Error ? e.message : String(e) }));
  process.send!(given, () => process.exit(0));
});
