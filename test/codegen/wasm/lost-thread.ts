/**
 * A script on its own: a net on three threads loses one of them, and says what becomes of its runs. A net that waits for the lost
 * thread would wait for ever, and so would whoever runs this. Arguments: a file with a program and its input `x`; when the thread
 * ends, "before" the next run or "during" it.
 */
import { readFileSync } from "node:fs";
import { deserialize } from "node:v8";
import type { Worker } from "node:worker_threads";
import { DlmError, load, type Program } from "../../../runtime/index.ts";

const [, , file, when] = process.argv;
const { program, x } = deserialize(readFileSync(file!)) as { program: Program; x: Float32Array };

const threads = process.getBuiltinModule("node:worker_threads");
const workers: Worker[] = [];
class Noted extends threads.Worker {
  constructor(...given: ConstructorParameters<typeof Worker>) {
    super(...given);
    workers.push(this);
  }
}
process.getBuiltinModule = (() => ({ ...threads, Worker: Noted })) as never;

const net = await load(program, { threads: 3 });
const outcome = (): Promise<string> =>
  net.run({ x }).then(
    () => "done",
    (e: unknown) => (e instanceof DlmError ? `${e.code}: ${e.message}` : `not ours: ${e}`),
  );
const outcomes = [await outcome()];
const end = workers.at(-1)!.terminate();
// Else it ends while the next run has this thread, which does not turn to its events.
if (when === "before") await end;
outcomes.push(await outcome(), await outcome());
await net.dispose();
console.log(JSON.stringify(outcomes));
