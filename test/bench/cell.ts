/** A process of its own for one work, engine and number of threads: `peers.ts` sends a job and gets an answer. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readOnnx } from "../../compiler/formats/onnx/read.ts";
import { networkOf } from "./graph/network.ts";
import { inputsOf } from "./inputs.ts";
import { type Answer, type EngineModule, files, type Job } from "./job.ts";
import { measure } from "./measure.ts";

async function answer(job: Job): Promise<Answer> {
  try {
    const path = join(job.folder, files.onnx);
    const inputs = inputsOf(networkOf(readOnnx(readFileSync(path), path)), job.work);
    const engine: EngineModule = await import(new URL(`./engines/${job.module}`, import.meta.url).href);
    const measured = await measure(() => engine.open(job, inputs), job.work.kind === "training", job.budget);
    return { kind: "measured", ...measured };
  } catch (error) {
    return { kind: "failed", why: error instanceof Error ? error.message : String(error) };
  }
}

process.once("message", async (job: Job) => {
  process.send!(await answer(job), () => process.exit(0));
});
