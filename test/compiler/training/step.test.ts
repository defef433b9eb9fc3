/** The training step against PyTorch (goldens of test/golden/torch_sgd.py), and who is trained by what. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Module, noSettings, type Optimizer, type Schedule, type Training } from "../../../compiler/frontend/module.ts";
import { runPasses } from "../../../compiler/pass.ts";
import { graphPasses } from "../../../compiler/passes/index.ts";
import { buildInit } from "../../../compiler/training/init.ts";
import { learningRate } from "../../../compiler/training/schedules.ts";
import { buildStep } from "../../../compiler/training/step.ts";
import { CompileError } from "../../../ir/diagnostic.ts";
import { type Graph, type Node, topological } from "../../../ir/graph/graph.ts";
import { verifyGraph } from "../../../ir/graph/verify.ts";
import { ops } from "../../../ir/ops/index.ts";
import { type Shape, sizeOf } from "../../../ir/type.ts";
import { evaluateGraph, expectClose, graphOf, type Values } from "../passes/numeric.ts";

interface Golden {
  readonly steps: number;
  readonly x: readonly (readonly number[])[];
  readonly target: readonly (readonly number[])[];
  readonly initial: Readonly<Record<string, { readonly shape: Shape; readonly values: readonly number[] }>>;
  readonly variants: Readonly<Record<string, Variant>>;
}
interface Variant {
  readonly optimizer: {
    readonly lr: number;
    readonly momentum: number;
    readonly dampening: number;
    readonly weightDecay: number;
    readonly nesterov: boolean;
    readonly every: number | null;
    readonly factor: number | null;
  };
  readonly clipValue: number | null;
  readonly clipNorm: number | null;
  readonly losses: readonly number[];
  readonly params: Values;
  readonly momentum: Values;
}
const golden = JSON.parse(readFileSync(new URL("goldens/sgd.json", import.meta.url), "utf8")) as Golden;

const param = (name: string) => ops.param({}, { name, dtype: "f32", shape: golden.initial[name]!.shape });
const linear = (x: Node, name: string) => {
  const w = ops.permute({ x: param(`${name}.weight`) }, { axes: [1, 0] });
  return ops.add({ a: ops.matmul({ a: x, b: w }), b: param(`${name}.bias`) });
};
/** fc1, relu, fc2; mean squared distance from `target`. */
function mlp(training: Partial<Training>): Module {
  const x = ops.input({}, { name: "x", dtype: "f32", shape: [4, 3] });
  const target = ops.input({}, { name: "target", dtype: "f32", shape: [4, 2] });
  const y = linear(ops.relu({ x: linear(x, "fc1") }), "fc2");
  const distance = ops.sub({ a: y, b: target });
  const loss = ops.mean({ x: ops.mul({ a: distance, b: distance }) }, { axes: [0, 1] });
  const step: Graph = { name: "step", inputs: [x, target], outputs: [{ name: "loss", value: loss }], updates: [] };
  return moduleOf(step, { losses: [{ globs: null, value: loss }], ...training });
}
type Sgd = Extract<Optimizer, { readonly name: "sgd" }>;
const sgd = (more: Partial<Sgd> = {}): Sgd => ({
  kind: "optimizer",
  name: "sgd",
  lr: { kind: "schedule", name: "constant", lr: 0.1 },
  momentum: 0,
  nesterov: false,
  dampening: 0,
  weightDecay: 0,
  ...more,
});
const line = (optimizer: Optimizer, ...globs: string[]) => ({ globs: globs.length ? globs : null, optimizer, span: null });

function moduleOf(step: Graph, training: Partial<Training>): Module {
  return {
    name: "Net",
    doc: null,
    docs: new Map(),
    batch: null,
    dims: {},
    variables: variablesOf(step),
    forward: { name: "forward", inputs: [], outputs: [], updates: [] },
    training: {
      name: "Net",
      step,
      evaluate: { ...step, name: "evaluate", updates: [] },
      losses: [],
      optimizers: [],
      freeze: [],
      ...noSettings,
      ...training,
    },
    warnings: [],
    sources: new Map(),
  };
}
const variablesOf = (step: Graph): Module["variables"] =>
  topological(step)
    .filter((n) => n.op === ops.param || n.op === ops.state)
    .map((n) => {
      const name = n.attrs.name as string;
      const values = golden.initial[name]?.values ?? new Array<number>(sizeOf(n.type.shape)).fill(0);
      const initial = ops.dense({}, { data: values, dtype: n.type.dtype, shape: n.type.shape });
      return { kind: n.op === ops.param ? "param" : "state", name, type: n.type, initial, saved: true, doc: null, span };
    });
