import { expect, test } from "vitest";
import { build, headlines, lines, mistakes, names, type Options } from "./elaborating.ts";

const train = (model: string, block: string, options: Options = {}) =>
  build(`model M(x: f32[N, 4]) -> y {\n${model}\n}\ntrain M {\n${block}\n}`, { train: true, ...options });
const wrong = (model: string, block: string) =>
  headlines(`model M(x: f32[N, 4]) -> y {\n${model}\n}\ntrain M {\n${block}\n}`, { train: true });
const simple = "y = x |> fc: Linear(3)";
const usual = "input label: i32[N]\nloss = cross_entropy(y, label)\noptimizer = sgd(lr=0.1)";

test("a step and an evaluation with the same signature", () => {
  const { training, batch, dims, docs } = train(
    `${simple} |> dropout(0.5)`,
    `## The class.
     input label: i32[N]
     loss = cross_entropy(y, label)
     metric accuracy = mean(argmax(y) == label)
     metric count = sum(argmax(y) == label)
     optimizer = sgd(lr=step_decay(0.05, every=500, factor=0.5), momentum=0.9, nesterov=true, weight_decay=5e-4)
     clip_norm = 5
     clip_value = 0.5
     seed = 7`,
  );
  expect({ batch, dims, docs: [...docs] }).toEqual({ batch: "N", dims: { N: 32 }, docs: [["label", "The class."]] });
  expect(training).toMatchObject({ name: "M", clipNorm: 5, clipValue: 0.5, seed: 7, freeze: [] });
  for (const graph of [training!.step, training!.evaluate]) {
    expect(graph.inputs.map((n) => n.attrs.name)).toEqual(["x", "label"]);
    expect(graph.outputs.map((o) => `${o.name} ${o.value.type.dtype}[${o.value.type.shape}]`)).toEqual([
      "loss f32[]",
      "accuracy f32[]",
      "count f32[]",
    ]);
    expect(graph.updates).toEqual([]);
  }
  expect(training!.losses).toEqual([{ globs: null, value: training!.step.outputs[0]!.value }]);
  const lr = { kind: "schedule", name: "step_decay", lr: 0.05, every: 500, factor: 0.5 };
  const optimizer = { kind: "optimizer", name: "sgd", lr, momentum: 0.9, nesterov: true, dampening: 0, weightDecay: 5e-4 };
  expect(training!.optimizers.map((o) => [o.globs, o.optimizer])).toEqual([[null, optimizer]]);
  const random = (g: typeof training) => lines(g!.step).filter((l) => l.includes("random_uniform"));
  expect(random(training)[0]).toMatch(/random_uniform\(@seed, @micro_step\)/);
  expect(lines(training!.evaluate).some((l) => l.includes("random"))).toBe(false);
});

test("the batch: 32, unless something says otherwise", () => {
  const batchOf = (options: Options, block = usual) => train(simple, block, options).dims.N;
  expect(batchOf({})).toBe(32);
  expect(batchOf({ batch: 8 })).toBe(8);
  expect(batchOf({ batch: 8, dims: { N: 4 } })).toBe(4);
  expect(batchOf({}, `input weights: f32[3]\nmetric w = sum(weights)\n${usual}`)).toBe(1);
  const withDefault = (batch: number | null) =>
    build(`model M(x: f32[N = 16, 4]) -> y { ${simple} }\ntrain M {\n${usual}\n}`, { train: true, batch }).dims.N;
  expect([withDefault(null), withDefault(8)]).toEqual([16, 16]);
});

test("states move in the step alone, and reads after an update see the new value", () => {
  const { training, forward, variables } = train(
    `state seen: f32[] = 0
     if training { update seen = seen + N }
     if training { update seen += 1 }
     y = x |> bn: BatchNorm |> fc: Linear(3)
     y = y + 0 * seen`,
    usual,
  );
  expect(forward.updates).toEqual([]);
  expect(training!.evaluate.updates).toEqual([]);
  expect(training!.step.updates.map((u) => u.target.attrs.name)).toEqual(["seen", "bn.running_mean", "bn.running_var"]);
  const text = lines(training!.step).join("\n");
  expect(text).toMatch(/%(\d+) = add\(@seen, %\d+\) : f32\[\]\n {0,}%(\d+) = stop_gradient\(%\1\)/);
  expect(variables.filter((v) => v.kind === "state").map((v) => v.name)).toEqual(["seen", "bn.running_mean", "bn.running_var"]);
});

