/** One call: inputs, entries and the way back of outputs in one encoder, which is submitted once. */
import { type EntryId, entryOf, type Field, type Program } from "../../ir/program.ts";
import type { GpuBuffer, Picture } from "../gpu-types.ts";
import type { GpuCall, GpuOutputs } from "../session.ts";
import { type Clock, timesName } from "./clock.ts";
import { type Suspects, scoped } from "./device.ts";
import { isPlace, type Place, targetsOf } from "./given.ts";
import { type Buffers, bytesOn, fieldSpans, fromStored, mostAtOnce, type Span, usage } from "./memory.ts";
import type { Pictures } from "./pictures.ts";
import type { Staging } from "./staging.ts";
import { encodeSteps, type Steps } from "./steps.ts";
import type { Writing } from "./writing.ts";

/** All that a program has on its device. */
export interface Machine {
  readonly program: Program;
  readonly device: GPUDevice;
  /** Why the device is lost; null: it is not. */
  readonly lost: () => string | null;
  readonly buffers: Buffers;
  /** Those made so far, by id. */
  readonly steps: Readonly<Record<string, Steps>>;
  readonly make: (entries: readonly EntryId[]) => Promise<void>;
  /** Null: the program was not compiled to be measured. */
  readonly clock: Clock | null;
  readonly staging: Staging;
  readonly writing: Writing;
  readonly pictures: () => Promise<Pictures>;
}

/** Runs entries and reads outputs. `issued` is called when all that the call asks of the device is in its queue, see `issue`. */
export async function runToHost(m: Machine, call: GpuCall, issued: () => void): Promise<readonly Uint8Array<ArrayBuffer>[]> {
  const pictures = await picturesFor(m, call);
  await m.staging.ready();
  const parts = inParts(call.outputs.map((f) => readOf(m, call, f)));
  const results: (readonly Uint8Array<ArrayBuffer>[])[] = [];
  for (const [i, reads] of parts.entries()) {
    const { values, accepted } = submit(m, i === 0 ? call : nothing, reads, pictures);
    if (i === parts.length - 1) issue(i === 0 ? call : nothing, accepted, issued);
    const [found] = await Promise.all([values, accepted]);
    if (reads.length === 0) refuseLost(m);
    results.push(found);
  }
  return results.flat();
}
const nothing: GpuCall = { entries: [], sources: [], outputs: [] };
/**
 * Later calls need what `prepare` leaves, and a step whose buffers are refused is none: such calls are issued when the device has
 * accepted them, if it does.
 */
function issue(call: GpuCall, accepted: Promise<void>, issued: () => void): void {
  if (call.entries.some((id) => entryOf(id) === "prepare") || givenFor(call).length) void accepted.then(issued, () => undefined);
  else issued();
}
/** `outputs`: those that go to buffers of the caller's. */
function suspectsOf({ steps }: Machine, call: GpuCall, outputs: readonly Field[] = []): Suspects | null {
  const names = [...givenFor(call), ...outputs.map((f) => f.name)];
  const inOne = call.entries.every((id) => (steps[id]?.pipelines.length ?? 0) <= (steps[id]?.submitted ?? 0));
  return names.length ? { names, nothingRan: inOne } : null;
}
/** Inputs that are buffers of the caller's. */
const givenFor = ({ sources }: GpuCall): readonly string[] => sources.flatMap(([f, { given }]) => (isPlace(given) ? [f.name] : []));

/** Runs entries and copies outputs to buffers: those given, or new ones. */
export async function runToBuffers(m: Machine, call: GpuCall, to: GpuOutputs, issued: () => void): Promise<Record<string, GpuBuffer>> {
  const outputs = call.outputs.filter((f) => f.name !== timesName);
  const given = to === "gpu" ? null : targetsOf(m.program, outputs, to);
  const wanted = given ? outputs.filter((f) => given.has(f)) : outputs;
  const pictures = await picturesFor(m, call);
  const { device } = m;
  const { value, accepted } = scoped(
    m.program,
    device,
    () => {
      const encoder = encodeCall(m, device.createCommandEncoder(), call, pictures);
      const targets = wanted.map((f): Place => given?.get(f) ?? { buffer: outputBuffer(device, f), offset: 0 });
      for (const [i, f] of wanted.entries())
        for (const { buffer, offset, at, bytes } of fieldSpans(m.buffers, f))
          encoder.copyBufferToBuffer(buffer, offset, targets[i]!.buffer, targets[i]!.offset + at, bytes);
      device.queue.submit([encoder.finish()]);
      return targets;
    },
    suspectsOf(m, call, given ? wanted : []),
  );
  issue(call, accepted, issued);
  try {
    await accepted;
    refuseLost(m);
  } catch (e) {
    if (!given) for (const { buffer } of value) buffer.destroy();
    throw e;
  }
  return Object.fromEntries(wanted.map((f, i) => [f.name, value[i]!.buffer]));
}
/** Devices that are lost have nothing against anything: where nothing is read back, only this tells. */
function refuseLost({ lost }: Machine): void {
  const why = lost();
  if (why !== null) throw new Error(why);
}
const outputBuffer = (device: GPUDevice, f: Field): GPUBuffer =>
  device.createBuffer({ label: f.name, size: bytesOn(f), usage: usage.storage | usage.copySrc | usage.copyDst });

