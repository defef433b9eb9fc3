/** Lays all memory out: variables and inputs one after the other, everything that lives within a run in one arena. */

import { invariant } from "../../ir/diagnostic.ts";
import type { VariableKind } from "../../ir/graph/graph.ts";
import type { Space } from "../../ir/kernel/kernel.ts";
import { type Lowered, type LoweredCall, type LoweredEntry, offsetInWhole, type Value, wholeOf } from "../../ir/lowered.ts";
import { partSizes, stacked } from "../../ir/parts.ts";
import type { Call, Entry, Interval, Place, Plan } from "../../ir/plan.ts";
import { bindingOf, type EntryId, type Region } from "../../ir/program.ts";
import { bytesStored, type DType, printType, type Stored, sameType, type TensorType } from "../../ir/type.ts";
import { assignOffsets, type Lifetime, lowerBound } from "./offsets.ts";

export interface MemoryModel {
  /** Alignment of every tensor, bytes. */
  readonly alignment: number;
  readonly bytesPerElement: Readonly<Record<DType, number>>;
  /** Whether a kernel may read and write the same place. */
  readonly inPlace: boolean;
  /** What the region scratch is for. */
  readonly scratch: Extract<Space, "scratch" | "global">;
  /** Most bytes of a page of a region, and of a part of a tensor: larger ones are cut. */
  readonly room: { readonly page: number; readonly part: number };
}
/** Something with memory of its own. */
export interface Resident {
  readonly name: string;
  readonly type: TensorType;
  /** What elements are in memory; absent: what the type says. */
  readonly stored?: Stored;
}
/** An input or output of an entry. */
export interface Border extends Resident {
  readonly entry: EntryId;
}
export interface Residents {
  readonly variables: readonly (Resident & { readonly kind: VariableKind })[];
  /** Entries of one binding share their inputs, by name. */
  readonly inputs: readonly Border[];
  readonly outputs: readonly Border[];
}
export interface Planned {
  readonly plan: Plan;
  readonly variable: (kind: VariableKind, name: string) => Place & Pick<Resident, "stored">;
  readonly input: (entry: EntryId, name: string) => Place;
  readonly output: (entry: EntryId, name: string) => Place;
  readonly constant: (name: string) => Place;
  /** Of a value that lives outside the arena. */
  readonly placeOf: (v: Value, entry: EntryId) => Place;
}

const regionOf: Record<VariableKind, Region> = {
  param: "parameters",
  state: "state",
  slot: "optimizer",
  counter: "optimizer",
  prepared: "prepared",
};

