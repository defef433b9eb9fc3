/** A net whose last worker ends: what becomes of the runs. A run that waits for that worker would never end. */
import { load, programFromArtefact } from "../../../runtime/index.ts";
import type { Numbers } from "../task.ts";
import { answer, file, json } from "./page.ts";

export interface LostTask {
  readonly inputs: Numbers;
}
const workers: Worker[] = [];
globalThis.Worker = class extends Worker {
  constructor(...given: ConstructorParameters<typeof Worker>) {
    super(...given);
    workers.push(this);
  }
};

await answer<LostTask>(async ({ inputs }) => {
  const net = await load(await programFromArtefact(await json("net.json"), file), { threads: 3 });
  const outcome = (): Promise<string> =>
    net.run(inputs).then(
      () => "done",
      (e: Error) => e.message,
    );
  const first = await outcome();
  workers.at(-1)!.terminate();
  // It may have time to finish some.
  let next = first;
  while (next === "done") {
    next = await outcome();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const outcomes = [first, next, await outcome()];
  await net.dispose();
  return { outcomes };
});
