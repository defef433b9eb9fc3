/** A tiny trainable model, y = gain * x + bias, as a program on every kind of code. */
import type { Backend, Code, EntryId, Field, Program, Region, Signature, Variable } from "../../ir/program.ts";
import { regions } from "../../ir/program.ts";
import { bytesIn } from "../../runtime/field.ts";

export const n = 4;

export const field = (name: string, region: Region, offset: number, shape: readonly number[] = [], more: Partial<Field> = {}): Field => ({
  name,
  dtype: "f32",
  shape,
  region,
  offset,
  ...more,
});
export const variable = (kind: Variable["kind"], f: Field, more: Partial<Variable> = {}): Variable => ({
  ...f,
  kind,
  saved: kind === "param" || kind === "state",
  frozen: false,
  ...more,
});

/** Offsets are multiples of 256, as WebGPU wants them. */
export const gain = variable("param", field("layer.gain", "parameters", 0, [n]));
export const bias = variable("param", field("layer.bias", "parameters", 256));
export const teacher = variable("param", field("teacher.gain", "parameters", 512, [n]), { saved: false, frozen: true });
export const seen = variable("state", field("layer.seen", "state", 0, [], { dtype: "i32" }));
export const momentum = variable("slot", field("layer.gain.momentum", "optimizer", 0, [n]));
export const seed = variable("counter", field("seed", "optimizer", 256, [], { dtype: "i32" }));
export const updates = variable("counter", field("updates", "optimizer", 512, [], { dtype: "i32" }));
/** The sum of the parameters, made by `prepare`. */
export const total = field("total", "prepared", 0);

export const x = field("x", "io", 0, [n]);
export const y = field("y", "io", 256, [n]);
export const label = field("label", "io", 512, [2], { dtype: "i32", range: { min: 0, max: 9 } });
export const mask = field("mask", "io", 768, [3], { dtype: "bool" });
export const loss = field("loss", "io", 1024);
export const accuracy = field("accuracy", "io", 1280);

export const sizes: Readonly<Record<Region, number>> = {
  control: 256,
  parameters: 768,
  optimizer: 768,
  state: 256,
  prepared: 256,
  io: 1536,
  arena: 256,
  scratch: 256,
};

export const predictEntries: readonly Signature[] = [
  { name: "init", inputs: [], outputs: [] },
  { name: "prepare", inputs: [], outputs: [] },
  { name: "forward", inputs: [x], outputs: [y] },
];
export const trainEntries: readonly Signature[] = [
  ...predictEntries,
  { name: "step", inputs: [x, label], outputs: [loss, accuracy] },
  { name: "evaluate", inputs: [x, label], outputs: [loss, accuracy] },
];

export const programOf = (code: Code, more: Partial<Program> = {}): Program => ({
  format: "dlm",
  version: 1,
  name: "tiny",
  doc: null,
  target: code.kind === "host" ? "reference" : code.kind,
  entries: predictEntries,
  variables: [gain, bias],
  sizes,
  code,
  stats: { parameters: n + 1, flops: 2 * n, arenaBytes: 256, lowerBoundBytes: 256, codeBytes: 0 },
  ...more,
});

/** A host backend that writes down what runs; its arithmetic is the model's. */
export interface Recorder {
  readonly code: Code;
  readonly log: string[];
  readonly memory: Readonly<Record<Region, Uint8Array<ArrayBuffer>>>;
}
export function recorder(): Recorder {
  const memory = Object.fromEntries(regions.map((r) => [r, new Uint8Array(sizes[r])])) as Recorder["memory"];
  const log: string[] = [];
  const floats = (f: Field): Float32Array => new Float32Array(memory[f.region].buffer, f.offset, bytesIn(f) / 4);
  const ints = (f: Field): Int32Array => new Int32Array(memory[f.region].buffer, f.offset, bytesIn(f) / 4);
  const entries: Readonly<Partial<Record<EntryId, () => void>>> = {
    init: () => {
      floats(gain).forEach((_, i, a) => {
        a[i] = ints(seed)[0]! + i;
      });
      floats(momentum).fill(0.5);
    },
    prepare: () => {
      floats(total)[0] = floats(gain).reduce((a, b) => a + b, 0);
    },
    forward: () => {
      const noise = ints(seed)[0]! / 1024;
      floats(y).forEach((_, i, a) => {
        a[i] = floats(gain)[i]! * floats(x)[i]! + floats(bias)[0]! + noise + floats(total)[0]! * 1000;
      });
    },
    step: () => {
      floats(momentum).forEach((_, i, a) => {
        a[i] = Math.fround(0.9 * a[i]! + floats(x)[i]!);
        floats(gain)[i] = Math.fround(floats(gain)[i]! - 0.1 * a[i]!);
      });
      ints(updates)[0]!++;
      ints(seen)[0]! += n;
      entries.evaluate?.();
    },
    evaluate: () => {
      floats(loss)[0] = floats(gain).reduce((a, b) => a + b, 0);
      floats(accuracy)[0] = ints(label)[0]! / 10;
    },
  };
  const place = (f: Field): Uint8Array<ArrayBuffer> => memory[f.region].subarray(f.offset, f.offset + bytesIn(f));
  const backend: Backend = {
    write: (f, bytes) => {
      log.push(`write ${f.name}`);
      place(f).set(bytes);
    },
    run: async (ids, outputs) => {
      for (const id of ids) {
        log.push(`run ${id}`);
        await Promise.resolve();
        entries[id]?.();
      }
      return outputs.map((f) => place(f).slice());
    },
    dispose: () => {
      log.push("dispose");
    },
  };
  return { code: { kind: "host", start: () => backend }, log, memory };
}
export const trainable = (code: Code, more: Partial<Program> = {}): Program =>
  programOf(code, { entries: trainEntries, variables: [gain, bias, seen, momentum, seed, updates], ...more });

/** The error that a call ends with. */
export async function failure(call: () => unknown): Promise<Error> {
  try {
    await call();
  } catch (e) {
    if (e instanceof Error) return e;
  }
  throw new Error("expected an error");
}