export function planMemory(name: string, lowered: Lowered, residents: Residents, model: MemoryModel): Planned {
  const sizes: Record<Region, number> = {
    control: 0,
    parameters: 0,
    optimizer: 0,
    state: 0,
    prepared: 0,
    io: 0,
    arena: 0,
    scratch: 0,
  };
  const pages: Partial<Record<Region, readonly number[]>> = {};
  const places = new Map<string, readonly Place[]>();
  const types = new Map<string, TensorType>();
  const storage = new Map<string, Stored>();
  const reserve = (key: string, region: Region, r: Resident): void => {
    const known = types.get(key);
    invariant(!known || sameType(known, r.type), `${key} is ${known && printType(known)} and ${printType(r.type)}`);
    if (known) return;
    types.set(key, r.type);
    if (r.stored) storage.set(key, r.stored);
    const parts = partBytes(r, model).map((bytes) => {
      const offset = sizes[region];
      sizes[region] += bytes;
      const starts = pages[region] ?? [0];
      if (sizes[region] - starts.at(-1)! > model.room.page) pages[region] = [...starts, offset];
      return { region, offset };
    });
    places.set(key, parts);
  };
  for (const v of residents.variables) reserve(`variable ${v.kind} ${v.name}`, regionOf[v.kind], v);
  for (const t of lowered.constants) reserve(`constant ${t.name}`, "prepared", t);
  let io = 0;
  const bindings = byBinding(residents);
  // Pages of one binding would cut the tensors of another.
  const isShared = bindings.every(({ inputs, outputs }) => totalBytes([...inputs, ...outputs], model) <= model.room.page);
  for (const { inputs, outputs } of bindings) {
    if (isShared) sizes.io = 0;
    for (const r of inputs) reserve(inputKey(r.entry, r.name), "io", r);
    for (const r of outputs) reserve(outputKey(r.entry, r.name), "io", r);
    io = Math.max(io, sizes.io);
  }
  sizes.io = io;
  const findAll = (key: string): readonly Place[] => {
    const found = places.get(key);
    invariant(found, `${key} has no memory`);
    return found;
  };
  // Parts of what lives outside the arena lie one behind the other.
  const find = (key: string): Place => findAll(key)[0]!;
  const keyOfValue = (v: Value, entry: EntryId): string => {
    invariant(v.home.kind !== "arena" && v.home.kind !== "inside", `${v.name} lives in the arena`);
    return keyOf(v.home, entry);
  };
  const entries = lowered.entries.map((e) => planEntry(e, (v, entry) => findAll(keyOfValue(v, entry)), model));
  sizes.arena = Math.max(0, ...entries.map((e) => e.arenaBytes));
  sizes.scratch = Math.max(0, ...lowered.kernels.map((k) => scratchOf(k.buffers, model)));
  for (const region of ["arena", "scratch"] as const)
    if (sizes[region] > model.room.page) pages[region] = multiples(model.room.page, sizes[region]);
  return {
    plan: { name, kernels: lowered.kernels, entries, sizes, ...(Object.keys(pages).length ? { pages } : {}) },
    variable: (kind, n) => {
      const key = `variable ${kind} ${n}`;
      const stored = storage.get(key);
      return { ...find(key), ...(stored ? { stored } : {}) };
    },
    input: (entry, n) => find(inputKey(entry, n)),
    output: (entry, n) => find(outputKey(entry, n)),
    constant: (n) => find(`constant ${n}`),
    placeOf: (v, entry) => find(keyOfValue(v, entry)),
  };
}
const multiples = (of: number, below: number): number[] => Array.from({ length: Math.ceil(below / of) }, (_, i) => i * of);

const inputKey = (entry: EntryId, name: string) => `input ${bindingOf(entry)} ${name}`;
const outputKey = (entry: EntryId, name: string) => `output ${entry}.${name}`;
function keyOf(home: Exclude<Value["home"], { kind: "arena" | "inside" }>, entry: EntryId): string {
  switch (home.kind) {
    case "variable":
      return `variable ${home.variable} ${home.name}`;
    case "input":
      return inputKey(entry, home.name);
    case "output":
    case "constant":
      return `${home.kind} ${home.name}`;
  }
}
/** Inputs and outputs of one binding live together, those of several never at once. */
function byBinding({ inputs, outputs }: Residents): readonly Pick<Residents, "inputs" | "outputs">[] {
  const numbers = [...new Set([...inputs, ...outputs].map((r) => bindingOf(r.entry)))];
  const of = (borders: readonly Border[], binding: number) => borders.filter((r) => bindingOf(r.entry) === binding);
  return numbers.map((n) => ({ inputs: of(inputs, n), outputs: of(outputs, n) }));
}

const align = (bytes: number, model: MemoryModel) => Math.ceil(bytes / model.alignment) * model.alignment;
type InMemory = Pick<Resident, "type" | "stored">;
/** Bytes of an element. */
export const widthOf = ({ type, stored }: InMemory, model: Pick<MemoryModel, "bytesPerElement">): number =>
  stored ? bytesStored[stored] : model.bytesPerElement[type.dtype];
/** Bytes of each part of a tensor; one where it is not cut. */
export function tensorBytes(t: InMemory, model: MemoryModel): readonly number[] {
  const width = widthOf(t, model);
  return partSizes(t.type.shape, t.type.layout, model.room.part / width, width).map((n) => n * width);
}
/** What they take in memory. */
const partBytes = (t: InMemory, model: MemoryModel): readonly number[] => tensorBytes(t, model).map((n) => align(n, model));
const totalBytes = (residents: readonly Resident[], model: MemoryModel): number =>
  residents.flatMap((r) => partBytes(r, model)).reduce((sum, n) => sum + n, 0);
