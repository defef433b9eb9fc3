/** A loaded program: entries called one at a time, variables kept in the backend's memory. */
import {
  type Backend,
  type EntryId,
  type EntryName,
  entryOf,
  type Field,
  type Program,
  type Region,
  type Signature,
  type Variable,
} from "../ir/program.ts";
import type { Shape } from "../ir/type.ts";
import { DlmError, fail } from "./errors.ts";
import { Source } from "./field.ts";
import type { AnyGpuBinding, AnyGpuBuffer, GpuBinding, GpuBuffer } from "./gpu-types.ts";
import { checkName } from "./options.ts";
import { bytesOf, type Entry, fileTypeOf, writeSafetensors } from "./safetensors.ts";
import { decode, encode, encodeInputs, type Inputs, isNumbers, type OutputValues } from "./tensor.ts";
import { checkpointName, type Given } from "./weights.ts";

export interface Parameter {
  readonly name: string;
  readonly kind: "param" | "state";
  readonly dtype: Field["dtype"];
  readonly shape: Shape;
  readonly frozen: boolean;
  readonly values: OutputValues;
}
export interface StepResult {
  readonly loss: number;
  /** The other outputs of one element, by name. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Of programs compiled with `profile`: milliseconds from the start of the run to the end of each call, after a 0. */
  readonly times?: OutputValues;
  /** Of programs compiled with further outputs, whose names begin with a dollar sign: these, by name. */
  readonly watched?: Readonly<Record<string, OutputValues>>;
}

/** Predicts. `seed` is for models that sample, and for this call only. */
export interface Run {
  (inputs: Inputs, options?: { readonly seed?: number; readonly outputs?: "arrays" }): Promise<Record<string, OutputValues>>;
  /**
   * On WebGPU, outputs that stay on the device: `"gpu"` copies each to a new GPUBuffer (usage STORAGE, COPY_SRC and COPY_DST), which
   * belongs to the caller: no later run writes to it, and `destroy()` frees it. Buffers given by name are filled instead, from their
   * start or where a `GpuBinding` says, and are all that comes back. Elements are row-major as in arrays, of 4 bytes each, also u8 and bool. The promise does not wait for
   * the device: what the caller submits from then on finds the outputs there.
   */
  (inputs: Inputs, options: { readonly seed?: number; readonly outputs: GpuOutputs }): Promise<Record<string, GpuBuffer>>;
}
export type GpuOutputs = "gpu" | Readonly<Record<string, GpuBuffer | GpuBinding>>;
export interface RunOptions {
  readonly seed?: number;
  readonly outputs?: "arrays" | GpuOutputs;
}

/**
 * A program with its memory. Calls may overlap: they run one after another, in the order made. Inputs are read when the
 * call's turn comes. Whatever fails rejects with a DlmError.
 */
export interface Net {
  readonly program: Program;
  /** What the caller should hear about weights, threads and the like; nothing here is an error. Grows when a lost GPU is replaced. */
  readonly notes: readonly string[];
  /** Bytes of each region. */
  readonly memory: Readonly<Record<Region, number>>;
  readonly threads: number;
  /** Where it runs; reference: in the compiler's interpreter. */
  readonly device: "wasm" | "webgpu" | "reference";
  readonly run: Run;
  /** One micro-batch: forward, backward, update. */
  readonly step: (inputs: Inputs) => Promise<StepResult>;
  /** Loss and metrics without any update. */
  readonly evaluate: (inputs: Inputs) => Promise<StepResult>;
  /** Parameters and states with their present values. */
  readonly parameters: () => Promise<readonly Parameter[]>;
  /** `seed`, `micro_step`, `updates`: those that the program has. */
  readonly counters: () => Promise<Readonly<Record<string, number>>>;
  /** The saved parameters and states as a safetensors file; of a parameter with a running average (`ema`) the average. */
  readonly save: () => Promise<Uint8Array<ArrayBuffer>>;
  /** Every variable as a safetensors file: all that `load` needs to continue bit for bit. */
  readonly checkpoint: () => Promise<Uint8Array<ArrayBuffer>>;
  /** Frees the memory after the calls under way; later calls are refused. */
  readonly dispose: () => Promise<void>;
}

