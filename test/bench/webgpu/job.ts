/** What a page, or a process of Node, is asked for and what it answers. */
import type { Times } from "../job.ts";
import { measure } from "../measure.ts";
import type { Work } from "../works.ts";
import type { Counts, countCalls } from "./counters.ts";

export interface InputFile {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: "f32" | "i32";
  readonly file: string;
}
export interface GpuJob {
  readonly work: Work;
  readonly inputs: readonly InputFile[];
  /** The description of our program, which tells its other files. */
  readonly program: string;
  /** Milliseconds of counted runs. */
  readonly budget: number;
}
export interface Adapter {
  readonly name: string;
  readonly software: boolean;
}
export interface GpuMeasured {
  readonly adapter: Adapter;
  readonly times: Times;
  /** Milliseconds until the first result was there, code and model loaded. */
  readonly startUp: number;
  /** Of one run. */
  readonly counts: Counts;
  /** Milliseconds, the least of all runs: what else the machine does only adds. */
  readonly encode: number;
  /** The output of the first inference, or the losses of the first steps. */
  readonly result: readonly number[];
}
export type GpuAnswer = ({ readonly kind: "measured" } & GpuMeasured) | { readonly kind: "failed"; readonly why: string };

export async function measureGpu(
  { work, budget }: GpuJob,
  adapter: Adapter,
  open: () => Promise<() => Promise<Float32Array>>,
  counted: ReturnType<typeof countCalls>,
  sinceStart: () => number,
): Promise<GpuMeasured> {
  const runs: Awaited<ReturnType<typeof counted>>[1][] = [];
  let startUp = 0;
  const counting = async () => {
    const run = await open();
    return {
      threads: 1,
      run: async () => {
        const [value, counts] = await counted(run);
        startUp ||= sinceStart();
        runs.push(counts);
        return value;
      },
    };
  };
  const { times, result } = await measure(counting, work.kind === "training", budget);
  const { encode: _, ...counts } = runs.at(-1)!;
  return { adapter, times, startUp, counts, encode: Math.min(...runs.map((r) => r.encode)), result };
}

/** What WebGPU offers here. */
export async function adapterOf(gpu: GPU | undefined): Promise<Adapter | null> {
  const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return null;
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const name = [vendor, architecture, description].filter((text) => text !== "").join(" ") || "unnamed";
  return { name, software: isFallbackAdapter || /swiftshader|llvmpipe|basic render/i.test(name) };
}
