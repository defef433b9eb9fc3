/** A loaded program: entries called one at a time, variables kept in the backend's memory. */
import {
  type Backend,
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
import { bytesOf, type Entry, fileTypeOf, writeSafetensors } from "./safetensors.ts";
import { decode, encode, encodeInputs, type Inputs, type OutputValues } from "./tensor.ts";
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

/**
 * A program with its memory. Calls may overlap: they run one after another, in the order made. Inputs are read when the
 * call's turn comes. Whatever fails rejects with a DlmError.
 */
export interface Net {
  readonly program: Program;
  /** What the caller should hear about weights, threads and the like; nothing here is an error. */
  readonly notes: readonly string[];
  /** Bytes of each region. */
  readonly memory: Readonly<Record<Region, number>>;
  readonly threads: number;
  /** Predicts. `seed` is for models that sample, and for this call only. */
  readonly run: (inputs: Inputs, options?: { readonly seed?: number }) => Promise<Record<string, OutputValues>>;
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
}

/** Fills the variables and opens the program for calls. */
export async function openSession(program: Program, started: Started, given: Given, seed: number): Promise<Net> {
  const session = new Session(program, started, [...started.notes, ...given.notes]);
  await session.fill(given, seed);
  return session;
}

class Session implements Net {
  readonly program: Program;
  readonly notes: readonly string[];
  readonly memory: Readonly<Record<Region, number>>;
  readonly threads: number;
  readonly #backend: Backend;
  /** What `prepare` made: nothing yet, from parameters that have moved since, or from the present ones. */
  #prepared: "never" | "stale" | "ready" = "never";
  #tail: Promise<unknown> = Promise.resolve();
  #disposed: Promise<void> | null = null;

  constructor(program: Program, started: Started, notes: readonly string[]) {
    this.program = program;
    this.notes = notes;
    this.threads = started.threads;
    this.memory = { ...program.sizes, scratch: program.sizes.scratch * started.threads };
    this.#backend = started.backend;
  }

  /** `init` makes what is not given; then what is given is written over it. */
  async fill({ values }: Given, seed: number): Promise<void> {
    for (const c of this.program.constants ?? []) this.#backend.write(c, encode(c, c.data));
    this.#writeSeed(seed);
    const absent = this.program.variables.filter((v) => v.kind !== "counter" && !values.has(v));
    if (absent.length && this.#has("init")) await this.#backend.run("init");
    else if (absent.some((v) => v.kind === "param")) fail("weights", `${this.program.name} has no initial values: it needs weights`);
    for (const [variable, bytes] of values) this.#backend.write(variable, bytes);
    // An average begins at the parameter.
    for (const [variable, bytes] of values) {
      const average = this.#averageOf(variable);
      if (average && !values.has(average)) this.#backend.write(average, bytes);
    }
  }

  run = (inputs: Inputs, options: { readonly seed?: number } = {}): Promise<Record<string, OutputValues>> =>
    this.#enqueue(async () => {
      const { seed } = options;
      if (seed === undefined || !this.#seed) return this.#call("forward", inputs);
      const before = await this.#backend.read(this.#seed);
      this.#writeSeed(seed);
      try {
        return await this.#call("forward", inputs);
      } finally {
        this.#backend.write(this.#seed, before);
      }
    });

  step = (inputs: Inputs): Promise<StepResult> => this.#enqueue(async () => result(await this.#call("step", inputs)));

  evaluate = (inputs: Inputs): Promise<StepResult> => this.#enqueue(async () => result(await this.#call("evaluate", inputs)));

  parameters = (): Promise<readonly Parameter[]> =>
    this.#enqueue(async () => {
      const all: Parameter[] = [];
      for (const v of this.program.variables) {
        const { name, kind, dtype, shape, frozen } = v;
        if (kind !== "param" && kind !== "state") continue;
        all.push({ name, kind, dtype, shape, frozen, values: decode(v, await this.#backend.read(v)) });
      }
      return all;
    });

  counters = (): Promise<Readonly<Record<string, number>>> =>
    this.#enqueue(async () => {
      const counters = this.program.variables.filter((v) => v.kind === "counter");
      const values = await Promise.all(counters.map(async (v) => decode(v, await this.#backend.read(v))[0]!));
      return Object.fromEntries(counters.map((v, i) => [v.name, values[i]!]));
    });

  save = (): Promise<Uint8Array<ArrayBuffer>> =>
    this.#enqueue(() =>
      this.#file(
        this.program.variables.filter((v) => v.saved && (v.kind === "param" || v.kind === "state")),
        { producer: "dlm", content: "weights", program: this.program.name },
      ),
    );

  checkpoint = (): Promise<Uint8Array<ArrayBuffer>> =>
    this.#enqueue(() => {
      const { variables, name } = this.program;
      return this.#file(variables, { producer: "dlm", content: "checkpoint", program: name });
    });

  dispose = (): Promise<void> => {
    this.#disposed ??= this.#tail.then(() => this.#backend.dispose());
    return this.#disposed;
  };

  async #call(name: EntryName, inputs: Inputs): Promise<Record<string, OutputValues>> {
    const [entry, encoded] = encodeInputs(this.#entries(name), inputs);
    await this.#prepare(name);
    for (const [field, bytes] of encoded) this.#backend.write(field, bytes);
    // Stale even if the step fails half-way: parameters may have moved.
    if (name === "step") this.#prepared = "stale";
    await this.#backend.run(entry.name);
    const values = await Promise.all(entry.outputs.map((f) => this.#backend.read(f)));
    return Object.fromEntries(entry.outputs.map((f, i) => [f.name, decode(f, values[i]!)]));
  }

  /** A step reads only what frozen parameters prepared, which stays true once made. */
  async #prepare(before: EntryName): Promise<void> {
    if (!this.#has("prepare") || this.#prepared === "ready" || (before === "step" && this.#prepared === "stale")) return;
    await this.#backend.run("prepare");
    this.#prepared = "ready";
  }

  async #file(variables: readonly Variable[], metadata: Readonly<Record<string, string>>): Promise<Uint8Array<ArrayBuffer>> {
    const entries: Entry[] = [];
    const training = metadata.content === "checkpoint";
    for (const v of variables) {
      const data = await this.#backend.read(training ? v : (this.#averageOf(v) ?? v));
      entries.push({ name: training ? checkpointName(v) : v.name, dtype: fileTypeOf[v.dtype], shape: v.shape, data });
    }
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

  #enqueue<T>(call: () => Promise<T>): Promise<T> {
    if (this.#disposed) return Promise.reject(new DlmError("disposed", `${this.program.name} is used after dispose()`));
    const done = this.#tail.then(call);
    this.#tail = done.catch(() => undefined);
    return done;
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
