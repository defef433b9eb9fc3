/** The reference target: runs lowered entries with the kernel interpreter, in double precision; only parts share memory with others. */
import { interpret } from "../ir/kernel/interpret.ts";
import type { Kernel } from "../ir/kernel/kernel.ts";
import { elementsIn } from "../ir/layout.ts";
import { type Lowered, type LoweredEntry, offsetInWhole, type Value, wholeOf } from "../ir/lowered.ts";
import type { Place } from "../ir/plan.ts";
import type { Backend, EntryId, Field } from "../ir/program.ts";
import type { DType } from "../ir/type.ts";

type Cells = Float64Array | Int32Array | Uint8Array;
const cells: Record<DType, (n: number) => Cells> = {
  f32: (n) => new Float64Array(n),
  i32: (n) => new Int32Array(n),
  u8: (n) => new Uint8Array(n),
  bool: (n) => new Uint8Array(n),
};
/** `placeOf` gives the planned place of what lives outside the arena. */
export function referenceBackend(lowered: Lowered, placeOf: (v: Value, entry: EntryId) => Place): Backend {
  const kernels = new Map(lowered.kernels.map((k) => [k.name, k]));
  const resident = new Map<string, Cells>();
  // Inputs and outputs of several bindings share places: each has cells of its own here.
  const memory = ({ region, offset }: Place, dtype: DType, n: number): Cells => {
    const key = `${region}+${offset} ${dtype} ${n}`;
    const known = resident.get(key) ?? cells[dtype](n);
    resident.set(key, known);
    return known;
  };
  const cellsOf = (f: Field): Cells => memory(f, f.dtype, elementsIn(f.shape, null));
  const run = ({ name, calls }: LoweredEntry): void => {
    const arena = new Map<Value, Cells>();
    const at = (v: Value): Cells => {
      if (v.home.kind === "inside") return at(wholeOf(v)).subarray(offsetInWhole(v));
      const n = elementsIn(v.type.shape, v.type.layout);
      if (v.home.kind !== "arena") return memory(placeOf(v, name), v.type.dtype, n);
      const known = arena.get(v) ?? cells[v.type.dtype](n);
      arena.set(v, known);
      return known;
    };
    for (const c of calls) interpretCall(kernels.get(c.kernel)!, [...c.inputs, ...c.outputs].map(at));
  };
  const read = (field: Field): Uint8Array<ArrayBuffer> => {
    const from = cellsOf(field);
    return new Uint8Array((field.dtype === "f32" ? Float32Array.from(from) : from.slice()).buffer as ArrayBuffer);
  };
  return {
    write: (field, bytes) => {
      const to = cellsOf(field);
      const aligned = bytes.slice().buffer;
      to.set(field.dtype === "f32" ? new Float32Array(aligned) : field.dtype === "i32" ? new Int32Array(aligned) : new Uint8Array(aligned));
    },
    run: async (entries, outputs) => {
      for (const entry of entries) run(lowered.entries.find((e) => e.name === entry)!);
      return outputs.map(read);
    },
    dispose: () => resident.clear(),
  };
}
function interpretCall(k: Kernel, args: readonly Cells[]): void {
  const external = k.buffers.filter((b) => b.space === "in" || b.space === "out" || b.space === "inout");
  const memory: Record<string, Cells> = {};
  external.forEach((b, i) => {
    memory[b.name] = args[i]!;
  });
  interpret(k, memory, "double");
}
