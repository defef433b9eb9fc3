/**
 * A script on its own: runs programs in a process whose engine has been given flags. Arguments: a file with programs and inputs, and one
 * to write: which module was taken and what came out, for each of them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { deserialize, serialize } from "node:v8";
import { type Inputs, load, type OutputValues, type Program } from "../../../runtime/index.ts";

export interface Given {
  readonly program: Program;
  readonly inputs: Inputs;
}
export interface Came {
  readonly taken: "relaxed" | "plain" | "neither";
  readonly outputs: Readonly<Record<string, OutputValues>>;
}

const compiled: BufferSource[] = [];
const { compile } = WebAssembly;
WebAssembly.compile = (file: BufferSource) => {
  compiled.push(file);
  return compile(file);
};

const [, , from, to] = process.argv;
const came: Came[] = [];
for (const { program, inputs } of deserialize(readFileSync(from!)) as readonly Given[]) {
  const net = await load(program, { seed: 4 });
  const { code } = program;
  const file = compiled.pop();
  const taken = code.kind !== "wasm" ? "neither" : file === code.relaxed ? "relaxed" : file === code.module ? "plain" : "neither";
  came.push({ taken, outputs: await net.run(inputs) });
  await net.dispose();
}
writeFileSync(to!, serialize(came));
