/** Programs as WebAssembly: one module on one imported memory. */
import type { Backend, Code, EntryId, Field, Program } from "../ir/program.ts";
import { DlmError, fail, messageOf } from "./errors.ts";
import { bytesIn } from "./field.ts";
import type { Started } from "./session.ts";
import type { Threads } from "./threads.ts";

type WasmCode = Extract<Code, { readonly kind: "wasm" }>;
type EntryFunction = (thread: number, threads: number) => void;
type ThreadsModule = typeof import("./threads.ts");
const page = 65536;

/** Starts the program on the threads wanted, or on one where there can be no more: results are the same. */
export async function startWasm(program: Program, code: WasmCode, wanted: number): Promise<Started> {
  if (wanted === 1) return startOn(program, code, 1, null);
  const crew = await import("./threads.ts");
  let refused = crew.whyNoThreads();
  try {
    if (!refused) return await startOn(program, code, wanted, crew);
  } catch (e) {
    if (!(e instanceof DlmError && e.code === "unsupported")) throw e;
    refused = e.message;
  }
  return { ...(await startOn(program, code, 1, null)), notes: [`one thread instead of ${wanted}: ${refused}`] };
}

/** Compiles the module and gives it exactly the memory it needs; more than one thread share it. */
async function startOn(program: Program, code: WasmCode, threads: number, crew: ThreadsModule | null): Promise<Started> {
  const file = code.relaxed && WebAssembly.validate(relaxedProbe) ? code.relaxed : code.module;
  const module = await compile(program, crew ? sharing(file, code.limitsOffset) : file);
  // Words of the runtime lie behind everything that the module knows, on a cache line of their own.
  const words = align(code.bytes + (threads - 1) * program.sizes.scratch, 64);
  const room = (bytes: number): string => crew?.fittingThreads(threads, bytes - code.bytes, program.sizes.scratch) ?? "";
  const memory = allocate(program, file, code.limitsOffset, crew ? words + 64 : code.bytes, crew !== null, room);
  const instance = await instantiate(program, module, { memory, now, overdue: () => pool?.overdue() });
  const entries = program.entries.map((e) => e.name);
  const pool = crew ? await crew.startThreads({ module, memory, words, control: code.bases.control, threads, entries }, program) : null;
  return { backend: wasmBackend(program, code, memory, instance, pool), threads, notes: [] };
}

function wasmBackend(
  program: Program,
  code: WasmCode,
  memory: WebAssembly.Memory,
  instance: WebAssembly.Instance,
  pool: Threads | null,
): Backend {
  const place = (field: Field): Uint8Array => new Uint8Array(memory.buffer, code.bases[field.region] + field.offset, bytesIn(field));
  const call = (entry: EntryId): EntryFunction => {
    const f = instance.exports[entry];
    return typeof f === "function" ? (f as EntryFunction) : fail("artefact", `the module of ${program.name} does not export "${entry}"`);
  };
  const run = async (entry: EntryId): Promise<void> => {
    try {
      if (pool) await pool.run(entry, call(entry));
      else call(entry)(0, 1);
    } catch (e) {
      if (e instanceof WebAssembly.RuntimeError) fail("trap", `${entry} of ${program.name} stopped: ${e.message}`, e);
      throw e;
    }
  };
  return {
    write: (field, bytes) => place(field).set(bytes),
    run: async (entries, outputs) => {
      for (const entry of entries) await run(entry);
      // Copies: `slice` of shared memory would be shared too.
      return outputs.map((field) => new Uint8Array(place(field)));
    },
    dispose: () => pool?.dispose(),
  };
}

async function compile(program: Program, file: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(file);
  } catch (e) {
    if (!WebAssembly.validate(simdProbe)) fail("unsupported", "this engine has no WebAssembly SIMD", e);
    return fail("artefact", `the module of ${program.name} is not valid: ${messageOf(e)}`, e);
  }
}

async function instantiate(program: Program, module: WebAssembly.Module, env: WebAssembly.ModuleImports): Promise<WebAssembly.Instance> {
  try {
    return await WebAssembly.instantiate(module, { env });
  } catch (e) {
    return fail("artefact", `the module of ${program.name} cannot be linked: ${messageOf(e)}`, e);
  }
}

/** Programs that were compiled to be profiled ask for the time. */
const now = (): number => performance.now();

/** `room`: what to say where there is room for no more than so many bytes. */
function allocate(
  program: Program,
  file: Uint8Array,
  limitsOffset: number,
  bytes: number,
  shared: boolean,
  room: (bytes: number) => string,
): WebAssembly.Memory {
  const [flags, at] = unsigned(file, limitsOffset);
  const [minimum, next] = unsigned(file, at);
  const [maximum] = unsigned(file, next);
  if (flags !== 1 && flags !== 3) fail("artefact", `${program.name}: no memory limits at byte ${limitsOffset} of the module`);
  const pages = Math.max(minimum, Math.ceil(bytes / page));
  if (pages > maximum)
    fail("memory", `${program.name} needs ${mebibytes(pages)} of memory, its module allows ${mebibytes(maximum)}${room(maximum * page)}`);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch (e) {
    return fail("memory", `no memory for ${program.name}: it needs ${mebibytes(pages)}`, e);
  }
}
const mebibytes = (pages: number): string => `${Math.ceil((pages * page) / 2 ** 20)} MiB`;

/** A copy of the file whose memory is shared. */
function sharing(file: Uint8Array<ArrayBuffer>, limitsOffset: number): Uint8Array<ArrayBuffer> {
  const copy = file.slice();
  copy[limitsOffset] = 3;
  return copy;
}

/** LEB128 at a position, and the position behind it. */
function unsigned(file: Uint8Array, at: number): [value: number, next: number] {
  let value = 0;
  for (let i = at, scale = 1; i < file.length; i++, scale *= 128) {
    value += (file[i]! & 127) * scale;
    if (file[i]! < 128) return [value, i + 1];
  }
  return [-1, file.length];
}

const align = (n: number, to: number): number => Math.ceil(n / to) * to;

/** A module of one function of type () -> v128. */
const probe = (...body: number[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, body.length + 4, 1, body.length + 2, 0, ...body, 11);
/** i8x16.splat of 0. */
const zero = [65, 0, 253, 15];
const simdProbe = probe(...zero);
/** f32x4.relaxed_madd. */
const relaxedProbe = probe(...zero, ...zero, ...zero, 253, 133, 2);