test("one BatchNorm applied twice moves its statistics twice", () => {
  const { training } = train("use bn = BatchNorm(affine=false)\ny = bn(bn(x)) |> fc: Linear(3)", usual);
  expect(training!.step.updates.length).toBe(2);
  const mean = training!.step.updates[0]!.value;
  const chain = JSON.stringify(mean, (key, value) => (key === "op" ? value.schema.name : key === "origin" ? undefined : value));
  expect(chain.split('"stop_gradient"').length).toBeGreaterThan(1);
});

test("training=false switches everything inside off", () => {
  const { training } = train(
    `use net = Net()
     y = net(x)`,
    `${usual}\nmetric frozen = mean(net(x, training=false))\nmetric shape = mean(dropout(y, training=false))\n}
     layer Net(x) { return x |> bn: BatchNorm |> fc: Linear(3) |> dropout(0.5) `,
  );
  expect(training!.step.updates.length).toBe(2);
  expect(lines(training!.step).filter((l) => l.includes("random_uniform")).length).toBe(1);
});

test("what the model binds in training only is seen under `if training`", () => {
  const { variables, training } = train(
    `h = x |> fc1: Linear(5)
     if training { aux = h |> aux: Linear(3) }
     y = h |> fc2: Linear(3)`,
    `input label: i32[N]
     loss = cross_entropy(y, label)
     if training { loss += 0.3 * cross_entropy(aux, label) }
     optimizer = sgd(lr=0.1)
     optimizer "*.bias", "aux.*" = sgd(lr=0.2)`,
  );
  expect(variables.map((v) => `${v.name} ${v.saved}`)).toEqual([
    "fc1.weight true",
    "fc1.bias true",
    "fc2.weight true",
    "fc2.bias true",
    "aux.weight true",
    "aux.bias true",
  ]);
  expect(training!.optimizers.map((o) => o.globs)).toEqual([null, ["*.bias", "aux.*"]]);
  expect(lines(training!.evaluate).join("\n")).not.toContain("aux");
});

test("parameters of the block are not part of the saved model", () => {
  const { variables, training } = train(
    simple,
    `${usual}
     use teacher = Linear(3)
     param temperature: f32[] = 1
     freeze "teacher.*"
     if training { loss += mse(y, teacher(x, training=false)) * temperature }`,
  );
  expect(variables.filter((v) => !v.saved).map((v) => v.name)).toEqual(["temperature", "teacher.weight", "teacher.bias"]);
  expect(training!.freeze.map((f) => f.glob)).toEqual(["teacher.*"]);
});

test("losses of groups; the output is their sum", () => {
  const { training } = train(
    "y = x |> gen: Linear(4) |> critic: Linear(1)",
    `loss = mean(y)
     loss "critic.*" = -mean(y)
     optimizer = sgd(lr=constant(0.1))`,
  );
  expect(training!.losses.map((l) => l.globs)).toEqual([null, ["critic.*"]]);
  expect(training!.step.outputs[0]!.value.inputs).toEqual(training!.losses.map((l) => l.value));
  expect(training!.optimizers[0]!.optimizer.lr).toEqual({ kind: "schedule", name: "constant", lr: 0.1 });
});

test("params lists what a glob matches", () => {
  const { training } = train(simple, `${usual}\nloss += 0.1 * l2(params("*.weight")) + l1(params("fc.*"))`);
  expect(lines(training!.step).filter((l) => l.includes("mul(@fc.weight, @fc.weight)")).length).toBe(1);
  expect(wrong(simple, `${usual}\nloss += l2(params("conv.*"))`)).toEqual(['error[train]: "conv.*" matches no parameter made so far']);
});

test("a metric may be a constant, and may read the name it has", () => {
  const { training } = train(simple, `${usual}\nbox = mean(y)\nmetric box = box\nmetric rate = 0.5\nmetric n = N`);
  expect(training!.evaluate.outputs.map((o) => o.name)).toEqual(["loss", "box", "rate", "n"]);
});

