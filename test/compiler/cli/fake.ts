/**
 * A compiler that knows one model: a line y = w x + b, with mean squared error and plain gradient descent. The runtime
 * around it is the real one, so that commands can be tested without the stages in between.
 */
import type { Toolchain } from "../../../compiler/cli/toolchain.ts";
import type { CompileOptions, Stages } from "../../../compiler/compile.ts";
import type { Module } from "../../../compiler/frontend/module.ts";
import type { Backend, Dims, EntryId, Field, Program, Region, Signature, Variable } from "../../../ir/program.ts";
import { load } from "../../../runtime/index.ts";

export interface FakeOptions {
  /** The batch does not follow the options. */
  readonly fixedBatch?: number;
  /** No inputs at all: the step moves w towards 3. */
  readonly withoutData?: boolean;
  readonly learningRate?: number;
  /** The parameter b is frozen in name. */
  readonly frozen?: boolean;
  /** Sees the options of every compilation. */
  readonly onCompile?: (options: OneBinding) => void;
}

/** Commands that train compile one binding. */
export type OneBinding = CompileOptions & { readonly dims?: Dims };

export const fakeToolchain = (fake: FakeOptions = {}): Toolchain => ({
  load,
  compileStages: async (_source, given = {}) => {
    const options = given as OneBinding;
    fake.onCompile?.(options);
    const batch = fake.fixedBatch ?? options.dims?.N ?? options.batch ?? 1;
    const training = { seed: null, name: options.trainBlock ?? "Line" };
    const dims = { N: batch, ...options.dims };
    const module = { batch: fake.fixedBatch ? null : "N", dims, warnings: [], sources: new Map(), training } as unknown as Module;
    return { module, bindings: [{ module }], program: lineProgram(batch, fake, options.train ?? false) } as unknown as Stages;
  },
});

const region: Region = "parameters";
const field = (name: string, shape: readonly number[], offset: number): Field => ({ name, dtype: "f32", shape, region: "io", offset });
const variable = (name: string, kind: Variable["kind"], dtype: Field["dtype"], offset: number): Variable => ({
  name,
  kind,
  dtype,
  shape: [],
  region,
  offset,
  saved: kind === "param",
  frozen: false,
});

function lineProgram(batch: number, fake: FakeOptions, train: boolean): Program {
  const [x, y] = [field("x", [batch], 0), field("y", [batch], 4 * batch)];
  const outputs = [field("loss", [], 8 * batch), field("error", [], 8 * batch + 4)];
  const given = fake.withoutData ? [] : [x, y];
  const logits = field("logits", [1, batch], 8 * batch + 8);
  const forward: Signature = { name: "forward", inputs: fake.withoutData ? [] : [x], outputs: [logits] };
  const trained: Signature[] = (["step", "evaluate"] as const).map((name) => ({ name, inputs: given, outputs }));
  const bytes = { control: 0, parameters: 64, optimizer: 0, state: 0, prepared: 0, io: 16 * batch + 64, arena: 0, scratch: 0 };
  return {
    format: "dlm",
    version: 1,
    name: "Line",
    doc: null,
    target: "reference",
    entries: [{ name: "init", inputs: [], outputs: [] }, forward, ...(train ? trained : [])],
    variables: [
      variable("w", "param", "f32", 0),
      { ...variable("b", "param", "f32", 4), frozen: fake.frozen ?? false },
      variable("seed", "counter", "i32", 8),
    ],
    sizes: bytes,
    code: { kind: "host", start: () => lineBackend(batch, fake) },
    stats: { parameters: 2, flops: 2 * batch, arenaBytes: 0, lowerBoundBytes: 0, codeBytes: 0 },
  };
}

function lineBackend(batch: number, { withoutData, learningRate = 0.1 }: FakeOptions): Backend {
  const memory: Record<string, Uint8Array<ArrayBuffer>> = { parameters: new Uint8Array(64), io: new Uint8Array(16 * batch + 64) };
  const io = new Float32Array(memory.io!.buffer);
  const parameters = new Float32Array(memory.parameters!.buffer);
  const seed = new Int32Array(memory.parameters!.buffer, 8, 1);
  const [loss, error, logits] = [2 * batch, 2 * batch + 1, 2 * batch + 2];
  const measure = (): readonly [number, number] => {
    let [dw, db, sum, off] = [0, 0, 0, 0];
    for (let i = 0; i < batch; i++) {
      const [x, y] = withoutData ? [1, 3] : [io[i]!, io[batch + i]!];
      const d = parameters[0]! * x + parameters[1]! - y;
      [dw, db, sum, off] = [dw + (2 * d * x) / batch, db + (2 * d) / batch, sum + (d * d) / batch, off + Math.abs(d) / batch];
    }
    io[loss] = sum;
    io[error] = off;
    return [dw, db];
  };
  const entries: Partial<Record<EntryId, () => void>> = {
    init: () => {
      parameters[0] = seed[0]! / 10;
      parameters[1] = 0;
    },
    prepare: () => undefined,
    forward: () => {
      for (let i = 0; i < batch; i++) io[logits + i] = parameters[0]! * (withoutData ? 1 : io[i]!) + parameters[1]!;
    },
    step: () => {
      const [dw, db] = measure();
      parameters[0]! -= learningRate * dw;
      parameters[1]! -= learningRate * db;
    },
    evaluate: () => void measure(),
  };
  return {
    write: (f, bytes) => memory[f.region]!.set(bytes, f.offset),
    run: async (ids, outputs) => {
      for (const id of ids) entries[id]!();
      return outputs.map((f) => memory[f.region]!.slice(f.offset, f.offset + 4 * f.shape.reduce((a, b) => a * b, 1)));
    },
    dispose: () => undefined,
  };
}
