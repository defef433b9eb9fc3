/** What runs in Deno: a prediction and, where asked for, a training step of the program in a folder. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { load, type Parameter, programFromArtefact } from "../../runtime/index.ts";

export interface Job {
  readonly forward: Given;
  readonly step: Given | null;
}
type Given = Readonly<Record<string, Numbers>>;
type Numbers = readonly number[];
export interface Answer {
  readonly outputs: Readonly<Record<string, Numbers>>;
  readonly loss: number | null;
  /** After the step. */
  readonly parameters: readonly (Pick<Parameter, "name" | "kind" | "shape"> & { readonly values: Numbers })[];
}

const folder = process.argv[2]!;
const file = (name: string) => readFileSync(join(folder, name));
const parsed = (name: string) => JSON.parse(file(name).toString());

const { forward, step } = parsed("job.json") as Job;
const program = await programFromArtefact(parsed("net.json"), async (name) => file(name));
const net = await load(program, { weights: new Uint8Array(file("weights.safetensors")) });
const outputs = await net.run(forward);
const loss = step ? (await net.step(step)).loss : null;
const parameters = (await net.parameters()).map(({ name, kind, shape, values }) => ({ name, kind, shape, values: Array.from(values) }));
const answer: Answer = { outputs: Object.fromEntries(Object.entries(outputs).map(([name, v]) => [name, Array.from(v)])), loss, parameters };
writeFileSync(join(folder, "answer.json"), JSON.stringify(answer));
await net.dispose();
