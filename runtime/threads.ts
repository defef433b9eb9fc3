/**
 * Threads of a WebAssembly program. Every thread instantiates the same module on the same memory and runs the whole
 * entry; the module divides the work and has barriers of its own. Here they only start together and are awaited.
 *
 * In Node the calling thread is thread 0 and waits for the others. A page must not wait, so in a browser all threads are
 * workers and the last one to finish posts a message.
 */
import { barrierWords, type EntryId, type Program, type Work } from "../ir/program.ts";
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
  /** `call`: the entry on the calling thread, which takes part in Node, and does all where others would cost more than they save. */
  readonly run: (entry: EntryId, call: (thread: number, threads: number) => void) => Promise<void>;
  /** What the calling thread does when it has waited long at a barrier: if another is gone, the wait is over. */
  readonly overdue: () => void;
  readonly dispose: () => void;
}

/** Why there can be only one thread here; null when there can be more. */
export function whyNoThreads(): string | null {
  if (nodeThreads()) return null;
  if (typeof SharedArrayBuffer === "undefined" || !globalThis.crossOriginIsolated)
    return "shared memory needs a cross-origin isolated page";
  return typeof Worker === "undefined" ? "there are no workers here" : null;
}

/** Milliseconds: to wake threads and to wait for the last one; a barrier between kernels. */
const waking = 0.06;
const meeting = 0.0015;
/** Of a millisecond on one thread, in kernels as small as those for which the question is open. */
const [flopsPerMs, bytesPerMs] = [20e6, 10e6];
/** Whether a run takes less time on several threads. What is read again and again is in caches after the first time. */
function gains({ flops, bytes, calls }: Work, { sizes }: Program, threads: number): boolean {
  const memory = Object.values(sizes).reduce((sum, n) => sum + n, 0);
  const alone = flops / flopsPerMs + Math.min(bytes, memory) / bytesPerMs;
  return alone * (1 - 1 / threads) > waking + meeting * calls;
}

/** What to do where so many bytes are left for words of the runtime and scratch of further threads. */
export function fittingThreads(wanted: number, bytes: number, scratch: number): string {
  const most = Math.max(1, Math.floor((bytes - 128) / scratch) + 1);
  return `: ask for ${most === 1 ? "one thread" : `at most ${most} threads`} instead of ${wanted}`;
}