test("mistakes in train blocks", () => {
  expect(wrong(simple, "clip_nrom = 5\ninput label: i32[N]\nloss = cross_entropy(y, label)\noptimizer = sgd(lr=0.1)")).toEqual([
    "error[train]: `clip_nrom` is neither used nor a setting",
  ]);
  expect(wrong(simple, "optimizer = sgd(lr=0.1)")).toEqual(["error[train]: the train block of `M` has no `loss`"]);
  expect(wrong(simple, "loss = y\noptimizer = sgd(lr=0.1)")).toEqual(["error[shape]: the loss must be a scalar, got f32[32, 3]"]);
  expect(wrong(simple, "loss = 1\noptimizer = sgd(lr=0.1)")).toEqual(["error[type]: the loss must be a tensor, got the int 1"]);
  expect(wrong(simple, "loss = mean(y)")).toEqual(["error[train]: the parameter `fc.weight` has no optimizer"]);
  expect(wrong(simple, 'loss = mean(y)\noptimizer "*.bias" = sgd(lr=0.1)')).toEqual([
    "error[train]: the parameter `fc.weight` has no optimizer",
  ]);
  build(`model M(x: f32[N, 4]) -> y { ${simple} }\ntrain M { loss = mean(y); optimizer "*.bias" = sgd(lr=0.1); freeze "fc.w*" }`, {
    train: true,
  });
  expect(wrong(simple, `${usual}\nfreeze "fd.*"`)).toEqual(['error[train]: "fd.*" matches no parameter or state of the step']);
  expect(wrong(simple, 'loss "fc.weight" = mean(y)\noptimizer = sgd(lr=0.1)')).toEqual([
    "error[train]: the parameter `fc.bias` has no loss",
  ]);
  expect(wrong(simple, `${usual}\noptimizer "fc.wieght" = sgd(lr=0.1)`)).toEqual([
    'error[train]: "fc.wieght" matches no parameter of the step',
  ]);
  expect(wrong(simple, `${usual}\noptimiser "fc.*" = sgd(lr=0.1)`)).toEqual(["error[train]: `optimiser` takes no globs"]);
  expect(wrong(simple, "loss = mean(y)\noptimizer = 0.1")).toEqual(["error[type]: `optimizer` must be an optimizer, got the float 0.1"]);
  expect(wrong(simple, "loss = mean(y)\noptimizer = sgd(lr=0.1, nesterov=true)")).toEqual([
    "error[constant]: sgd: nesterov needs a momentum and no dampening",
  ]);
  expect(wrong(simple, `${usual}\nclip_norm = -1`)).toEqual(["error[type]: `clip_norm` must be a positive number, got the int -1"]);
  expect(wrong(simple, `${usual}\nmetric loss = mean(y)`)).toEqual(["error[train]: there is another output `loss`"]);
  expect(wrong(simple, `${usual}\nmetric wide = y`)).toEqual(["error[shape]: the metric `wide` must be a scalar, got f32[32, 3]"]);
  expect(wrong(simple, `${usual}\nif training { input z: f32[N] }`)[0]).toMatch(/^error\[train\]: `input` stands at the top of the block/);
  expect(wrong(simple, `${usual}\ninput x: f32[N]`)).toEqual(["error[name]: there is another input `x`"]);
  expect(wrong(simple, `${usual}\nh = x |> fc: Linear(3)\nmetric h = mean(h)`)).toEqual(["error[label]: the label `fc` is used twice"]);
});

test("settings", () => {
  const { training } = train(simple, `${usual}\naccumulate = 4\nema = 0.99\ngradient_noise = 0.3`);
  expect(training).toMatchObject({ accumulate: 4, ema: 0.99, gradientNoise: { eta: 0.3, gamma: 0.55 }, clipNorm: null });
  expect(train(simple, `${usual}\ngradient_noise = (0.01, 0)`).training!.gradientNoise).toEqual({ eta: 0.01, gamma: 0 });
  expect(train(simple, `${usual}\naccumulate = none\nema = none`).training).toMatchObject({ accumulate: 1, ema: null });
});

test.each([
  ["accumulate = 0", "`accumulate` must be an int of at least 1, got the int 0"],
  ["accumulate = 2.0", "`accumulate` must be an int of at least 1, got the float 2.0"],
  ["ema = 1", "`ema` must be a number from 0 to below 1, got the int 1"],
  ["gradient_noise = -0.1", "`gradient_noise` must be a variance of at least 0, or (variance, gamma), got the float -0.1"],
  ["gradient_noise = (1, 2, 3)", "`gradient_noise` must be a variance of at least 0, or (variance, gamma), got a list of 3"],
  ["clip_value = 0", "`clip_value` must be a positive number, got the int 0"],
  ["seed = -1", "`seed` must be an int from 0 to 2 ** 31 - 1, got the int -1"],
])("a setting out of range: %s", (line, message) => {
  expect(wrong(simple, `${usual}\n${line}`)).toEqual([`error[type]: ${message}`]);
});