/** A backend at work, with what its start has to tell. */
export interface Started {
  readonly backend: Backend;
  readonly threads: number;
  readonly notes: readonly string[];
  readonly gpu?: OnGpu;
}
/** What a backend on a GPU offers besides. */
export interface OnGpu {
  /**
   * Like `Backend.run`, from inputs that are not in memory of the host. Calls `issued` when the next call may be made: where that
   * one builds on what the device may still refuse, as `prepare`, not before the device has accepted it.
   */
  readonly run: (call: GpuCall, issued: () => void) => Promise<readonly Uint8Array<ArrayBuffer>[]>;
  /** The same, with outputs that stay on the device. */
  readonly runToBuffers: (call: GpuCall, to: GpuOutputs, issued: () => void) => Promise<Record<string, GpuBuffer>>;
  /** An input that is given as a buffer; `fields`: what it is for each binding of dimensions. */
  readonly sourceOf: (fields: readonly Field[], given: AnyGpuBuffer | AnyGpuBinding) => Source;
  /** Looks after the device: null when it is at work, else a new one, with what its variables shall be. */
  readonly revive: () => Promise<Revival | null>;
  /** A checkpoint of now, from which `revive` may continue. */
  readonly keep: (checkpoint: Uint8Array<ArrayBuffer>) => void;
}
export interface GpuCall {
  readonly entries: readonly EntryId[];
  readonly sources: readonly (readonly [Field, Source])[];
  readonly outputs: readonly Field[];
}
export interface Revival {
  readonly started: Started;
  readonly given: Given;
  readonly seed: number;
}

const deviceOf = { wasm: "wasm", wgsl: "webgpu", host: "reference" } as const;

/** Fills the variables and opens the program for calls. */
export async function openSession(program: Program, started: Started, given: Given, seed: number): Promise<Net> {
  const session = new Session(program, started, [...started.notes, ...given.notes]);
  await session.fill(given, seed);
  return session;
}

class Session implements Net {
  readonly program: Program;
  readonly notes: string[];
  readonly memory: Readonly<Record<Region, number>>;
  readonly threads: number;
  readonly device: Net["device"];
  #backend: Backend;
  #gpu: OnGpu | undefined;
  /** What `prepare` made: nothing yet, from parameters that have moved since, or from the present ones. */
  #prepared: "never" | "stale" | "ready" = "never";
  /** The next call begins behind it, and all calls are done behind the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #done: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | null = null;

  constructor(program: Program, started: Started, notes: string[]) {
    this.program = program;
    this.notes = notes;
    this.threads = started.threads;
    this.device = deviceOf[program.code.kind];
    this.memory = { ...program.sizes, scratch: program.sizes.scratch * started.threads };
    this.#backend = started.backend;
    this.#gpu = started.gpu;
  }

  /** `init` makes what is not given; then what is given is written over it. */
  async fill({ values }: Given, seed: number): Promise<void> {
    for (const c of this.program.constants ?? []) this.#backend.write(c, encode(c, c.data));
    this.#writeSeed(seed);
    const absent = this.program.variables.filter((v) => v.kind !== "counter" && !values.has(v));
    if (absent.length && this.#has("init")) await this.#backend.run(["init"], []);
    else if (absent.some((v) => v.kind === "param")) fail("weights", `${this.program.name} has no initial values: it needs weights`);
    for (const [variable, bytes] of values) {
      this.#backend.write(variable, bytes);
      // An average begins at the parameter.
      const average = this.#averageOf(variable);
      if (average && !values.has(average)) this.#backend.write(average, bytes);
    }
    // What is written may wait for a call.
    await this.#read([]);
  }

  run = ((inputs: Inputs, options: RunOptions = {}) =>
    this.#enqueue(async (release) => {
      const { seed, outputs = "arrays", ...others } = options;
      for (const name in others) checkName("run", name, ["seed", "outputs"]);
      if (seed === undefined || !this.#seed) return this.#call("forward", inputs, release, outputs);
      const [before] = await this.#read([this.#seed]);
      this.#writeSeed(seed);
      try {
        return await this.#call("forward", inputs, () => undefined, outputs);
      } finally {
        this.#backend.write(this.#seed, before!);
      }
    })) as Run;