/** What every worker runs: sleep until the number of the run changes, run the entry, count itself as done. */
const workerSource = `
const serve = ({ module, memory, words, control: barrier, entries, leads, thread, threads }, post) => {
  const control = new Int32Array(memory.buffer, words, ${threadWords});
  const all = new Int32Array(memory.buffer);
  const { exports } = new WebAssembly.Instance(module, { env: { memory, now: () => performance.now(), overdue: () => {} } });
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
/** A worker holds its lock as long as it lives. To be terminated is no error; where locks are refused, nobody hears of it. */
const browserSource = `${workerSource}
onmessage = ({ data }) => {
  const begin = () => serve(data, (message) => postMessage(message));
  let locked = false;
  const hold = () => {
    locked = true;
    postMessage("locked");
    begin();
  };
  navigator.locks.request(data.lock, hold).catch((error) => (locked ? error && reportError(error) : begin()));
};`;

/** Loaded without an import, so that bundlers for browsers have nothing to resolve. */
const nodeThreads = (): typeof import("node:worker_threads") | undefined => globalThis.process?.getBuiltinModule?.("node:worker_threads");

/** One worker, in Node or in a page. */
interface Helper {
  /** Hears what the worker posts: "ready", "done", or why the entry stopped. */
  listener: (message: string) => void;
  /** Hears that the worker itself is gone, or never came. */
  lost: (why: string) => void;
  /** Also while this thread does not turn to its events. */
  readonly isGone: () => boolean;
  readonly end: () => void;
}
interface Pool {
  readonly helpers: readonly Helper[];
  readonly threads: number;
  readonly control: Int32Array;
  readonly barrier: Barrier;
  /** Why a worker is no longer there: nothing runs any more. Null while all are. */
  lost: string | null;
  /** Hears of it. */
  onLost: () => void;
}
function lose(pool: Pool, why: string): void {
  if (pool.lost !== null) return;
  pool.lost = why;
  // Threads that wait for the one that is gone go on.
  pool.barrier.release();
  pool.onLost();
}
function isComplete(pool: Pool): boolean {
  if (pool.helpers.some((h) => h.isGone())) lose(pool, "it was terminated");
  return pool.lost === null;
}
const incomplete = ({ threads, lost }: Pool, entry: EntryId): DlmError =>
  new DlmError("threads", `${entry} cannot run: one of ${threads} threads has ended (${lost}); load the program again`);

/** Starts the workers and waits until all of them sleep. */
export async function startThreads(crew: Crew, program: Program): Promise<Threads> {
  const node = nodeThreads();
  const leads = node !== undefined;
  const numbers = Array.from({ length: crew.threads }, (_, t) => t).slice(leads ? 1 : 0);
  const helpers = numbers.map((thread) =>
    node ? nodeHelper(node, { ...crew, leads, thread }) : browserHelper({ ...crew, leads, thread }),
  );
  const dispose = (): void => {
    for (const h of helpers) h.end();
  };
  const control = new Int32Array(crew.memory.buffer, crew.words, threadWords);
  const pool: Pool = { helpers, threads: crew.threads, control, barrier: barrierOf(crew), lost: null, onLost: () => {} };
  try {
    await Promise.all(helpers.map((h) => ready(h, pool)));
  } catch (e) {
    dispose();
    throw e;
  }
  const run: Threads["run"] = async (entry, call) => {
    const work = program.stats.work?.[entry];
    if (work && !gains(work, program, crew.threads)) return call(0, 1);
    if (!isComplete(pool)) throw incomplete(pool, entry);
    pool.barrier.mend();
    Atomics.store(control, ENTRY, crew.entries.indexOf(entry));
    Atomics.store(control, DONE, 0);
    Atomics.store(control, FAILED, 0);
    await (leads ? runLeading(pool, entry, call) : runWaiting(pool, entry));
  };
  return { run, overdue: () => void isComplete(pool), dispose };
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

const ready = (helper: Helper, pool: Pool): Promise<void> =>
  new Promise((resolve, reject) => {
    helper.listener = () => {
      helper.lost = (why) => lose(pool, why);
      resolve();
    };
    helper.lost = (why) => reject(new DlmError("unsupported", why));
  });

function start(control: Int32Array): void {
  Atomics.add(control, RUN, 1);
  Atomics.notify(control, RUN);
}

async function runLeading(pool: Pool, entry: EntryId, lead: (t: number, T: number) => void): Promise<void> {
  const { control, threads, barrier } = pool;
  start(control);
  try {
    lead(0, threads);
  } catch (e) {
    barrier.release();
    throw e;
  } finally {
    Atomics.add(control, DONE, 1);
    await allDone(pool);
  }
  if (pool.lost !== null) throw incomplete(pool, entry);
  if (Atomics.load(control, FAILED)) fail("trap", `${entry} stopped on one of its threads`);
}

/** Milliseconds without news after which a thread looks whether the others are still there. */
const patience = 1000;
/** Until every thread has finished, or one is gone. This thread waits without turning to its events, but not for ever. */
async function allDone(pool: Pool): Promise<void> {
  const { control, threads } = pool;
  for (let n = Atomics.load(control, DONE); n < threads && isComplete(pool); n = Atomics.load(control, DONE)) {
    if (Atomics.wait(control, DONE, n, patience) === "timed-out") await new Promise((resolve) => setTimeout(resolve));
  }
}

function runWaiting(pool: Pool, entry: EntryId): Promise<void> {
  return new Promise((resolve, reject) => {
    let trap = "";
    const failed = (): void => reject(new DlmError("trap", `${entry} stopped on one of its threads: ${trap}`));
    for (const h of pool.helpers) {
      h.listener = (m) => {
        if (m === "done") Atomics.load(pool.control, FAILED) ? failed() : resolve();
        // The others are still at work: the call ends when all have finished.
        else trap = m;
      };
    }
    pool.onLost = () => reject(incomplete(pool, entry));
    start(pool.control);
  });
}

const deaf = { listener: () => {}, lost: () => {} };

function nodeHelper(node: typeof import("node:worker_threads"), data: unknown): Helper {
  const worker = new node.Worker(nodeSource, { eval: true, workerData: data });
  // A thread that has stopped has been idle for less than no time, and says so at once; its event comes later.
  const isGone = (): boolean => (worker.performance?.eventLoopUtilization().idle ?? 0) < 0;
  const helper: Helper = { ...deaf, isGone, end: () => void worker.terminate() };
  worker.on("message", (m: unknown) => {
    // It has started: from now on a sleeping thread does not keep the process alive.
    worker.unref();
    helper.listener(String(m));
  });
  worker.on("error", (e) => helper.lost(e.message));
  worker.on("exit", (code) => helper.lost(`exit code ${code}`));
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

/** Pages get no event when a worker is terminated, but the lock that it held. */
function hearOfEnd(lock: string, helper: Helper): void {
  navigator.locks.request(lock, () => helper.lost("its lock is free")).catch(() => undefined);
}

function browserHelper(crew: object): Helper {
  const url = URL.createObjectURL(new Blob([browserSource], { type: "text/javascript" }));
  const worker = workerOf(url);
  const helper: Helper = { ...deaf, isGone: () => false, end: () => worker.terminate() };
  worker.onmessage = (m) => {
    URL.revokeObjectURL(url);
    if (m.data === "locked") hearOfEnd(url, helper);
    else helper.listener(String(m.data));
  };
  worker.onerror = (e) => helper.lost(e.message ?? "a worker was refused; does the content security policy have worker-src blob:?");
  worker.postMessage({ ...crew, lock: url });
  return helper;
}
