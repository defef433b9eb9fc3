/** The way there: what is written waits for the call that needs it, which takes it along; what is much goes ahead in parts. */
import type { Field, Program } from "../../ir/program.ts";
import { scoped } from "./device.ts";
import { type Buffers, bytesOn, fieldSpans, mostAtOnce, toStored } from "./memory.ts";
import { nudged } from "./staging.ts";

export interface Writing {
  /** `bytes` are read by the next call. */
  readonly add: (field: Field, bytes: Uint8Array) => void;
  /** Writes what is too much to take along, and waits until the device has it. */
  readonly ahead: () => Promise<void>;
  /** Writes all that waits. Asks the device without waiting. */
  readonly rest: () => void;
}
interface Waiting {
  readonly field: Field;
  readonly bytes: Uint8Array;
}

export function writer(program: Program, device: GPUDevice, buffers: Buffers): Writing {
  // By place: of calls that failed, nothing stays but the last.
  const waiting = new Map<string, Waiting>();
  const all = () => pieces(buffers, waiting.values());
  return {
    add: (field, bytes) => {
      const key = `${field.region} ${field.offset}`;
      waiting.delete(key);
      waiting.set(key, { field, bytes });
    },
    ahead: async () => {
      const total = [...waiting.values()].reduce((n, { field }) => n + bytesOn(field), 0);
      if (total <= mostAtOnce) return;
      for (const part of inParts(all())) await writeNow(program, device, part);
      waiting.clear();
    },
    rest: () => {
      for (const piece of all()) write(device, piece);
      waiting.clear();
    },
  };
}

/** `bytes` of `data` from `at` on, and where they go. */
interface Piece {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly data: Uint8Array<ArrayBuffer>;
  readonly at: number;
  readonly bytes: number;
}
const write = ({ queue }: GPUDevice, { buffer, offset, data, at, bytes }: Piece): void =>
  queue.writeBuffer(buffer, offset, data, at, bytes);

async function writeNow(program: Program, device: GPUDevice, part: readonly Piece[]): Promise<void> {
  const { accepted } = scoped(program, device, () => {
    for (const piece of part) write(device, piece);
    // What was written is done with when what was submitted behind it is.
    device.queue.submit([]);
  });
  await Promise.all([accepted, nudged(device, device.queue.onSubmittedWorkDone())]);
}

/** None with more than `mostAtOnce` bytes. */
function* pieces(buffers: Buffers, waiting: Iterable<Waiting>): Generator<Piece> {
  for (const { field, bytes: given } of waiting) {
    const data = toStored(field, given);
    for (const { buffer, offset, at, bytes } of fieldSpans(buffers, field))
      for (let from = 0; from < bytes; from += mostAtOnce)
        yield { buffer, offset: offset + from, data, at: at + from, bytes: Math.min(mostAtOnce, bytes - from) };
  }
}
function* inParts(all: Iterable<Piece>): Generator<readonly Piece[]> {
  let [part, bytes]: [Piece[], number] = [[], 0];
  for (const piece of all) {
    if (bytes + piece.bytes > mostAtOnce) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(piece);
    bytes += piece.bytes;
  }
  yield part;
}
