/** A page for one engine and one work: counts calls, opens the model, measures, posts the answer. */
import type { Input } from "../../job.ts";
import { countCalls } from "../counters.ts";
import { adapterOf, type GpuAnswer, type GpuJob, type InputFile, measureGpu } from "../job.ts";

export type Open = (job: GpuJob, inputs: readonly Input[]) => Promise<() => Promise<Float32Array>>;

export async function file(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
export const json = async (name: string): Promise<unknown> => JSON.parse(new TextDecoder().decode(await file(name)));

async function input({ name, dims, type, file: from }: InputFile): Promise<Input> {
  const { buffer } = await file(from);
  return { name, dims, data: type === "f32" ? new Float32Array(buffer) : new Int32Array(buffer) };
}

async function measured(open: Open): Promise<GpuAnswer> {
  const adapter = await adapterOf(navigator.gpu);
  if (!adapter) return { kind: "failed", why: "WebGPU finds no GPU" };
  const job = (await json("job.json")) as GpuJob;
  const inputs = await Promise.all(job.inputs.map(input));
  const counted = countCalls(globalThis);
  const opened = () => open(job, inputs);
  return { kind: "measured", ...(await measureGpu(job, adapter, opened, counted, () => performance.now())) };
}

/** `open`: from files to a model that is ready. */
export async function cell(open: Open): Promise<void> {
  const value = await measured(open).catch((e): GpuAnswer => ({ kind: "failed", why: e instanceof Error ? e.message : String(e) }));
  await fetch("answer", { method: "POST", body: JSON.stringify({ value }) });
}
