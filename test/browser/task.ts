/** What is done with a program, in a page and in Node alike. */
import { type Inputs, type LoadOptions, load, type Program } from "../../runtime/index.ts";
import type { Part } from "../examples/golden.ts";

/** Numbers as JSON has them. */
export type Numbers = Readonly<Record<string, readonly number[]>>;
export interface Task {
  readonly options?: Pick<LoadOptions, "threads" | "seed">;
  /** Taken in turn, so many times. */
  readonly batches?: readonly Numbers[];
  readonly steps?: number;
  /** Of the prediction after the steps. */
  readonly inputs?: Numbers;
}
export interface Done {
  readonly losses: readonly number[];
  readonly outputs: Numbers;
  /** After the steps. */
  readonly parameters: Numbers;
  readonly threads: number;
  readonly notes: readonly string[];
}
type Weights = Uint8Array<ArrayBuffer> | undefined;

export async function work(program: Program, weights: Weights, { options, batches = [], steps = 0, inputs }: Task): Promise<Done> {
  const net = await load(program, { ...options, ...(weights ? { weights } : {}) });
  const losses: number[] = [];
  for (let k = 0; k < steps; k++) losses.push((await net.step(batches[k % batches.length]!)).loss);
  const outputs = inputs ? numbersOf(await net.run(inputs)) : {};
  const parameters = numbersOf(Object.fromEntries((await net.parameters()).map((p) => [p.name, p.values])));
  const { threads, notes } = net;
  await net.dispose();
  return { losses, outputs, parameters, threads, notes };
}

export const numbersOf = (arrays: Inputs): Numbers =>
  Object.fromEntries(Object.entries(arrays).map(([name, values]) => [name, Array.from(values as ArrayLike<number>)]));

/** As what is wanted, whole. */
export const summaries = (numbers: Numbers): Part =>
  Object.fromEntries(Object.entries(numbers).map(([name, values]) => [name, { values }]));
