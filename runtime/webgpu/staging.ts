/** The way back: buffers that the host may map, kept for the next run. */
import { usage } from "./memory.ts";

const mapModeRead = 0x1;
/** Larger ones are rare, and not kept. */
const mostKept = 16 * 2 ** 20;
/** A run may begin while so many before it are still being read. */
const mostInFlight = 3;

export interface Staging {
  /** At least so many bytes. */
  readonly take: (bytes: number) => GPUBuffer;
  /** Resolves to what `read` makes of the mapped bytes, which are gone afterwards. */
  readonly read: <T>(buffer: GPUBuffer, bytes: number, read: (mapped: ArrayBuffer) => T) => Promise<T>;
  /** Resolves when a run may begin. */
  readonly ready: () => Promise<void>;
  readonly dispose: () => void;
}

export function stagingRing(device: GPUDevice): Staging {
  const free: GPUBuffer[] = [];
  const reading = new Set<Promise<unknown>>();
  const put = (buffer: GPUBuffer): void => {
    if (buffer.size > mostKept) buffer.destroy();
    else free.push(buffer);
    if (free.length > mostInFlight + 1) free.shift()!.destroy();
  };
  const map = async <T>(buffer: GPUBuffer, bytes: number, read: (mapped: ArrayBuffer) => T): Promise<T> => {
    try {
      await nudged(device, buffer.mapAsync(mapModeRead, 0, bytes));
    } catch (e) {
      // There may never have been memory behind it.
      buffer.destroy();
      throw e;
    }
    try {
      return read(buffer.getMappedRange(0, bytes));
    } finally {
      buffer.unmap();
      put(buffer);
    }
  };
  return {
    take: (bytes) => {
      const size = roundUp(bytes);
      const i = free.findIndex((b) => b.size === size);
      return i >= 0 ? free.splice(i, 1)[0]! : device.createBuffer({ label: "staging", size, usage: usage.mapRead | usage.copyDst });
    },
    read: (buffer, bytes, read) => {
      const result = map(buffer, bytes, read);
      const settled: Promise<unknown> = result.then(noValue, noValue).then(() => reading.delete(settled));
      reading.add(settled);
      return result;
    },
    ready: async () => {
      while (reading.size >= mostInFlight) await Promise.race(reading);
    },
    dispose: () => {
      for (const buffer of free.splice(0)) buffer.destroy();
    },
  };
}
const noValue = (): void => undefined;

/** Few sizes, so that runs of different entries find each other's buffers. */
const roundUp = (bytes: number): number => (bytes > mostKept ? bytes : Math.max(256, 2 ** Math.ceil(Math.log2(bytes))));

/**
 * Firefox looks for finished work every 100 ms, and whenever something is submitted (gfx-rs/wgpu issue 6660): nothing is
 * submitted again and again while it works. Elsewhere waiting is all there is to do.
 */
export async function nudged(device: GPUDevice, work: Promise<unknown>): Promise<void> {
  if (/Firefox/.test(globalThis.navigator?.userAgent ?? "")) {
    let done = false;
    const settled = work.then(noValue, noValue).then(() => {
      done = true;
    });
    while (!done) {
      device.queue.submit([]);
      await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, 1))]);
    }
  }
  await work;
}