const span = { file: "net.dlm", start: { line: 1, column: 1 }, end: { line: 1, column: 2 } };

const verify = (graph: Graph) => expect(verifyGraph(graph)).toEqual([]);

/** Initialises and runs the step on every batch of the goldens. */
function train(module: Module): { readonly losses: readonly number[]; readonly memory: Values } {
  const built = buildStep(module);
  const step = runPasses(graphPasses, built.step, { verify });
  let memory: Values = evaluateGraph(buildInit(module, built.slots), {});
  const losses = golden.x.map((x, i) => {
    const result = evaluateGraph(step, { ...memory, x, target: golden.target[i]! });
    memory = { ...memory, ...result };
    return result.loss![0]!;
  });
  return { losses, memory };
}

describe("as PyTorch", () => {
  test.each(Object.entries(golden.variants))("%s", (_, { optimizer, clipValue, clipNorm, ...expected }) => {
    const { lr, every, factor, ...rest } = optimizer;
    const schedule: Schedule =
      every === null || factor === null
        ? { kind: "schedule", name: "constant", lr }
        : { kind: "schedule", name: "step_decay", lr, every, factor };
    const module = mlp({ optimizers: [line(sgd({ ...rest, lr: schedule }))], clipValue, clipNorm });
    const { losses, memory } = train(module);
    expectClose(losses, expected.losses, 1e-5, "losses");
    for (const [name, values] of Object.entries(expected.params)) expectClose(memory[name]!, values, 1e-5, name);
    for (const [name, values] of Object.entries(expected.momentum)) expectClose(memory[`${name}.momentum`]!, values, 1e-5, name);
    expect(memory).toMatchObject({ updates: [golden.steps], micro_step: [golden.steps] });
  });
});

describe("learning rates", () => {
  const at = (schedule: Schedule, updates: number) =>
    evaluateGraph(graphOf({ rate: learningRate(schedule, ops.counter({}, { name: "updates" })) }), { updates: [updates] }).rate![0]!;

  test.each([
    [0.05, 500, 0.5, 40_000],
    [1, 1, 0.999, 20_000],
    [0.1, 30, 0.1, 400],
    [1e-3, 7, 1.01, 6_000],
    [0.2, 10, 1, 1_000_000],
    [0.2, 10, 0, 30],
  ])("step_decay(%d, every=%d, factor=%d)", (lr, every, factor, most) => {
    const schedule: Schedule = { kind: "schedule", name: "step_decay", lr, every, factor };
    for (const updates of [0, 1, every - 1, every, 2 * every, Math.floor(most / 3), most]) {
      const exact = lr * factor ** Math.floor(updates / every);
      expect(Math.abs(at(schedule, updates) - exact)).toBeLessThanOrEqual(1e-6 * exact + 1e-38);
    }
  });
});