test.each([
  ["sgd()", "argument", "sgd needs `lr` (a number of at least 0 or a schedule)"],
  ["sgd(lr=-0.1)", "type", "sgd expects a number of at least 0 or a schedule for `lr`, got the float -0.1"],
  ["sgd(0.1, weight_decay=-1)", "type", "sgd expects a number of at least 0 for `weight_decay`, got the int -1"],
  ["adam(betas=(0.9, 1.0))", "type", "adam expects two numbers from 0 to below 1 for `betas`, got a list of 2"],
  ["adam(betas=0.9)", "type", "adam expects two numbers from 0 to below 1 for `betas`, got the float 0.9"],
  ["rmsprop(alpha=1)", "type", "rmsprop expects a number from 0 to below 1 for `alpha`, got the int 1"],
  ["rprop(etas=(1.2, 0.5))", "type", "rprop expects two numbers, below and above 1 for `etas`, got a list of 2"],
  ["rprop(lr=inverse_sqrt(0.1))", "constant", "rprop: `lr` is the first step size, which then grows and shrinks by itself: a number"],
  ["lion(momentum=0.9)", "argument", "`lion` has no parameter `momentum`"],
  ["sgd(step_decay(0.1, every=0))", "type", "step_decay expects an int of at least 1 for `every`, got the int 0"],
  ["sgd(cosine(0.1, steps=1.5))", "type", "cosine expects an int of at least 1 for `steps`, got the float 1.5"],
  ["sgd(cosine(0.1, steps=9, growth=2))", "constant", "cosine: `growth` is of the cycles, so it needs `restarts=true`"],
  ["sgd(one_cycle(0.1, steps=9, pct_start=2))", "type", "one_cycle expects a number from 0 to 1 for `pct_start`, got the int 2"],
  ["sgd(inverse_sqrt(0.1) |> then(0.1))", "constant", "then: the schedule `inverse_sqrt` has no end"],
])("an optimizer or schedule that means nothing: %s", (text, code, message) => {
  expect(wrong(simple, `loss = mean(y)\noptimizer = ${text}`)).toEqual([`error[${code}]: ${message}`]);
});

test("the span of a wrong setting of an optimizer is the argument", () => {
  const text = mistakes(`model M(x: f32[N, 4]) -> y { ${simple} }\ntrain M {\nloss = mean(y)\noptimizer = adam(eps=-1)\n}`, {
    train: true,
  });
  expect(text).toContain("adam expects a number of at least 0 for `eps`, got the int -1\n  --> net.dlm:4:18");
});

test("which train block is meant", () => {
  const source = `model M(x: f32[N, 4]) -> y { ${simple} }\ntrain a: M {\n${usual}\n}\ntrain b: M { loss = mean(y); optimizer = sgd(lr=1.0) }`;
  expect(build(source, { train: true, trainBlock: "b" }).training!.name).toBe("b");
  expect(headlines(source, { train: true })).toEqual(['error[flag]: "net.dlm" has several train blocks']);
  expect(headlines(source, { train: true, trainBlock: "c" })).toEqual(['error[flag]: there is no train block `c` in "net.dlm"']);
  expect(headlines("train Q { loss = 1 }", { train: true })).toEqual(["error[name]: there is no model `Q` to train"]);
  expect(build(source).training).toBe(null);
});

test("a trained input needs no data", () => {
  const module = build(
    `model Dream(unit = 1) -> image { param image: f32[1, 4] = normal(0.01) }
     train Dream {
       use net = Linear(3)
       freeze "net.*"
       loss = -net(image, training=false)[0, unit] + 1e-4 * sum(image ** 2)
       optimizer = sgd(lr=0.05)
     }`,
    { train: true },
  );
  expect(module.training!.step.inputs).toEqual([]);
  expect(names(module)).toEqual(["image", "net.weight", "net.bias"]);
});

test("`update` outside of training, and of what is no state", () => {
  expect(wrong("state s: f32[] = 0\nupdate s = 1\ny = x |> fc: Linear(3)", usual)[0]).toMatch(
    /^error\[train\]: `update` outside of training/,
  );
  expect(wrong("if training { update x = 1 }\ny = x |> fc: Linear(3)", usual)).toEqual(["error[name]: `x` is not a state of this body"]);
  expect(wrong("state s: f32[2] = 0\nif training { update s = x }\ny = x |> fc: Linear(3)", usual)).toEqual([
    "error[shape]: the state `s` is f32[2], got a tensor f32[32, 4]",
  ]);
});

test("errors of the model are reported once, however often it is walked", () => {
  const text = mistakes(`model M(x: f32[N, 4]) -> y { y = x |> fc: Linaer(3) }\ntrain M {\n${usual}\n}`, { train: true });
  expect(text.match(/error\[/g)).toEqual(["error["]);
});
