/**
 * Training in a page on WebGPU follows WebAssembly in Node, dropout, schedule and clipping included. Both have the same
 * random numbers and differ by rounding alone. While a net learns this slowly, rounding does not grow: after 50 steps losses
 * were within 2e-7 and weights within 2e-6 of each other, so that every step and the final weights are held to 1e-4. The
 * first steps of the smallest net are also compared with the reference interpreter, which is slow.
 */
import { afterAll, describe, expect, test } from "vitest";
import { batch } from "../examples/formula.ts";
import { disagreements } from "../examples/golden.ts";
import { compileExample } from "../examples/support.ts";
import { openChromium } from "./chromium.ts";
import { workInPage } from "./net.ts";
import { type Done, numbersOf, summaries, type Task, work } from "./task.ts";

const chromium = await openChromium();
afterAll(() => chromium?.close());

const size = 8;
const taskOf = (steps: number): Task => ({
  options: { seed: 3 },
  batches: [0, 1, 2, 3].map((k) => numbersOf({ ...batch(k, size) })),
  steps,
});
const compiled = (target: "wasm" | "wgsl" | "reference", channels: string) =>
  compileExample("lenet", { target, set: { channels, hidden: "32" }, dims: { N: size } });
const inPage = async (channels: string, steps: number) => workInPage(chromium!, await compiled("wgsl", channels), undefined, taskOf(steps));
const inNode = async (target: "wasm" | "reference", channels: string, steps: number) =>
  work(await compiled(target, channels), undefined, taskOf(steps));
const loss = ({ losses }: Done) => Object.fromEntries(losses.map((l, k) => [`loss of step ${k}`, [l]]));
const all = (done: Done) => ({ ...loss(done), ...done.parameters });

interface Case {
  readonly channels: string;
  /** So many losses are compared with the reference interpreter's: the last one needs the weights of the steps before. */
  readonly reference: number;
}
// 32 channels are what a tile of columns has and more.
const cases: readonly Case[] = [
  { channels: "[4, 4]", reference: 3 },
  { channels: "[8, 8]", reference: 0 },
  { channels: "[32, 8]", reference: 0 },
];
const mean = (losses: readonly number[]): number => losses.reduce((sum, l) => sum + l) / losses.length;

describe.skipIf(!chromium)("LeNet, batch 8, 50 steps (skipped without Chromium)", () => {
  test.each(cases)("channels $channels", { timeout: 300_000 }, async ({ channels, reference }) => {
    const wanted = await inNode("wasm", channels, 50);
    const { refused, ...done } = await inPage(channels, 50);
    expect(disagreements("WebGPU", all(done), summaries(all(wanted)), 1e-4)).toEqual([]);
    expect(mean(done.losses.slice(-8))).toBeLessThan(mean(done.losses.slice(0, 8)));
    expect(refused).toEqual([]);
    if (reference === 0) return;
    const first = { ...done, losses: done.losses.slice(0, reference) };
    expect(disagreements("WebGPU", loss(first), summaries(loss(await inNode("reference", channels, reference))), 1e-4)).toEqual([]);
  });
});
