/** Loads a program as an app does, and does the task with it. */
import { programFromArtefact } from "../../../runtime/index.ts";
import { work } from "../task.ts";
import { answer, file, json, type NetTask } from "./page.ts";

await answer<NetTask>(async (task) => {
  const program = await programFromArtefact(await json("net.json"), file);
  return work(program, task.weights ? await file("weights") : undefined, task);
});
