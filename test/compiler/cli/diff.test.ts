import { describe, expect, test } from "vitest";
import { emitWasm } from "../../../codegen/wasm/emit.ts";
import { realToolchain, type Toolchain } from "../../../compiler/cli/toolchain.ts";
import { parseKernel } from "../../../ir/kernel/parse.ts";
import { printKernel } from "../../../ir/kernel/print.ts";
import { adapter } from "../../gpu.ts";
import { dlm, folder } from "./harness.ts";

const model = `model Net(x: f32[N, 2, 6, 6]) -> y {
  h = x |> conv1: Conv2d(4, kernel=3, padding=1)
  r = h |> norm: BatchNorm |> relu
  p = r |> max_pool(2)
  y = p |> flatten |> fc: Linear(3)
}
train Net {
  input label: i32[N]
  loss = cross_entropy(y, label)
  optimizer = adam(lr=0.01)
}
`;

/** The compiler, but for loops of WebAssembly: `spoil` sees the text of each kernel. */
async function broken(spoil: (text: string, name: string) => string): Promise<Toolchain> {
  const { compileStages, load } = await realToolchain();
  return {
    load,
    compileStages: async (source, options = {}) => {
      const stages = await compileStages(source, options);
      if (options.target !== "wasm") return stages;
      const kernels = stages.plan.kernels.map((k) => parseKernel(spoil(printKernel(k), k.name)));
      const code = await emitWasm({ ...stages.plan, kernels }, { relaxed: false });
      return { ...stages, program: { ...stages.program, code: { kind: "wasm", ...code, relaxed: null } } };
    },
  };
}

