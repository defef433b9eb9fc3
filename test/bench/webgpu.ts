/**
 * dlm and other libraries on WebGPU: `npm run bench:webgpu [-- --works resnet18,lenet --engines dlm,ort --adapter software
 * --budget 1000 --limit 300 --json FILE]`. docs/benchmarks.md says what is measured, and what the flags mean.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type AdapterKind, openChromium } from "../browser/chromium.ts";
import { command } from "./command.ts";
import { installed } from "./install.ts";
import { prepare, programPath } from "./prepare.ts";
import { chosen, count } from "./settings.ts";
import { type Cell, inNode, inPage, jobOf } from "./webgpu/cells.ts";
import { type GpuEngine, gpuEngines } from "./webgpu/engines.ts";
import type { Adapter, GpuJob } from "./webgpu/job.ts";
import { expectedOf, type GpuRow, gpuTable, problemOf } from "./webgpu/table.ts";
import { gpuWorks, smaller } from "./webgpu/works.ts";
import type { Work } from "./works.ts";

const root = resolve(import.meta.dirname, "../..");
const out = join(import.meta.dirname, "out");
const progress = (text: string): void => console.error(text);

const adapterNames = ["auto", "software", "hardware"] as const;
function settings() {
  const { values } = parseArgs({
    options: {
      works: { type: "string" },
      engines: { type: "string" },
      adapter: { type: "string", default: "auto" },
      budget: { type: "string", default: "1000" },
      limit: { type: "string", default: "300" },
      json: { type: "string" },
    },
  });
  const adapter = adapterNames.find((name) => name === values.adapter);
  if (!adapter) throw new RangeError(`--adapter: ${values.adapter} is none of ${adapterNames.join(", ")}`);
  return {
    works: chosen(gpuWorks, "works", values.works),
    engines: chosen(gpuEngines, "engines", values.engines),
    adapter,
    budget: count("budget", values.budget),
    limit: count("limit", values.limit),
    json: values.json ?? null,
  };
}
type Settings = ReturnType<typeof settings>;

interface Found extends Adapter {
  readonly kind: AdapterKind;
}
/** What a browser offers: a real adapter where there is one and it is wanted. */
async function adapterFor(wanted: Settings["adapter"]): Promise<Found> {
  const kinds: readonly AdapterKind[] = wanted === "auto" ? ["hardware", "software"] : [wanted];
  for (const kind of kinds) {
    const chromium = await openChromium(kind);
    if (!chromium) throw new Error("this needs Chromium: install Debian's package, or set CHROMIUM to where one is");
    const { adapter } = await chromium.visit<{ readonly adapter: Adapter | null }>({
      page: "adapter",
      folder: join(import.meta.dirname, "webgpu/pages"),
      files: {},
    });
    await chromium.close();
    if (adapter && adapter.software === (kind === "software")) return { ...adapter, kind };
  }
  throw new Error(`Chromium has no ${wanted === "auto" ? "" : `${wanted} `}adapter for WebGPU`);
}

async function cell(engine: GpuEngine, job: GpuJob, folder: string, kind: AdapterKind, limit: number): Promise<Cell> {
  if (job.work.kind === "training" && engine.untrained !== null) return { answer: { kind: "failed", why: engine.untrained }, code: null };
  return engine.page === null ? inNode(kind, job, folder, limit) : inPage(kind, engine.page, job, folder, limit);
}

/** A step is forward and backward; backward is two products where forward is one. */
function flopsOf(work: Work, folder: string): number {
  const { stats } = JSON.parse(readFileSync(programPath(work, folder), "utf8")) as { readonly stats: { readonly flops: number } };
  return work.kind === "training" ? 3 * stats.flops : stats.flops;
}

async function measured(work: Work, { engines, budget, limit }: Settings, kind: AdapterKind): Promise<readonly GpuRow[]> {
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(join(out, `${work.name}-`));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  progress(`${work.name}: compiling and exporting`);
  prepare(root, work, folder, "wgsl");
  const [job, flops] = [jobOf(work, folder, budget), flopsOf(work, folder)];
  const rows: GpuRow[] = [];
  for (const engine of engines) {
    const given = await cell(engine, job, folder, kind, limit);
    rows.push({ work, engine, flops, ...given });
    progress(`${work.name} ${engine.name}: ${given.answer.kind === "measured" ? "measured" : given.answer.why}`);
  }
  process.off("exit", remove);
  remove();
  return rows;
}

async function main(): Promise<void> {
  const given = settings();
  installed(import.meta.dirname, progress);
  const adapter = await adapterFor(given.adapter);
  const rows: GpuRow[] = [];
  for (const work of given.works) rows.push(...(await measured(adapter.software ? smaller(work) : work, given, adapter.kind)));
  const machine = `${adapter.name}${adapter.software ? " (software: times of runs are not shown)" : ""}, ${cpus()[0]?.model ?? "unknown processor"}`;
  console.log([machine, gpuTable(rows, adapter.software)].join("\n\n"));
  const all = rows.map(({ work, engine, ...rest }) => ({ work: work.title, engine: engine.name, ...rest }));
  if (given.json !== null) writeFileSync(given.json, `${JSON.stringify({ adapter, rows: all }, null, 2)}\n`);
  const differ = rows.filter((r) => r.answer.kind === "measured" && problemOf(r, expectedOf(rows, r.work)) !== null);
  if (differ.length > 0) process.exitCode = 1;
}

await command(main);
