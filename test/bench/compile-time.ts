/**
 * How long the compiler takes: `npm run bench:compile [-- --runs 5]`. Every run is a process of its own, so the times are those
 * of a first compilation, with V8 cold; loading modules (the start of the process) is not counted.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compile } from "../../compiler/compile.ts";
import { elaborate } from "../../compiler/frontend/elaborate.ts";

interface Case {
  readonly name: string;
  /** A file of the zoo. */
  readonly family: string;
  readonly model: string;
  /** Whether the train block is part of it. */
  readonly train: boolean;
  /** elaborate: parse, resolve, instantiate, type every value. compile: all stages, to WebAssembly. */
  readonly work: "elaborate" | "compile";
  /** Milliseconds that it should stay under; null: not promised. */
  readonly limit: number | null;
}
const cases: readonly Case[] = [
  { name: "elaborate ResNet-50", family: "resnet", model: "ResNet50", train: false, work: "elaborate", limit: 300 },
  { name: "elaborate GPT, 12 layers", family: "gpt", model: "GPT", train: false, work: "elaborate", limit: 500 },
  { name: "compile ResNet-50", family: "resnet", model: "ResNet50", train: false, work: "compile", limit: 2000 },
  { name: "compile the step of ResNet-18", family: "resnet", model: "ResNet18", train: true, work: "compile", limit: null },
  {
    name: "compile the step of CharLSTM, 2 layers, T=64",
    family: "char-rnn",
    model: "CharLSTM",
    train: true,
    work: "compile",
    limit: 3000,
  },
];

async function timed({ family, model, train, work }: Case): Promise<number> {
  const file = fileURLToPath(new URL(`../../examples/zoo/${family}.dlm`, import.meta.url));
  const text = readFileSync(file, "utf8");
  // The code generator is the only module that is loaded late; a model of one addition brings it in.
  if (work === "compile") await compile("model Warm(x: f32[1]) -> y { y = x + 1 }");
  const start = performance.now();
  if (work === "compile") await compile(text, { file, model, train });
  else elaborate({ path: file, text, resolve: () => null, model, trainBlock: null, dims: {}, batch: null, set: {}, train });
  return performance.now() - start;
}

/** One run in a fresh process. */
function measure(index: number): number {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", fileURLToPath(import.meta.url), "--case", String(index)],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(stderr);
  return Number(stdout);
}

const { values } = parseArgs({ options: { runs: { type: "string", default: "5" }, case: { type: "string" } } });
if (values.case !== undefined) console.log(await timed(cases[Number(values.case)]!));
else {
  console.log("milliseconds                                      median   least    most   limit");
  cases.forEach((c, i) => {
    const times = Array.from({ length: Number(values.runs) }, () => measure(i)).sort((a, b) => a - b);
    const column = (ms: number | null | undefined) => (ms == null ? "-" : ms.toFixed(0)).padStart(8);
    console.log(c.name.padEnd(48) + [times[times.length >> 1], times[0], times.at(-1), c.limit].map(column).join(""));
  });
}
