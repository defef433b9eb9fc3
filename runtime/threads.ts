/**
 * Threads of a WebAssembly program. Every thread instantiates the same module on the same memory and runs the whole
 * entry; the module divides the work and has barriers of its own. Here they only start together and are awaited.
 *
 * In Node the calling thread is thread 0 and waits for the others. A page must not wait, so in a browser all threads are
 * workers and the last one to finish posts a message.
 */
import { barrierWords, type EntryId } from "../ir/program.ts";
import { DlmError, fail, messageOf } from "./errors.ts";

/** Words of shared memory, from the address `words`: number of the run, index of the entry, threads that finished, failures. */
const threadWords = 4;
const [RUN, ENTRY, DONE, FAILED] = [0, 1, 2, 3] as const;

interface Crew {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly words: number;
  /** Address of the region `control`. */
  readonly control: number;
  readonly threads: number;
  readonly entries: readonly EntryId[];
}
export interface Threads {
  /** The calling thread is thread 0. */
  readonly leads: boolean;
  readonly run: (entry: EntryId, lead: ((thread: number, threads: number) => void) | null) => Promise<void>;
  readonly dispose: () => void;
}

/** Why there can be only one thread here; null when there can be more. */
export function whyNoThreads(): string | null {
  if (nodeThreads()) return null;
  if (typeof SharedArrayBuffer === "undefined" || !globalThis.crossOriginIsolated)
    return "shared memory needs a cross-origin isolated page";
  return typeof Worker === "undefined" ? "there are no workers here" : null;
}

/** What every worker runs: sleep until the number of the run changes, run the entry, count itself as done. */
const workerSource = `
const serve = ({ module, memory, words, control: barrier, entries, leads, thread, threads }, post) => {
  const control = new Int32Array(memory.buffer, words, ${threadWords});
  const all = new Int32Array(memory.buffer);
  const { exports } = new WebAssembly.Instance(module, { env: { memory, now: () => performance.now() } });
  let seen = Atomics.load(control, ${RUN});
  post("ready");
  for (;;) {
    for (let spin = 0; spin < 5000 && Atomics.load(control, ${RUN}) === seen; spin++);
    Atomics.wait(control, ${RUN}, seen);
    if (Atomics.load(control, ${RUN}) === seen) continue;
    seen = Atomics.load(control, ${RUN});
    try {
      exports[entries[control[${ENTRY}]]](thread, threads);
    } catch (error) {
      Atomics.store(control, ${FAILED}, 1);
      // Whoever waits for this thread goes on: what comes of the run is thrown away.
      Atomics.store(all, (barrier + ${barrierWords.broken}) / 4, 1);
      Atomics.add(all, (barrier + ${barrierWords.generation}) / 4, 1);
      Atomics.notify(all, (barrier + ${barrierWords.generation}) / 4);
      post(error.message);
    }
    if (Atomics.add(control, ${DONE}, 1) === threads - 1) {
      Atomics.notify(control, ${DONE});
      if (!leads) post("done");
    }
  }
};
`;
const nodeSource = `${workerSource}
const { parentPort, workerData } = require("node:worker_threads");
serve(workerData, (message) => parentPort.postMessage(message));`;
const browserSource = `${workerSource}
onmessage = ({ data }) => serve(data, (message) => postMessage(message));`;

/** Loaded without an import, so that bundlers for browsers have nothing to resolve. */
const nodeThreads = (): typeof import("node:worker_threads") | undefined => globalThis.process?.getBuiltinModule?.("node:worker_threads");

/** One worker, in Node or in a page. */
interface Helper {
  /** Hears what the worker posts: "ready", "done", or why the entry stopped. */
  listener: (message: string) => void;
  /** Hears that the worker itself is gone, or never came. */
  lost: (why: string) => void;
  readonly end: () => void;
}

