/** Ours, loaded as the module that `dlm compile` writes does. */
import { load, programFromArtefact } from "../../../../runtime/index.ts";
import { runOf, warmFor } from "../../engines/dlm-model.ts";
import { files } from "../../job.ts";
import { cell, file, json } from "./page.ts";

await cell(async ({ work, program: name }, inputs) => {
  const program = await programFromArtefact(await json(name), file);
  return runOf(await load(program, { weights: await file(files.weights), warm: warmFor(work.kind) }), work.kind, inputs);
});