describe("who is trained", () => {
  const updated = (module: Module) => buildStep(module).step.updates.map((u) => u.target.attrs.name);

  test("everything, with slots and counters", () => {
    const built = buildStep(mlp({ optimizers: [line(sgd({ momentum: 0.9 }))] }));
    expect(built.trained).toEqual(["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
    expect(built.slots.map((s) => s.name)).toEqual(built.trained.map((n) => `${n}.momentum`));
    expect(built.step.updates.map((u) => u.target.attrs.name)).toContain("fc1.bias.momentum");
    expect(built.step.updates.slice(-2).map((u) => u.target.attrs.name)).toEqual(["micro_step", "updates"]);
  });

  test("the last line that matches wins", () => {
    const built = buildStep(mlp({ optimizers: [line(sgd()), line(sgd({ momentum: 0.5 }), "*.bias"), line(sgd(), "fc2.*")] }));
    expect(built.slots.map((s) => s.name)).toEqual(["fc1.bias.momentum"]);
  });

  test("frozen parameters and states stay", () => {
    const module = withState(mlp({ optimizers: [line(sgd(), "fc2.*")], freeze: [{ glob: "fc1.*", span }] }), "fc1.seen", "seen");
    expect(updated(module)).toEqual(["seen", "fc2.weight", "fc2.bias", "micro_step", "updates"]);
    expect(buildStep(module).frozen.toSorted()).toEqual(["fc1.bias", "fc1.seen", "fc1.weight"]);
  });

  test("a group may have a loss of its own; what its loss does not reach stays", () => {
    const module = mlp({});
    const { step, losses } = module.training!;
    const weight = topological(step).find((n) => n.attrs.name === "fc2.weight")!;
    const own = ops.reduceSum({ x: weight }, { axes: [0, 1] });
    const special = { globs: ["fc2.*"], value: own };
    const changed = { ...module, training: { ...module.training!, losses: [special, ...losses], optimizers: [line(sgd())] } };
    expect(buildStep(changed).trained).toEqual(["fc1.weight", "fc1.bias", "fc2.weight"]);
    const { memory } = train(changed);
    const moved = golden.initial["fc2.weight"]!.values.map((v) => v - 0.1 * golden.steps);
    expectClose(memory["fc2.weight"]!, moved, 1e-5, "fc2.weight");
    expect(memory["fc2.bias"]).toEqual(golden.initial["fc2.bias"]!.values);
  });
});

/** The module with states that its step counts up. */
function withState(module: Module, ...names: string[]): Module {
  const { step } = module.training!;
  const updates = names.map((name) => {
    const target = ops.state({}, { name, dtype: "f32", shape: [] });
    return { target, value: ops.add({ a: target, b: ops.full({}, { value: 1, dtype: "f32", shape: [] }) }) };
  });
  const counting = { ...step, updates };
  return { ...module, variables: variablesOf(counting), training: { ...module.training!, step: counting } };
}

describe("mistakes", () => {
  const at = (line: number) => ({ file: "net.dlm", start: { line, column: 3 }, end: { line, column: 9 } });
  const complaint = (training: Partial<Training>): string => {
    try {
      buildStep(mlp(training));
    } catch (error) {
      if (error instanceof CompileError) return error.message;
      throw error;
    }
    return "none";
  };

  test("a glob that matches nothing", () => {
    const text = complaint({
      optimizers: [line(sgd()), { globs: ["fc3.*", "*.bias"], optimizer: sgd(), span: at(7) }],
      freeze: [{ glob: "conv*", span: at(9) }],
    });
    expect(text).toBe(`error[train]: "fc3.*" matches no parameter of the training step
  --> net.dlm:7:3
  help: there are fc1.weight, fc1.bias, fc2.weight, fc2.bias

error[train]: "conv*" matches no parameter or state of the training step
  --> net.dlm:9:3
  help: there are fc1.weight, fc1.bias, fc2.weight, fc2.bias`);
  });

  test("a parameter without an optimizer", () => {
    expect(
      complaint({ optimizers: [line(sgd(), "*.weight"), line(sgd(), "fc1.*")] }),
    ).toBe(`error[train]: the parameter fc2.bias has no optimizer
  --> net.dlm:1:1
  help: put a general line first: optimizer = sgd(lr=0.1), or freeze the parameter`);
    expect(complaint({ optimizers: [] })).toContain("help: add a line to the train block");
    expect(complaint({ optimizers: [], freeze: [{ glob: "*", span }] })).toBe("none");
  });
});

test("initial values of everything, counters from 0", () => {
  const module = withState(mlp({ optimizers: [line(sgd({ momentum: 0.9 }), "*")] }), "seen");
  const init = buildInit(module, buildStep(module).slots);
  const names = [
    ...["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"].flatMap((n) => [n, `${n}.momentum`]),
    "seen",
    "micro_step",
    "updates",
  ];
  expect(init.updates.map((u) => u.target.attrs.name as string).toSorted()).toEqual(names.toSorted());
  const variables = module.variables.map((v) => ({ ...v, saved: v.name !== "seen" }));
  const untrained = buildInit({ ...module, variables, training: null }, []);
  expect(untrained.updates.map((u) => u.target.attrs.name)).toEqual(["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
});

test("initial values that draw random numbers share the seed", () => {
  const module = mlp({ optimizers: [line(sgd())] });
  const noise = (key: number, shape: Shape) => {
    const counter = ops.full({}, { value: 0, dtype: "i32", shape: [] });
    return ops.randomUniform({ seed: ops.counter({}, { name: "seed" }), counter }, { key, shape });
  };
  const variables = module.variables.map((v, i) => ({ ...v, initial: noise(i, v.type.shape) }));
  expect(verifyGraph(buildInit({ ...module, variables }, []))).toEqual([]);
});
