/** The artefact as plain data: all that the runtime knows of the compiler. */
import type { DType, Shape, Stored } from "./type.ts";

/**
 * Where things live. control: words of the runtime and of barriers. parameters, optimizer (slots and counters), state:
 * survive between runs. prepared: made by the entry `prepare`. io: inputs and outputs. arena: everything that lives
 * within one run. scratch: per thread; on WebGPU what kernels keep from one dispatch to the next.
 */
export type Region = "control" | "parameters" | "optimizer" | "state" | "prepared" | "io" | "arena" | "scratch";
export const regions: readonly Region[] = ["control", "parameters", "optimizer", "state", "prepared", "io", "arena", "scratch"];

/**
 * Words of the barrier of a WebAssembly program, in bytes from the start of the region `control`. broken: not 0 once a thread has
 * stopped; nobody waits any more, until the runtime clears it and `arrived`.
 */
export const barrierWords = { arrived: 0, generation: 64, broken: 68, sleepers: 128 } as const;

/** init: initial values from the seed. prepare: what depends on parameters only. forward: predict. step: one micro-batch
 *  forward, backward and update. evaluate: loss and metrics. */
export type EntryName = "init" | "prepare" | "forward" | "step" | "evaluate";
export const entryNames: readonly EntryName[] = ["init", "prepare", "forward", "step", "evaluate"];
/** An entry as compiled for one binding of dimensions: `forward` for the first, `forward_1` for the second. */
export type EntryId = EntryName | `${EntryName}_${number}`;
export const entryId = (name: EntryName, binding: number): EntryId => (binding === 0 ? name : `${name}_${binding}`);
export const entryOf = (id: EntryId): EntryName => id.split("_")[0] as EntryName;
export const bindingOf = (id: EntryId): number => Number(id.split("_")[1] ?? 0);
/** Dimensions by name. */
export type Dims = Readonly<Record<string, number>>;
/** `N=1, T=16`. */
export const printDims = (dims: Dims): string =>
  Object.entries(dims)
    .map(([name, extent]) => `${name}=${extent}`)
    .join(", ");

/** A tensor that the host reads or writes, row-major without padding, at a byte offset of a region. */
export interface Field {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly region: Region;
  readonly offset: number;
  /** Of f32 in programs for WebGPU: what elements are in memory. The host has f32 all the same. */
  readonly stored?: Stored;
  /** For integer inputs that index: values outside are refused. */
  readonly range?: { readonly min: number; readonly max: number };
  readonly doc?: string;
}
export interface Variable extends Field {
  /** As in the graph IR; `prepared` ones do not appear. */
  readonly kind: "param" | "state" | "slot" | "counter";
  /** Part of the saved model (`save`); parameters that only the train block makes are in checkpoints alone. */
  readonly saved: boolean;
  readonly frozen: boolean;
  /** The slot that holds the running average of a parameter: what prediction, evaluation and `save` use in its place. */
  readonly average?: string;
}
/** A table that is part of the program: the runtime writes it once, when the program is loaded. */
export interface Constant extends Omit<Field, "range" | "doc" | "stored"> {
  /** Row-major; a bool is 0 or 1. */
  readonly data: readonly number[];
}
/** What a caller of an entry provides and gets. */
export interface Signature {
  readonly name: EntryId;
  readonly inputs: readonly Field[];
  readonly outputs: readonly Field[];
}
/**
 * One WGSL dispatch: a shader and the places bound to it, in binding order. Shaders declare every binding as
 * `var<storage, read_write>`, of exactly so many bytes.
 */
