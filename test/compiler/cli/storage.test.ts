/** `--storage f16`: for which programs, and where it shows. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseKernel } from "../../../ir/kernel/parse.ts";
import { printKernel } from "../../../ir/kernel/print.ts";
import { adapter } from "../../gpu.ts";
import { dlm, folder } from "./harness.ts";

const model = `model Net(x: f32[N, 1, 28, 28]) -> y {
  y = x |> conv: Conv2d(8, kernel=3, padding=1) |> relu |> max_pool(2) |> flatten |> fc: Linear(10)
}
train Net {
  input label: i32[N]
  loss = cross_entropy(y, label)
  optimizer = sgd(lr=0.1)
}
`;
const net = () => folder({ "net.dlm": model });
const given = (await adapter()) as { requestAdapter: () => Promise<GPUAdapter> } | undefined;
const hasHalves = (await given?.requestAdapter())?.features.has("shader-f16");
/** Where there is a GPU, and it cannot do it. */
const onLesserGpu = test.skipIf(hasHalves !== false);

test("compile: of two targets it is for wgsl", async () => {
  const at = net();
  const { code, out, err } = await dlm(["compile", at("net.dlm"), "-o", at("out"), "--target", "wasm,wgsl", "--storage", "f16"]);
  expect([code, err]).toEqual([0, "note: --storage f16 is for the program for wgsl\n"]);
  expect(out.match(/storage +large tensors are halves \(f16\) in memory/g)).toHaveLength(1);
  const stored = (file: string) =>
    JSON.parse(readFileSync(at(file), "utf8")).variables.flatMap((v: { name: string; stored?: string }) => (v.stored ? [v.name] : []));
  expect([stored("out/net.json"), stored("out/net.webgpu.json")]).toEqual([[], ["fc.weight"]]);
});

test("inspect shows it in kernels, which can be read back, in the plan and in the program", async () => {
  const at = net();
  const shown = async (stage: string) =>
    (await dlm(["inspect", at("net.dlm"), "--target", "wgsl", "--storage", "f16", "--emit", stage, "--entry", "forward"])).out;
  const kernels = (await shown("kernels")).split("\n\n").filter((t) => t.startsWith("kernel "));
  expect(kernels.some((t) => t.includes(" as f16"))).toBe(true);
  expect(kernels.map((t) => printKernel(parseKernel(t)))).toEqual(kernels.map((t) => t.trimEnd()));
  expect(await shown("plan")).toMatch(/[A-Z] \S+: \d+ bytes as f16 at \d+, calls/);
  expect(await shown("wgsl")).toContain("enable f16;");
  expect(await shown("program")).toContain('"stored": "f16"');
});

test.each([
  [["run"], "is for the target wgsl, here the target is wasm"],
  [["bench", "--target", "reference"], "is for the target wgsl, here the target is reference"],
  [["diff", "--targets", "wasm,reference"], "is for the target wgsl, here the target is reference"],
  [["train", "--target", "wgsl", "--data", "synthetic:digits"], "is for programs that do not train"],
])("%j says what to do", async ([command, ...flags], message) => {
  const at = net();
  const { code, err } = await dlm([command!, at("net.dlm"), "--storage", "f16", ...flags]);
  expect(code).toBe(1);
  expect(err).toMatch(new RegExp(`^error\\[flag\\]: \`storage: "f16"\` \\(--storage f16\\) ${message}.*\n  help: `));
});

onLesserGpu("a GPU without halves: what helps is named, and dlm diff fails", async () => {
  const at = net();
  const flags = ["--target", "wgsl", "--storage", "f16"];
  for (const argv of [
    ["run", at("net.dlm"), ...flags],
    ["eval", at("net.dlm"), ...flags, "--data", "synthetic:digits"],
    ["diff", at("net.dlm"), "--storage", "f16"],
  ]) {
    const { code, err } = await dlm(argv);
    expect([code, argv[0], err]).toEqual([
      1,
      argv[0],
      expect.stringContaining('compile it with storage "f32" (option storage, of dlm --storage)'),
    ]);
  }
});
