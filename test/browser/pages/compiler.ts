/** The compiler in a page: source text to a program that runs there. */
import { compile } from "../../../compiler/compile.ts";
import { artefactOf } from "../../../runtime/index.ts";
import { type Done, type Task, work } from "../task.ts";
import { answer } from "./page.ts";

export interface CompilerTask extends Task {
  readonly source: string;
  readonly batch: number;
}
export interface Compiled extends Done {
  /** Files of the program, bytes as numbers. */
  readonly artefact: Readonly<Record<string, string | readonly number[]>>;
}

const targets = ["wasm", "wgsl"] as const;
const compiled = async (target: (typeof targets)[number], { source, batch, ...task }: CompilerTask): Promise<Compiled> => {
  const program = await compile(source, { target, batch, train: true });
  const files = Object.entries(artefactOf(program)).map(
    ([name, file]) => [name, typeof file === "string" ? file : Array.from(file)] as const,
  );
  return { ...(await work(program, undefined, task)), artefact: Object.fromEntries(files) };
};

await answer<CompilerTask>(async (task) => {
  const programs: Record<string, Compiled> = {};
  for (const target of targets) programs[target] = await compiled(target, task);
  const mistake = await compile(task.source.replace("relu", "rleu"), { file: "net.dlm" }).then(String, (e: Error) => e.message);
  return { programs, mistake };
});