  step = (inputs: Inputs): Promise<StepResult> => this.#enqueue(async (release) => result(await this.#call("step", inputs, release)));

  evaluate = (inputs: Inputs): Promise<StepResult> =>
    this.#enqueue(async (release) => result(await this.#call("evaluate", inputs, release)));

  parameters = (): Promise<readonly Parameter[]> =>
    this.#enqueue(async () => {
      const wanted = this.program.variables.filter((v) => v.kind === "param" || v.kind === "state");
      const values = await this.#read(wanted);
      return wanted.map((v, i) => {
        const { name, kind, dtype, shape, frozen } = v;
        return { name, kind: kind as Parameter["kind"], dtype, shape, frozen, values: decode(v, values[i]!) };
      });
    });

  counters = (): Promise<Readonly<Record<string, number>>> =>
    this.#enqueue(async () => {
      const counters = this.program.variables.filter((v) => v.kind === "counter");
      const values = await this.#read(counters);
      return Object.fromEntries(counters.map((v, i) => [v.name, decode(v, values[i]!)[0]!]));
    });

  save = (): Promise<Uint8Array<ArrayBuffer>> =>
    this.#enqueue(() =>
      this.#file(
        this.program.variables.filter((v) => v.saved && (v.kind === "param" || v.kind === "state")),
        { producer: "dlm", content: "weights", program: this.program.name },
      ),
    );

  checkpoint = (): Promise<Uint8Array<ArrayBuffer>> =>
    this.#enqueue(async () => {
      const { variables, name } = this.program;
      const file = await this.#file(variables, { producer: "dlm", content: "checkpoint", program: name });
      this.#gpu?.keep(file);
      return file;
    });

  dispose = (): Promise<void> => {
    this.#disposed ??= this.#done.then(() => this.#backend.dispose());
    return this.#disposed;
  };

  async #call(name: EntryName, inputs: Inputs, release: () => void): Promise<Record<string, OutputValues>>;
  async #call(name: EntryName, inputs: Inputs, release: () => void, to: RunOptions["outputs"]): Promise<Record<string, unknown>>;
  async #call(
    name: EntryName,
    inputs: Inputs,
    release: () => void,
    to: RunOptions["outputs"] = "arrays",
  ): Promise<Record<string, unknown>> {
    if (to !== "arrays" && !this.#gpu)
      fail("option", `outputs stay on a GPU where the program is compiled to wgsl: ${this.program.name} is not`);
    const candidates = this.#entries(name);
    const [entry, encoded] = encodeInputs(candidates, await this.#adapted(candidates, inputs));
    const sources: [Field, Source][] = [];
    for (const [field, given] of encoded)
      if (given instanceof Source) sources.push([field, given]);
      else this.#backend.write(field, given);
    const { outputs } = entry;
    const [before, backend] = [this.#prepared, this.#backend];
    // A step reads only what frozen parameters prepared, which stays true once made.
    const due = this.#has("prepare") && before !== "ready" && !(name === "step" && before === "stale");
    const entries: readonly EntryId[] = due ? ["prepare", entry.name] : [entry.name];
    // Stale even if the step fails half-way: parameters may have moved.
    this.#prepared = name === "step" ? "stale" : due ? "ready" : before;
    try {
      if (this.#gpu && to !== "arrays") return await this.#gpu.runToBuffers({ entries, sources, outputs }, to, release);
      const values = await (this.#gpu?.run({ entries, sources, outputs }, release) ?? this.#backend.run(entries, outputs));
      return Object.fromEntries(outputs.map((f, i) => [f.name, decode(f, values[i]!)]));
    } catch (e) {
      if (due && backend === this.#backend) this.#prepared = before;
      throw e;
    }
  }

  /** Pictures and buffers of a GPU, as the backend takes them. */
  async #adapted(entries: readonly Signature[], inputs: Inputs): Promise<Parameters<typeof encodeInputs>[1]> {
    const isForeign = (x: unknown): boolean => typeof x === "object" && x !== null && !isNumbers(x);
    if (!isForeign(inputs) || !Object.values(inputs).some(isForeign)) return inputs;
    return (await import("./foreign.ts")).adapt(entries, inputs, this.#gpu);
  }

  #read = (fields: readonly Field[]): Promise<readonly Uint8Array<ArrayBuffer>[]> => this.#backend.run([], fields);

  async #file(variables: readonly Variable[], metadata: Readonly<Record<string, string>>): Promise<Uint8Array<ArrayBuffer>> {
    const training = metadata.content === "checkpoint";
    const values = await this.#read(variables.map((v) => (training ? v : (this.#averageOf(v) ?? v))));
    const entries = variables.map((v, i): Entry => {
      const name = training ? checkpointName(v) : v.name;
      return { name, dtype: fileTypeOf[v.dtype], shape: v.shape, data: values[i]! };
    });
    return writeSafetensors(entries, metadata);
  }

  /** One for each binding of dimensions. */
  #entries(name: EntryName): readonly Signature[] {
    const entries = this.program.entries.filter((e) => entryOf(e.name) === name);
    if (entries.length) return entries;
    const help = name === "forward" ? "" : ": compile it with train: true";
    return fail("entry", `${this.program.name} was compiled without "${name}"${help}`);
  }
  #averageOf = ({ average }: Variable): Variable | undefined =>
    average === undefined ? undefined : this.program.variables.find((v) => v.kind === "slot" && v.name === average);
  #has = (name: EntryName): boolean => this.program.entries.some((e) => e.name === name);

  get #seed(): Variable | undefined {
    return this.program.variables.find((v) => v.kind === "counter" && v.name === "seed");
  }
  #writeSeed(seed: number): void {
    checkSeed(seed);
    if (this.#seed) this.#backend.write(this.#seed, bytesOf(Int32Array.of(seed)));
  }

  /** Calling `release` lets the next call begin before this one is done: a device keeps their order. */
  #enqueue<T>(call: (release: () => void) => Promise<T>): Promise<T> {
    if (this.#disposed) return Promise.reject(new DlmError("disposed", `${this.program.name} is used after dispose()`));
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const done = this.#tail.then(this.#revive).then(() => call(release));
    this.#tail = released;
    // Resolves to nothing: a list of results would hold those of every call before.
    const before = this.#done;
    this.#done = done.then(release, release).then(() => before);
    return done;
  }

  /** Continues on a new device where the last one was lost. */
  #revive = async (): Promise<void> => {
    const again = await this.#gpu?.revive();
    if (!again) return;
    const [backend, gpu] = [this.#backend, this.#gpu];
    const { started, given, seed } = again;
    this.#use(started);
    try {
      await this.fill(given, seed);
    } catch (e) {
      started.backend.dispose();
      this.#backend = backend;
      this.#gpu = gpu;
      throw e;
    }
    this.notes.push(...started.notes);
  };
  #use({ backend, gpu }: Started): void {
    this.#backend = backend;
    this.#gpu = gpu;
    this.#prepared = "never";
  }
}

function result({ $times: times, ...outputs }: Readonly<Record<string, OutputValues>>): StepResult {
  const all = Object.entries(outputs);
  const watched = all.filter(([name]) => name.startsWith("$"));
  const numbers = all.flatMap(([name, v]) => (v.length === 1 && !name.startsWith("$") ? [[name, v[0]!] as const] : []));
  const { loss, ...metrics } = Object.fromEntries(numbers);
  return {
    loss: loss ?? Number.NaN,
    metrics,
    ...(times ? { times } : {}),
    ...(watched.length ? { watched: Object.fromEntries(watched) } : {}),
  };
}

/** Seeds are 32 bits, given with or without sign. */
export function checkSeed(seed: number): void {
  if (!Number.isInteger(seed) || seed < -(2 ** 31) || seed >= 2 ** 32) fail("option", `seed is ${seed}, expected an integer of 32 bits`);
}
