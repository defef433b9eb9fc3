/** Every printed form of every example, after every pass, parses back; every shader is valid WGSL. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compileStages } from "../../compiler/compile.ts";
import { parseGraph } from "../../ir/graph/parse.ts";
import { printGraph } from "../../ir/graph/print.ts";
import { parseKernel } from "../../ir/kernel/parse.ts";
import { printKernel } from "../../ir/kernel/print.ts";
import { verifyKernel } from "../../ir/kernel/verify.ts";
import { nullDevice, validate } from "../codegen/gpu.ts";

const folder = join(import.meta.dirname, "../../examples");
const examples = readdirSync(folder).filter((f) => f.endsWith(".dlm"));
const source = (name: string) => readFileSync(join(folder, name), "utf8");
const device = await nullDevice();

describe.each(examples)("%s", (name) => {
  test("what passes print parses back", async () => {
    let printed = 0;
    const { lowered, plan } = await compileStages(source(name), {
      train: true,
      batch: 8, // long enough reductions for every schedule
      onPass: ({ stage, text }) => {
        printed++;
        const now = text();
        expect(stage === "graph" ? printGraph(parseGraph(now)) : printKernel(parseKernel(now))).toBe(now);
      },
    });
    expect(printed).toBeGreaterThan(50);
    for (const k of lowered.kernels) expect(verifyKernel(k, "logical")).toEqual([]);
    for (const k of plan.kernels) expect(verifyKernel(k, "pointers")).toEqual([]);
  });

  test("shaders of prediction and training are valid", async () => {
    const { program } = await compileStages(source(name), { train: true, batch: 2, target: "wgsl" });
    expect(program.code.kind).toBe("wgsl");
    if (program.code.kind === "wgsl") expect(await validate(device, program.code)).toEqual([]);
  });
});

test("convolutions go by transformed blocks on WebAssembly alone, and not where results are to be exact", async () => {
  const operations = async (options: object) => {
    const { graphs } = await compileStages(source("tiny-resnet.dlm"), { train: true, batch: 8, ...options });
    return Object.values(graphs)
      .map((g) => g && printGraph(g))
      .join("\n");
  };
  const blocks = /winograd_conv2d\(/;
  expect(await operations({})).toMatch(blocks);
  expect(await operations({ reproducible: true })).toMatch(blocks);
  expect(await operations({ exact: true })).not.toMatch(blocks);
  expect(await operations({ target: "wgsl" })).not.toMatch(blocks);
  expect(await operations({ target: "reference" })).not.toMatch(blocks);
});
