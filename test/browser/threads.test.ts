/** WebAssembly in a page: one thread, several, and pages that cannot have several. */
import { afterAll, expect, test } from "vitest";
import { artefactOf } from "../../runtime/index.ts";
import { batch } from "../examples/formula.ts";
import { compileExample, spread } from "../examples/support.ts";
import { openChromium } from "./chromium.ts";
import { workInPage } from "./net.ts";
import { numbersOf, type Task, work } from "./task.ts";

const chromium = await openChromium();
afterAll(() => chromium?.close());
const inPage = test.skipIf(!chromium);

const size = 4;
const program = spread(await compileExample("lenet", { set: { channels: "[4, 6]", hidden: "32" }, dims: { N: size } }));
const { image } = batch(2, size);
const task = (threads: number): Task => ({
  options: { threads, seed: 5 },
  batches: [0, 1].map((k) => numbersOf({ ...batch(k, size) })),
  steps: 4,
  inputs: numbersOf({ image }),
});
const visited = (threads: number, served = {}) => workInPage(chromium!, program, undefined, task(threads), served);
const here = await work(program, undefined, task(1));
const numbers = { losses: here.losses, outputs: here.outputs, parameters: here.parameters };

inPage("one thread computes what Node does, bit for bit (skipped without Chromium)", async () => {
  expect(await visited(1)).toEqual({ ...numbers, threads: 1, notes: [], isolated: true, refused: [] });
});

inPage("two threads share memory, and compute the same (skipped without Chromium)", async () => {
  expect(await visited(2)).toEqual({ ...numbers, threads: 2, notes: [], isolated: true, refused: [] });
});

inPage("a page that is not isolated has one thread, and is told why (skipped without Chromium)", async () => {
  const notes = ["one thread instead of 2: shared memory needs a cross-origin isolated page"];
  expect(await visited(2, { isolated: false })).toEqual({ ...numbers, threads: 1, notes, isolated: false, refused: [] });
});

inPage("a run without one of its workers is refused (skipped without Chromium)", async () => {
  const task = { inputs: numbersOf({ image }) };
  const files = { ...artefactOf(program), "task.json": JSON.stringify(task) };
  const { outcomes } = await chromium!.visit<{ outcomes: string[] }>({ page: "lost-thread", files });
  expect(outcomes[0]).toBe("done");
  for (const refused of outcomes.slice(1))
    expect(refused).toMatch(/^forward cannot run: one of 3 threads has ended \(.+\); load the program again$/);
});

const policies = {
  "refuses workers": {
    policy: { "worker-src": "'none'" },
    why: "a worker was refused; does the content security policy have worker-src blob:?",
  },
  "wants trusted types": {
    policy: { "require-trusted-types-for": "'script'" },
    why: "a worker was refused: Failed to construct 'Worker': This document requires 'TrustedScriptURL' assignment.",
  },
};
inPage.each(Object.entries(policies))(
  "a page whose policy %s has one thread, and is told why (skipped without Chromium)",
  async (_, given) => {
    const { threads, notes, losses } = await visited(2, { policy: given.policy });
    expect({ threads, losses }).toEqual({ threads: 1, losses: here.losses });
    expect(notes).toEqual([expect.stringContaining(`one thread instead of 2: ${given.why}`)]);
  },
);