export interface Dispatch {
  readonly shader: number;
  readonly bindings: readonly { readonly region: Region; readonly offset: number; readonly bytes: number }[];
  readonly workgroups: readonly [number, number, number];
}
/** How many invocations are a subgroup: powers of two. */
export interface SubgroupSizes {
  readonly least: number;
  readonly most: number;
}
export interface Shader {
  readonly name: string;
  readonly code: string;
  /** The same in fewer steps, for devices with the feature `subgroups` whose subgroups all have such sizes. */
  readonly subgroups?: SubgroupSizes & { readonly code: string };
}
export type Code =
  /** One module; it imports memory `env.memory`, functions `env.overdue` (called by a thread that has waited long at a barrier) and,
   *  with `profile`, `env.now`, and exports a function (thread, threads) for each entry, under its id.
   *  `relaxed`: the same with relaxed SIMD. `bases`: byte address of each region. */
  | {
      readonly kind: "wasm";
      readonly module: Uint8Array<ArrayBuffer>;
      readonly relaxed: Uint8Array<ArrayBuffer> | null;
      readonly bases: Readonly<Record<Region, number>>;
      /** Byte address behind the last region, without scratch of further threads. */
      readonly bytes: number;
      /** Position in the file of the memory's limits byte: 1 (maximum) or 3 (shared, maximum). */
      readonly limitsOffset: number;
    }
  | {
      readonly kind: "wgsl";
      readonly shaders: readonly Shader[];
      /** By id. */
      readonly entries: Readonly<Record<string, readonly Dispatch[]>>;
      /** WebGPU limits that the device must offer, as far as not every one does, those of the compatibility mode included. */
      readonly limits: Readonly<Record<string, number>>;
      /** Regions that are several buffers: the offset at which each begins, 0 first. No binding lies in two. */
      readonly pages?: Readonly<Partial<Record<Region, readonly number[]>>>;
      /** WebGPU features that the device must have, such as `shader-f16`; absent: none. */
      readonly features?: readonly string[];
      /** Those that shaders use where the device has them; absent: none. */
      readonly optionalFeatures?: readonly string[];
      /** Of programs compiled with `profile`, by id: how many dispatches each call of the plan has. */
      readonly calls?: Readonly<Record<string, readonly number[]>>;
    }
  /** Runs where the compiler is: the reference interpreter. */
  | { readonly kind: "host"; readonly start: () => Backend };

/** Memory and entries of one loaded program: what a target has to offer to the runtime. */
export interface Backend {
  /** Copies raw bytes in, at the latest when something runs next; u8 and bool are one byte an element here, whatever the target stores. */
  readonly write: (field: Field, bytes: Uint8Array) => void;
  /** Runs entries one after the other, then reads: one journey where the target is a device. */
  readonly run: (entries: readonly EntryId[], outputs: readonly Field[]) => Promise<readonly Uint8Array<ArrayBuffer>[]>;
  readonly dispose: () => void;
}
export interface Program {
  readonly format: "dlm";
  readonly version: 1;
  readonly name: string;
  readonly doc: string | null;
  readonly target: "wasm" | "wgsl" | "reference";
  /** Those of several bindings differ in the length of some input. */
  readonly entries: readonly Signature[];
  /** Named dimensions of the inputs, for each number of an entry; absent: there is one binding. */
  readonly bindings?: readonly Dims[];
  /** Parameters and states in creation order, then slots, then counters. */
  readonly variables: readonly Variable[];
  /** Absent: none. */
  readonly constants?: readonly Constant[];
  readonly sizes: Readonly<Record<Region, number>>;
  readonly code: Code;
  readonly stats: Stats;
}
export interface Stats {
  /** Trainable scalars of the saved model. */
  readonly parameters: number;
  /** Floating-point operations of one forward run, of the first binding; a multiply-add counts two. */
  readonly flops: number;
  readonly arenaBytes: number;
  readonly lowerBoundBytes: number;
  readonly codeBytes: number;
  /** What one run of each entry computes and moves between memory and kernels, by id. */
  readonly work?: Readonly<Record<string, Work>>;
}
export interface Work {
  readonly flops: number;
  readonly bytes: number;
  /** Kernels that run one after the other. */
  readonly calls: number;
}