async function picturesFor(m: Machine, { sources }: GpuCall): Promise<Pictures | null> {
  const fields = sources.flatMap(([field, { given }]) => (isPlace(given) ? [] : [field]));
  if (fields.length === 0) return null;
  const pictures = await m.pictures();
  for (const field of fields) await pictures.open(field);
  return pictures;
}

/** The encoder to go on with: where work is long, parts of it are submitted before. */
function encodeCall(m: Machine, first: GPUCommandEncoder, { entries, sources }: GpuCall, pictures: Pictures | null): GPUCommandEncoder {
  m.writing.rest();
  for (const [field, { given }] of sources)
    if (isPlace(given)) copyIn(m, first, field, given);
    else pictures?.write(first, field, given as readonly Picture[]);
  return entries.reduce((encoder, entry) => encodeEntry(m, encoder, entry), first);
}
function copyIn({ buffers }: Machine, encoder: GPUCommandEncoder, field: Field, given: Place): void {
  for (const { buffer, offset, at, bytes } of fieldSpans(buffers, field))
    encoder.copyBufferToBuffer(given.buffer, given.offset + at, buffer, offset, bytes);
}

function encodeEntry({ steps, clock, device }: Machine, first: GPUCommandEncoder, entry: EntryId): GPUCommandEncoder {
  const all = steps[entry];
  const count = all?.pipelines.length ?? 0;
  let encoder = first;
  for (let from = 0; all && from < count; from += all.submitted) {
    if (from > 0) {
      device.queue.submit([encoder.finish()]);
      encoder = device.createCommandEncoder();
    }
    const to = Math.min(count, from + all.submitted);
    if (clock) {
      clock.encode(encoder, all, from, to);
    } else {
      const pass = encoder.beginComputePass();
      encodeSteps(pass, all, from, to);
      pass.end();
    }
  }
  return encoder;
}

/* ---- the way back ---------------------------------------------------------------------------------------------------- */

interface Read {
  readonly bytes: number;
  /** Where the bytes are, once the encoder so far has run. */
  readonly from: (encoder: GPUCommandEncoder) => readonly Span[];
  readonly decode: (stored: ArrayBuffer) => Uint8Array<ArrayBuffer>;
}
function readOf({ buffers, clock, steps }: Machine, { entries }: GpuCall, field: Field): Read {
  const entry = entries.at(-1);
  if (clock && entry !== undefined && field.name === timesName) {
    const dispatches = steps[entry]!.pipelines.length;
    return {
      bytes: 16 * dispatches,
      from: (encoder) => [{ buffer: clock.resolve(encoder, dispatches), offset: 0, at: 0, bytes: 16 * dispatches }],
      decode: (stored) => clock.times(entry, stored),
    };
  }
  return {
    bytes: bytesOn(field),
    from: () => fieldSpans(buffers, field),
    decode: (stored) => fromStored(field, stored),
  };
}

function inParts(reads: readonly Read[]): Read[][] {
  const parts: Read[][] = [[]];
  let bytes = 0;
  for (const read of reads) {
    if (bytes > 0 && bytes + read.bytes > mostAtOnce) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)!.push(read);
    bytes += alignUp(read.bytes);
  }
  return parts;
}
/** Mapped ranges begin at multiples of eight bytes. */
const alignUp = (bytes: number): number => Math.ceil(bytes / 8) * 8;

interface Submitted {
  readonly values: Promise<readonly Uint8Array<ArrayBuffer>[]>;
  readonly accepted: Promise<void>;
}
function submit(m: Machine, call: GpuCall, reads: readonly Read[], pictures: Pictures | null): Submitted {
  const { device, staging } = m;
  const bytes = reads.reduce((n, r) => n + alignUp(r.bytes), 0);
  const { value, accepted } = scoped(
    m.program,
    device,
    () => {
      const encoder = encodeCall(m, device.createCommandEncoder(), call, pictures);
      const back = bytes > 0 ? staging.take(bytes) : null;
      try {
        if (back) copyBack(encoder, reads, back);
        device.queue.submit([encoder.finish()]);
      } catch (e) {
        back?.destroy();
        throw e;
      }
      return back;
    },
    suspectsOf(m, call),
  );
  const values = value ? staging.read(value, bytes, (mapped) => slices(reads, mapped)) : Promise.resolve([]);
  return { values, accepted };
}
function copyBack(encoder: GPUCommandEncoder, reads: readonly Read[], back: GPUBuffer): void {
  let at = 0;
  for (const { bytes, from } of reads) {
    for (const span of from(encoder))
      if (span.bytes > 0) encoder.copyBufferToBuffer(span.buffer, span.offset, back, at + span.at, span.bytes);
    at += alignUp(bytes);
  }
}
/** Each in memory of its own: callers may hand one on and keep the others. */
function slices(reads: readonly Read[], mapped: ArrayBuffer): readonly Uint8Array<ArrayBuffer>[] {
  let at = 0;
  return reads.map(({ bytes, decode }) => {
    const stored = mapped.slice(at, at + bytes);
    at += alignUp(bytes);
    return decode(stored);
  });
}