/** Starts the workers and waits until all of them sleep. */
export async function startThreads(crew: Crew): Promise<Threads> {
  const node = nodeThreads();
  const leads = node !== undefined;
  const numbers = Array.from({ length: crew.threads }, (_, t) => t).slice(leads ? 1 : 0);
  const helpers = numbers.map((thread) =>
    node ? nodeHelper(node, { ...crew, leads, thread }) : browserHelper({ ...crew, leads, thread }),
  );
  const dispose = (): void => {
    for (const h of helpers) h.end();
  };
  try {
    await Promise.all(helpers.map(ready));
  } catch (e) {
    dispose();
    throw e;
  }
  const control = new Int32Array(crew.memory.buffer, crew.words, threadWords);
  const barrier = barrierOf(crew);
  const run: Threads["run"] = (entry, lead) => {
    barrier.mend();
    Atomics.store(control, ENTRY, crew.entries.indexOf(entry));
    Atomics.store(control, DONE, 0);
    Atomics.store(control, FAILED, 0);
    return lead ? runLeading(control, crew.threads, entry, lead, barrier) : runWaiting(control, helpers, entry);
  };
  return { leads, run, dispose };
}

/** Of the module, where a thread may have stopped. */
interface Barrier {
  /** Whoever waits for a thread that has stopped goes on. */
  readonly release: () => void;
  /** Before a run: as if nothing had happened. */
  readonly mend: () => void;
}
function barrierOf({ memory, control }: Crew): Barrier {
  const all = new Int32Array(memory.buffer);
  const at = (word: keyof typeof barrierWords): number => (control + barrierWords[word]) / 4;
  return {
    release: () => {
      Atomics.store(all, at("broken"), 1);
      Atomics.add(all, at("generation"), 1);
      Atomics.notify(all, at("generation"));
    },
    mend: () => {
      if (Atomics.exchange(all, at("broken"), 0)) Atomics.store(all, at("arrived"), 0);
    },
  };
}

const ready = (helper: Helper): Promise<void> =>
  new Promise((resolve, reject) => {
    helper.listener = () => resolve();
    helper.lost = (why) => reject(new DlmError("unsupported", why));
  });

function start(control: Int32Array): void {
  Atomics.add(control, RUN, 1);
  Atomics.notify(control, RUN);
}

async function runLeading(
  control: Int32Array,
  threads: number,
  entry: EntryId,
  lead: (t: number, T: number) => void,
  barrier: Barrier,
): Promise<void> {
  start(control);
  try {
    lead(0, threads);
  } catch (e) {
    barrier.release();
    throw e;
  } finally {
    Atomics.add(control, DONE, 1);
    for (let n = Atomics.load(control, DONE); n < threads; n = Atomics.load(control, DONE)) Atomics.wait(control, DONE, n);
  }
  if (Atomics.load(control, FAILED)) fail("trap", `${entry} stopped on one of its threads`);
}

function runWaiting(control: Int32Array, helpers: readonly Helper[], entry: EntryId): Promise<void> {
  return new Promise((resolve, reject) => {
    let trap = "";
    const failed = (why: string): void => reject(new DlmError("trap", `${entry} stopped on one of its threads: ${why}`));
    for (const h of helpers) {
      h.listener = (m) => {
        if (m === "done") Atomics.load(control, FAILED) ? failed(trap) : resolve();
        // The others are still at work: the call ends when all have finished.
        else trap = m;
      };
      h.lost = failed;
    }
    start(control);
  });
}

const deaf = { listener: () => {}, lost: () => {} };

function nodeHelper(node: typeof import("node:worker_threads"), data: unknown): Helper {
  const worker = new node.Worker(nodeSource, { eval: true, workerData: data });
  const helper: Helper = { ...deaf, end: () => void worker.terminate() };
  worker.on("message", (m: unknown) => {
    // It has started: from now on a sleeping thread does not keep the process alive.
    worker.unref();
    helper.listener(String(m));
  });
  worker.on("error", (e) => helper.lost(e.message));
  return helper;
}

/** Pages may refuse it at once, by a policy of trusted types for one. */
function workerOf(url: string): Worker {
  try {
    return new Worker(url);
  } catch (e) {
    return fail("unsupported", `a worker was refused: ${messageOf(e)}`, e);
  }
}

function browserHelper(data: unknown): Helper {
  const url = URL.createObjectURL(new Blob([browserSource], { type: "text/javascript" }));
  const worker = workerOf(url);
  const helper: Helper = { ...deaf, end: () => worker.terminate() };
  worker.onmessage = (m) => {
    URL.revokeObjectURL(url);
    helper.listener(String(m.data));
  };
  worker.onerror = (e) => helper.lost(e.message ?? "a worker was refused; does the content security policy have worker-src blob:?");
  worker.postMessage(data);
  return helper;
}