describe("targets that agree", () => {
  test("a prediction: a row for each output", async () => {
    const at = folder({ "net.dlm": model });
    const { code, out, err } = await dlm(["diff", at("net.dlm"), "--targets", "wasm,reference"]);
    expect([code, err]).toEqual([0, "note: input x: f32[1,2,6,6] not given, filled with random values\n"]);
    expect(out).toMatch(/^Net: wasm agrees with reference to 0\.0001; .*\n\n +wasm\n {2}output y {2}f32\[1,3\] {2}\S+\n$/);
  });

  test("a training step: losses, gradients, parameters, states and what the optimizer remembers", async () => {
    const at = folder({ "net.dlm": model });
    const { code, out } = await dlm(["diff", at("net.dlm"), "--targets", "wasm,reference", "--train", "--json"]);
    const { agree, targets } = JSON.parse(out);
    const names = (kind: string) => targets[0].results.flatMap((r: { kind: string; name: string }) => (r.kind === kind ? [r.name] : []));
    const params = ["conv1.weight", "conv1.bias", "norm.weight", "norm.bias", "fc.weight", "fc.bias"];
    expect([code, agree, targets[0].first]).toEqual([0, true, null]);
    expect([names("output"), names("gradient").toSorted(), names("parameter").toSorted()]).toEqual([
      ["loss"],
      params.toSorted(),
      params.toSorted(),
    ]);
    expect([names("state").length, names("slot").length]).toEqual([2, 12]);
    expect(targets[0].results.every((r: { error: number }) => r.error < 1e-4)).toBe(true);
  });

  test("the tolerance decides what agrees, not how far apart values are", async () => {
    const at = folder({ "net.dlm": model });
    const results = async (tolerance: string) => {
      const flags = ["--targets", "wasm,reference", "--train", "--tolerance", tolerance, "--json"];
      const { code, out } = await dlm(["diff", at("net.dlm"), ...flags]);
      return { code, results: JSON.parse(out).targets[0].results as Record<string, unknown>[] };
    };
    const [wide, narrow] = [await results("1e-2"), await results("1e-12")];
    const of = ({ results }: typeof wide) => results.map((r) => [r.kind, r.name, r.error, r.elements, r.left_out]);
    expect([wide.code, narrow.code]).toEqual([0, 1]);
    expect(of(narrow)).toEqual(of(wide));
    expect(narrow.results.find((r) => r.kind === "gradient" && r.name === "conv1.bias")!.agrees).toBe(false);
    // conv1.bias stands before a batch norm: its gradient is rounding, and so is the way it moves
    expect(wide.results.find((r) => r.kind === "parameter" && r.name === "conv1.bias")!.left_out).toBeGreaterThan(0);
  });
  test("elements of which rounding decides are counted", async () => {
    const at = folder({ "net.dlm": model });
    const { out } = await dlm(["diff", at("net.dlm"), "--targets", "wasm,reference", "--train"]);
    expect(out).toMatch(/\n\nwasm: \d+ of 585 elements of updated parameters and the optimizer's values are not compared:\n/);
  });

  test("--all compares every operation, in order, with its line", async () => {
    const at = folder({ "net.dlm": model });
    const { code, out } = await dlm(["diff", at("net.dlm"), "--targets", "wasm,reference", "--all"]);
    expect(code).toBe(0);
    expect(out).toMatch(/net\.dlm:2 +conv2d +conv1 +f32\[1,4,6,6\] .*net\.dlm:3 +relu.*net\.dlm:4 +max_pool2d.*net\.dlm:5 +matmul +fc/s);
  });

  test("WGSL is one of them", async ({ skip }) => {
    if (!(await adapter())) skip();
    const at = folder({ "net.dlm": model });
    const { code, out } = await dlm(["diff", at("net.dlm"), "--json"]);
    const { agree, base, targets } = JSON.parse(out);
    expect([code, agree, base, targets.map((t: { target: string }) => t.target)]).toEqual([0, true, "reference", ["wasm", "wgsl"]]);
  });
});

describe("a target that is wrong", () => {
  test("the operation and its line, though it is fused with others", async () => {
    const at = folder({ "net.dlm": model });
    const toolchain = await broken((text, name) => (name.includes("relu") ? text.replaceAll("max(", "min(") : text));
    const { code, out } = await dlm(["diff", at("net.dlm"), "--targets", "wasm,reference"], { toolchain });
    expect(code).toBe(1);
    expect(out).toContain(`error[diff]: \`relu\` differs on wasm
  --> ${at("net.dlm")}:3:31
  3 |   r = h |> norm: BatchNorm |> relu
    |                               ^^^^
`);
    expect(out).toMatch(
      /note: f32\[1,4,6,6\] at \[0, \d, \d, \d\]: wasm has 0, reference 0\.\d+, an error of \S+ relative to 0\.\d+; \d+ of 144 /,
    );
    expect(out).toMatch(/note: what it is computed from agrees\n {2}note: \d+ values compared .* all agree, largest error \d/);
    expect(out).toContain("note: as compiled, output y is off by");
    expect(out).toMatch(/output y {2}f32\[1,3\] {2}\S+ !\n$/);
  });

  test("an operation of the backward pass", async () => {
    const net = "model Net(x: f32[N, 6]) -> y {\n  y = x |> a: Linear(5) |> tanh |> b: Linear(3)\n}\n";
    const block = "train Net { input label: i32[N]; loss = cross_entropy(y, label); optimizer = sgd(lr=0.1) }\n";
    const at = folder({ "net.dlm": net + block });
    // the derivative of tanh is 1 - y * y
    const toolchain = await broken((text) => text.replace(/1\.0(\)?) - ([\w.[\]:]+) \* \2/g, "2.0$1 - $2 * $2"));
    const { code, out } = await dlm(["diff", at("net.dlm"), "--targets", "wasm,reference", "--train"], { toolchain });
    expect(code).toBe(1);
    expect(out).toMatch(/^error\[diff\]: `sub` in the backward pass differs on wasm\n.*net\.dlm:2:28\n.*\|> tanh .*\n *\| +\^\^\^\^\n/);
    expect(out).toMatch(/\n {2}output loss +f32\[\] +\S+\n {2}4 gradients +\S+ ! \w+\.\w+\n/);
  });

  test("where it is wrong only together with the operation before it, both are named", async () => {
    const at = folder({ "net.dlm": model });
    const toolchain = await broken((text, name) => (/conv2d.*relu/.test(name) ? text.replaceAll("max(", "min(") : text));
    const { code, out } = await dlm(["diff", at("net.dlm"), "--targets", "wasm,reference", "--json"], { toolchain });
    const [{ first }] = JSON.parse(out).targets;
    expect([code, first.operation, first.line]).toEqual([1, "relu", 3]);
    expect(first.together.map((n: { operation: string }) => n.operation)).toContain("conv2d");
  });

  test("initial values", async () => {
    const at = folder({ "net.dlm": model });
    const toolchain = await broken((text, name) => (name.startsWith("random_number") ? text.replace(/0\.4714\d+/g, "0.5") : text));
    const { code, out } = await dlm(["diff", at("net.dlm"), "--targets", "wasm,reference"], { toolchain });
    expect(code).toBe(1);
    expect(out).toMatch(/error\[diff\]: the initial value of conv1\.weight differs on wasm\n.*net\.dlm:2/);
    expect(out).toContain("note: what follows is compared with the initial values of reference");
  });
});

test.each([
  [["--targets", "wasm"], "error[flag]: `--targets wasm` is one target\n"],
  [["--targets", "wasm,gpu"], "error[flag]: unknown target `gpu`\n"],
  [["--tolerance", "small"], "error[flag]: `--tolerance` must be a number from 0, found `small`\n"],
  [["--target", "wasm"], "error[flag]: `dlm diff` has no option `--target`\n  help: did you mean `--targets`?\n"],
  [["--input", "z=random", "--targets", "wasm,reference"], "error[flag]: the model has no input `z`\n"],
])("%j", async (flags, message) => {
  const at = folder({ "net.dlm": model });
  const { code, out, err } = await dlm(["diff", at("net.dlm"), ...flags]);
  expect([code, out, err]).toEqual([1, "", expect.stringContaining(message)]);
});
