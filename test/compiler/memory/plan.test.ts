/** Plans of whole programs: sound, at the lower bound, and a verifier that notices when they are not. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compileStages, type Stages } from "../../../compiler/compile.ts";
import { printPlan } from "../../../compiler/memory/print.ts";
import { verifyPlan } from "../../../compiler/memory/verify.ts";
import { targets } from "../../../compiler/targets.ts";
import type { Plan } from "../../../ir/plan.ts";

const source = (name: string) => readFileSync(join(import.meta.dirname, "../../../examples", name), "utf8");

describe.each(["logistic.dlm", "mlp.dlm", "lenet.dlm", "tiny-resnet.dlm"])("%s", (name) => {
  // Without in-place results there are more tensors to fit, and the fit is not always perfect.
  test.each([
    ["wasm", 1.001],
    ["wgsl", 1.02],
  ] as const)("%s: sound and at the bound", async (target, ratio) => {
    const { plan, lowered, program } = await compileStages(source(name), { target, train: true, batch: 4 });
    expect(verifyPlan(plan, lowered, targets[target].memory)).toEqual([]);
    expect(program.stats.arenaBytes / program.stats.lowerBoundBytes).toBeLessThanOrEqual(ratio);
    const printed = [...printPlan(plan).matchAll(/arena (\d+) bytes, lower bound (\d+)/g)].map(([, arena, bound]) => [+arena!, +bound!]);
    for (const [arena, bound] of printed) expect(arena).toBeGreaterThanOrEqual(bound!);
    expect(Math.max(...printed.map(([arena]) => arena!))).toBe(plan.sizes.arena);
  });
});

describe("the verifier notices", () => {
  const stages = compileStages(source("lenet.dlm"));
  /** The plan with the arena offset of one argument changed. */
  const moved = (plan: Plan, entry: string, call: number, arg: number, by: number): Plan => ({
    ...plan,
    entries: plan.entries.map((e) =>
      e.name !== entry
        ? e
        : {
            ...e,
            calls: e.calls.map((c, i) =>
              i !== call ? c : { ...c, args: c.args.map((a, j) => (j === arg ? { ...a, offset: a.offset + by } : a)) },
            ),
          },
    ),
  });
  const problems = ({ lowered }: Stages, plan: Plan) => verifyPlan(plan, lowered, targets.wasm.memory);
  const firstArenaRead = ({ plan }: Stages) => {
    const calls = plan.entries.find((e) => e.name === "forward")!.calls;
    const call = calls.findIndex((c) => c.args.slice(0, -1).some((a) => a.region === "arena"));
    return { call, arg: calls[call]!.args.findIndex((a) => a.region === "arena") };
  };
  test("a read of the wrong place", async () => {
    const s = await stages;
    const { call, arg } = firstArenaRead(s);
    expect(problems(s, moved(s.plan, "forward", call, arg, 64)).join("\n")).toMatch(/reads .*, finds/);
  });
  test("a place that is not aligned", async () => {
    const s = await stages;
    const { call, arg } = firstArenaRead(s);
    expect(problems(s, moved(s.plan, "forward", call, arg, 4)).join("\n")).toContain("not aligned");
  });
  test("a result on top of its operand", async () => {
    const s = await stages;
    const { call, arg } = firstArenaRead(s);
    const c = s.plan.entries.find((e) => e.name === "forward")!.calls[call]!;
    const output = c.args.length - 1;
    const onTop = c.args[arg]!.offset - c.args[output]!.offset;
    expect(problems(s, moved(s.plan, "forward", call, output, onTop)).join("\n")).toContain("overwrites its operand");
  });
  test("a part in the place of another", async () => {
    const model = `model M(x: f32[1, 3, 8, 8]) -> y {
      a = x |> one: Conv2d(4, kernel=1)
      b = x |> two: Conv2d(8, kernel=1)
      y = concat([a, b], axis=1) |> three: Conv2d(4, kernel=1)
    }`;
    const s = await compileStages(model);
    const { calls } = s.lowered.entries.find((e) => e.name === "forward")!;
    const call = calls.findIndex((c) => c.outputs[0].home.kind === "inside" && c.outputs[0].home.start === 4);
    const output = calls[call]!.inputs.length;
    expect(problems(s, s.plan)).toEqual([]);
    expect(problems(s, moved(s.plan, "forward", call, output, -16)).join("\n")).toMatch(/not aligned|finds/);
    const before = problems(s, moved(s.plan, "forward", call, output, -64)).join("\n");
    expect(before).toMatch(/reads .*, finds/);
  });
  test("a value behind the end of its region", async () => {
    const s = await stages;
    const small: Plan = { ...s.plan, sizes: { ...s.plan.sizes, arena: 64 } };
    expect(problems(s, small).join("\n")).toContain("ends behind its region");
  });
});

test("the printed plan names the ratio and draws the arena", async () => {
  const { plan } = await compileStages(source("mlp.dlm"));
  const text = printPlan(plan);
  expect(text).toContain("entry forward: ");
  expect(text).toContain("ratio 1.000");
  expect(text).toMatch(/\|[A-Z.]+\|/);
});

test("a variable written before its last reader is noticed", async () => {
  const source =
    "model M(x: f32[8, 8]) -> y { y = x |> fc: Linear(8) }\ntrain M { input t: f32[8, 8]; loss = mse(y, t); optimizer = sgd(lr=0.1) }";
  const { plan, lowered } = await compileStages(source, { train: true });
  expect(verifyPlan(plan, lowered, targets.wasm.memory)).toEqual([]);
  const at = lowered.entries.find((e) => e.name === "step")!.calls.findIndex((c) => c.outputs[0].name === "fc.weight");
  expect(at).toBeGreaterThan(0);
  const first = <T>(list: readonly T[]): T[] => [list[at]!, ...list.filter((_, i) => i !== at)];
  const early = <T extends { readonly name: string; readonly calls: readonly unknown[] }>(entries: readonly T[]): T[] =>
    entries.map((e) => (e.name === "step" ? { ...e, calls: first(e.calls) } : e));
  const moved = verifyPlan({ ...plan, entries: early(plan.entries) }, { ...lowered, entries: early(lowered.entries) }, targets.wasm.memory);
  expect(moved.join("\n")).toMatch(/reads .*, finds/);
});
