/** The compiler in a page: the same programs as in Node, under a policy that forbids eval. */
import { afterAll, expect, test } from "vitest";
import { compile } from "../../compiler/compile.ts";
import { artefactOf } from "../../runtime/index.ts";
import { disagreements } from "../examples/golden.ts";
import { openChromium } from "./chromium.ts";
import type { Compiled, CompilerTask } from "./pages/compiler.ts";
import type { Page } from "./pages/page.ts";
import { summaries, work } from "./task.ts";

const chromium = await openChromium();
afterAll(() => chromium?.close());
const inPage = test.skipIf(!chromium);

const source = `
model Net(x: f32[N, 6]) -> y { y = x |> fc1: Linear(8) |> relu |> fc2: Linear(3) }
train Net {
  input label: i32[N]
  loss = cross_entropy(y, label)
  optimizer = adam(lr=0.01)
}
`;
const x = Array.from({ length: 24 }, (_, i) => Math.sin(i));
const task: CompilerTask = { source, batch: 4, batches: [{ x, label: [0, 2, 1, 1] }], steps: 5, inputs: { x } };

interface Answer extends Page {
  readonly programs: Readonly<Record<"wasm" | "wgsl", Compiled>>;
  readonly mistake: string;
}

inPage("compiles for both targets what Node compiles, and trains (skipped without Chromium)", async () => {
  const { programs, mistake, refused } = await chromium!.visit<Answer>({ page: "compiler", files: { "task.json": JSON.stringify(task) } });
  const reference = await work(await compile(source, { target: "reference", batch: 4, train: true }), undefined, task);
  const wanted = summaries({ losses: reference.losses, ...reference.outputs, ...reference.parameters });
  for (const target of ["wasm", "wgsl"] as const) {
    const { artefact, losses, outputs, parameters } = programs[target];
    const files = artefactOf(await compile(source, { target, batch: 4, train: true }));
    const bytes = Object.entries(files).map(([name, file]) => [name, typeof file === "string" ? file : Array.from(file)]);
    expect(artefact).toEqual(Object.fromEntries(bytes));
    expect(disagreements(target, { losses, ...outputs, ...parameters }, wanted, 1e-4)).toEqual([]);
  }
  expect(mistake).toContain("did you mean `relu`?");
  expect(refused).toEqual([]);
});

inPage("the policy of these pages forbids eval, and they hear of it (skipped without Chromium)", async () => {
  const { error, refused } = await chromium!.visit<Page & { error: string }>({ page: "policy", files: { "task.json": "{}" } });
  expect({ error, refused }).toEqual({ error: "EvalError", refused: ["script-src: eval"] });
});