const scratchOf = (buffers: Lowered["kernels"][number]["buffers"], model: MemoryModel): number => {
  const own = buffers.filter((b) => b.space === model.scratch);
  const sizes = own.flatMap((b) => partSizes(b.shape, b.layout, model.room.part / 4).map((n) => align(n * 4, model)));
  return stacked(sizes, model.room.page).bytes;
};

function planEntry(e: LoweredEntry, residence: (v: Value, entry: EntryId) => readonly Place[], model: MemoryModel): Entry {
  const lives = livesOf(e.calls);
  const shares = model.inPlace ? shareInPlace(e.calls, lives) : new Map<Value, Value>();
  const owners = [...lives.keys()].filter((v) => !shares.has(v));
  const ownerOf = (v: Value): Value => {
    const next = shares.get(v);
    return next ? ownerOf(next) : v;
  };
  const merged = new Map<Value, { first: number; last: number }>();
  for (const [v, l] of lives) {
    const at = merged.get(ownerOf(v));
    merged.set(ownerOf(v), at ? { first: Math.min(at.first, l.first), last: Math.max(at.last, l.last) } : { ...l });
  }
  const pieces = owners.flatMap((v) => partBytes(v, model).map((bytes) => ({ v, life: { ...merged.get(v)!, bytes } satisfies Lifetime })));
  const lifetimes = pieces.map((p) => p.life);
  const assigned = assignOffsets(lifetimes, model.room.page);
  const offsets = new Map<Value, number[]>(owners.map((v) => [v, []]));
  pieces.forEach(({ v }, i) => {
    offsets.get(v)!.push(assigned.offsets[i]!);
  });
  const placesOf = (v: Value): readonly Place[] => {
    const whole = wholeOf(v);
    if (whole.home.kind !== "arena") return residence(v, e.name);
    const inside = offsetInWhole(v) * widthOf(v, model);
    return offsets.get(ownerOf(whole))!.map((offset) => ({ region: "arena", offset: offset + inside }));
  };
  const calls = e.calls.map(
    (c): Call => ({ kernel: c.kernel, args: [...c.inputs, ...c.outputs].flatMap(placesOf), origin: c.origin, flops: c.flops }),
  );
  const intervals = [...lives].flatMap(([v, l]) => {
    const sizes = tensorBytes(v, model);
    return placesOf(v).map(
      ({ offset }, i): Interval => ({
        name: sizes.length > 1 ? `${v.name}[${i}]` : v.name,
        bytes: sizes[i]!,
        ...(v.stored ? { stored: v.stored } : {}),
        first: l.first,
        last: l.last,
        offset,
      }),
    );
  });
  return { name: e.name, calls, intervals, arenaBytes: assigned.bytes, lowerBound: lowerBound(lifetimes) };
}

/** First and last call that touches each value of the arena, or one inside it. */
function livesOf(calls: readonly LoweredCall[]): Map<Value, { readonly first: number; readonly last: number }> {
  const lives = new Map<Value, { first: number; last: number }>();
  calls.forEach((c, i) => {
    for (const v of [...c.outputs, ...c.inputs].map(wholeOf)) {
      if (v.home.kind !== "arena") continue;
      const l = lives.get(v);
      if (l) l.last = i;
      else lives.set(v, { first: i, last: i });
    }
  });
  return lives;
}
/** Results that take the place of an operand which dies in the same call. */
function shareInPlace(
  calls: readonly LoweredCall[],
  lives: ReadonlyMap<Value, { readonly first: number; readonly last: number }>,
): Map<Value, Value> {
  const shares = new Map<Value, Value>();
  calls.forEach((c, i) => {
    const taken = new Set<Value>();
    c.outputs.forEach((to, n) => {
      if (to.home.kind !== "arena" || lives.get(to)!.first !== i) return;
      const from = c.inPlace[n]!.find((v) => v.home.kind === "arena" && lives.get(v)!.last === i && !taken.has(v));
      if (!from) return;
      taken.add(from);
      shares.set(to, from);
    });
  });
  return shares;
}
