/** One work in one engine: a page of its own, or a process of Node. */
import { fork } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { readOnnx } from "../../../compiler/formats/onnx/read.ts";
import { type AdapterKind, openChromium } from "../../browser/chromium.ts";
import type { Files } from "../../browser/serve.ts";
import { networkOf } from "../graph/network.ts";
import { inputsOf } from "../inputs.ts";
import { files } from "../job.ts";
import { programPath } from "../prepare.ts";
import type { Work } from "../works.ts";
import type { GpuAnswer, GpuJob, InputFile } from "./job.ts";
import type { NodeJob } from "./node-cell.ts";

export interface Cell {
  readonly answer: GpuAnswer;
  /** Compressed bytes of code that the page fetched; null in Node. */
  readonly code: number | null;
}

/** Writes inputs beside the model that `prepare` left in the folder. */
export function jobOf(work: Work, folder: string, budget: number): GpuJob {
  const onnx = join(folder, files.onnx);
  const inputs = inputsOf(networkOf(readOnnx(readFileSync(onnx), onnx)), work).map(({ name, dims, data }): InputFile => {
    const file = `${name}.input`;
    writeFileSync(join(folder, file), new Uint8Array(data.buffer));
    return { name, dims, type: data instanceof Float32Array ? "f32" : "i32", file };
  });
  return { work, budget, inputs, program: basename(programPath(work, folder)) };
}

const bench = join(import.meta.dirname, "..");
const ort = join(bench, "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm");
const filesIn = (folder: string): Files =>
  Object.fromEntries(
    readdirSync(folder, { withFileTypes: true }).flatMap((f) => (f.isFile() ? [[f.name, readFileSync(join(folder, f.name))]] : [])),
  );

/** Some libraries make functions of text and fetch from URLs of data. */
const lenient = {
  "default-src": "'self' data: blob:",
  "script-src": "'self' 'unsafe-eval' data: blob:",
  "connect-src": "'self' data: blob:",
  "worker-src": "'self' data: blob:",
};
const isCode = (name: string): boolean => /\.(m?js|wasm)$/.test(name);

/** In a browser of its own, which is closed whatever the page does. */
export async function inPage(adapter: AdapterKind, page: string, job: GpuJob, folder: string, limit: number): Promise<Cell> {
  const program = dirname(programPath(job.work, folder));
  const [model, ours] = [folder, program].map(filesIn) as [Files, Files];
  const fetched = new Map<string, number>();
  const chromium = await openChromium(adapter);
  if (!chromium) throw new Error("there is no Chromium");
  const answer = chromium.visit<GpuAnswer>({
    page,
    folder: join(import.meta.dirname, "pages"),
    // Users of TensorFlow.js bundle its core and one backend.
    build: { absWorkingDir: bench, minify: true, alias: { "@tensorflow/tfjs": "@tensorflow/tfjs-core" } },
    files: { ...model, ...ours, ...(page === "ort" ? { "ort.wasm": readFileSync(ort) } : {}), "job.json": JSON.stringify(job) },
    policy: lenient,
    onFile: (name, content) => {
      if (isCode(name) || Object.hasOwn(ours, name)) fetched.set(name, gzipSync(content).length);
    },
  });
  try {
    return { answer: await within(limit, answer), code: [...fetched.values()].reduce((a, b) => a + b, 0) };
  } finally {
    await chromium.close();
  }
}

/** Chromium's software adapter, for Dawn in Node, which has none of its own. */
const software = { VK_ICD_FILENAMES: "/usr/lib/chromium/vk_swiftshader_icd.json", XDG_RUNTIME_DIR: "/tmp" };

export function inNode(adapter: AdapterKind, job: GpuJob, folder: string, limit: number): Promise<Cell> {
  const child = fork(join(import.meta.dirname, "node-cell.ts"), {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    env: { ...process.env, ...(adapter === "software" ? software : {}) },
  });
  const answer = new Promise<GpuAnswer>((resolve) => {
    child.once("message", (message: GpuAnswer) => resolve(message));
    child.once("exit", (code, signal) => resolve({ kind: "failed", why: `the process ended with ${signal ?? code}` }));
  });
  child.send({ job, folder } satisfies NodeJob);
  return within(limit, answer).then((given) => {
    child.kill("SIGKILL");
    return { answer: given, code: null };
  });
}

async function within(limit: number, answer: Promise<GpuAnswer>): Promise<GpuAnswer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<GpuAnswer>((resolve) => {
    timer = setTimeout(() => resolve({ kind: "failed", why: `no answer within ${limit} s` }), 1000 * limit);
  });
  const failed = (e: unknown): GpuAnswer => ({ kind: "failed", why: e instanceof Error ? e.message : String(e) });
  const first = await Promise.race([answer.catch(failed), late]);
  clearTimeout(timer);
  return first;
}
