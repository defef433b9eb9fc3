import { expect, test } from "vitest";
import { countCalls } from "./counters.ts";
import { gpuEngines } from "./engines.ts";
import { expectedOf, type GpuRow, gpuTable, problemOf } from "./table.ts";
import { gpuWorks, smaller } from "./works.ts";

const interfaces = () => ({
  GPUComputePassEncoder: class {
    dispatchWorkgroups(x: number): number {
      return x;
    }
    dispatchWorkgroupsIndirect(): void {}
  },
  GPUDevice: class {
    createBindGroup(): string {
      return "group";
    }
  },
  GPUQueue: class {
    submit(): void {}
    writeBuffer(): void {}
  },
});

test("calls are counted run by run; encoding ends with the last submit that has dispatches", async () => {
  const { GPUComputePassEncoder, GPUDevice, GPUQueue } = interfaces();
  let clock = 0;
  const counted = countCalls({ GPUComputePassEncoder, GPUDevice, GPUQueue }, () => clock);
  const [pass, device, queue] = [new GPUComputePassEncoder(), new GPUDevice(), new GPUQueue()];
  const run = async (): Promise<unknown> => {
    queue.writeBuffer();
    const given = [pass.dispatchWorkgroups(7), device.createBindGroup()];
    pass.dispatchWorkgroupsIndirect();
    clock += 3;
    queue.submit();
    clock += 5;
    queue.submit();
    return given;
  };
  const expected = { dispatches: 2, submits: 2, bindGroups: 1, writes: 1, encode: 3 };
  expect(await counted(run)).toEqual([[7, "group"], expected]);
  expect(await counted(run)).toEqual([[7, "group"], expected]);
});

const work = gpuWorks[0]!;
const row = (name: string, result: readonly number[] | string): GpuRow => ({
  work,
  engine: gpuEngines.find((e) => e.name === name)!,
  flops: 4e9,
  code: name === "dlm-node" ? null : 25_000,
  answer:
    typeof result === "string"
      ? { kind: "failed", why: result }
      : {
          kind: "measured",
          adapter: { name: "gpu", software: false },
          times: { load: 1, first: 2, median: 4 },
          startUp: 300,
          counts: { dispatches: 20, submits: 1, bindGroups: 0, writes: 1 },
          encode: 0.05,
          result,
        },
});
const cells = (table: string): readonly (readonly string[])[] =>
  table
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

test("a row has what a run asks for; times of runs only where a GPU computes", () => {
  const rows = [row("dlm", [1, -2]), row("dlm-node", [1, -2])];
  const counts = ["20", "1", "0", "1", "50", "2.5"];
  expect(cells(gpuTable(rows, true))).toEqual([
    [work.title, "dlm", ...counts, "300", "25"],
    [work.title, "dlm (Node)", ...counts, "", ""],
  ]);
  expect(cells(gpuTable(rows, false))[0]).toEqual([work.title, "dlm", ...counts, "300", "25", "4", "1.00"]);
});

test("what failed, or has another result than ours, is no measurement", () => {
  const rows = [row("dlm", [1, -2]), row("ort", "no such operator"), row("tfjs", [1, -2.01]), row("jax-js", [1, -2.0001])];
  expect(rows.map((r) => problemOf(r, expectedOf(rows, work)))).toEqual([
    null,
    "no such operator",
    "its result differs from ours by 0.005 of the largest number",
    null,
  ]);
  const table = gpuTable(rows, true);
  expect(cells(table).map((line) => line[2])).toEqual(["20", "- [1]", "- [2]", "20"]);
  expect(table).toContain(`[1] onnxruntime-web, ${work.title}: no such operator`);
});

test("works for software adapters are the same models in smaller sizes", () => {
  for (const w of gpuWorks) expect({ ...smaller(w), title: "", batch: 0, dims: {} }).toEqual({ ...w, title: "", batch: 0, dims: {} });
  expect(gpuWorks.map((w) => smaller(w).title)).not.toEqual(gpuWorks.map((w) => w.title));
});
