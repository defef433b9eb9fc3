/**
 * wgpu, the WebGPU of Firefox, in Deno: a second implementation, on another software driver (Mesa's lavapipe), which knows halves.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { artefactOf, type Program } from "../../runtime/index.ts";
import type { Answer, Job } from "./job.ts";

/** Of the package; it is installed apart (`npm ci --prefix test/wgpu`). */
const deno = join(import.meta.dirname, "node_modules/.bin/deno");
const drivers = "/usr/share/vulkan/icd.d";
const help = "npm ci --prefix test/wgpu, and Debian's mesa-vulkan-drivers";

export interface Work extends Job {
  readonly program: Program;
  readonly weights: Uint8Array;
}
export type Runner = (work: Work) => Promise<Answer>;

/** null: Deno or the driver is missing; that is an error where CI promises them. */
export async function openDeno(): Promise<Runner | null> {
  const driver = existsSync(drivers) ? readdirSync(drivers).find((name) => /^lvp_icd\..*json$/.test(name)) : undefined;
  if (existsSync(deno) && driver) return running(join(drivers, driver), await bundle());
  if (process.env.CI === "true") throw new Error(`wgpu cannot run: ${help}`);
  console.warn(`skipped on wgpu: it is not installed (${help})`);
  return null;
}
async function bundle(): Promise<string> {
  const entryPoints = [join(import.meta.dirname, "job.ts")];
  const { outputFiles } = await build({ entryPoints, bundle: true, write: false, format: "esm", platform: "node" });
  return outputFiles[0]!.text;
}

const running =
  (driver: string, script: string): Runner =>
  async ({ program, weights, ...job }) => {
    const folder = mkdtempSync(join(tmpdir(), "dlm-wgpu-"));
    try {
      const files = { ...artefactOf(program), "job.mjs": script, "job.json": JSON.stringify(job), "weights.safetensors": weights };
      for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
      await runDeno(folder, driver);
      return JSON.parse(readFileSync(join(folder, "answer.json"), "utf8")) as Answer;
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
/** Fails with what Deno says. */
async function runDeno(folder: string, driver: string): Promise<void> {
  const env = { ...process.env, VK_ICD_FILENAMES: driver, DENO_DIR: join(folder, "cache"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
  const child = spawn(deno, ["run", "--quiet", "--allow-all", "--unstable-webgpu", join(folder, "job.mjs"), folder], { env });
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  const code = await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  if (code !== 0) throw new Error(`in Deno: ${said.trim()}`);
}
