/** Buffers of the caller's, which inputs come from and outputs go to. */
import type { Field, Program } from "../../ir/program.ts";
import { fail } from "../errors.ts";
import { Source, typeOf } from "../field.ts";
import { isBinding, isBuffer } from "../foreign.ts";
import type { AnyGpuBinding, AnyGpuBuffer } from "../gpu-types.ts";
import type { GpuOutputs } from "../session.ts";
import { bytesOn, usage } from "./memory.ts";

/** Where in a buffer something begins. */
export interface Place {
  readonly buffer: GPUBuffer;
  readonly offset: number;
}
export const isPlace = (given: object): given is Place => "buffer" in given;

/** A `Place`. The length is that of the buffer, or of the binding; without one, that of the input where it has one only. */
export function sourceOf(fields: readonly Field[], given: AnyGpuBuffer | AnyGpuBinding): Source {
  const [field] = fields as [Field];
  const { buffer, offset, size } = checked(field, given, "copySrc");
  const lengths = new Set(fields.map(bytesOn));
  if (size === null && lengths.size > 1)
    return fail("input", `${field.name} has several lengths: the part of the GPUBuffer given for it needs a size`);
  if (size === null) requireRoom(field, buffer, offset);
  return new Source({ buffer, offset } satisfies Place, (size ?? bytesOn(field)) / 4);
}

/** Of the outputs that are wanted: those given. */
export function targetsOf({ name }: Program, outputs: readonly Field[], to: Exclude<GpuOutputs, string>): ReadonlyMap<Field, Place> {
  if (typeof to !== "object" || to === null)
    return fail("option", `outputs is ${String(to)}, expected "arrays", "gpu" or an object with a GPUBuffer for each output wanted`);
  const unknown = Object.keys(to).filter((key) => !outputs.some((f) => f.name === key));
  if (unknown.length)
    fail("option", `${name} has no output ${unknown.join(", ")}; its outputs are ${outputs.map((f) => f.name).join(", ")}`);
  const wanted = outputs.filter((f) => to[f.name] !== undefined);
  return new Map(wanted.map((f) => [f, targetOf(f, to[f.name])]));
}
function targetOf(field: Field, given: unknown): Place {
  if (!isBuffer(given) && !isBinding(given)) return fail("option", `outputs.${field.name} is no GPUBuffer`);
  const { buffer, offset, size } = checked(field, given, "copyDst");
  requireRoom(field, buffer, offset, size ?? undefined);
  return { buffer, offset };
}

interface Part extends Place {
  /** In bytes; null: it was not given. */
  readonly size: number | null;
}
const names = { copySrc: "COPY_SRC", copyDst: "COPY_DST" } as const;
/** A part of a buffer that may be copied from or to. */
function checked(field: Field, given: AnyGpuBuffer | AnyGpuBinding, needed: keyof typeof names): Part {
  const whole = isBuffer(given);
  const unknown = whole ? [] : Object.keys(given).filter((name) => !["buffer", "offset", "size"].includes(name));
  if (unknown.length) fail("input", `the part for ${field.name} has ${unknown.join(", ")}, expected buffer, offset and size`);
  const { buffer, offset = 0, size = null } = whole ? { buffer: given, size: given.size } : given;
  if (buffer.mapState !== "unmapped") fail("input", `the GPUBuffer for ${field.name} is mapped: unmap() it first`);
  if ((buffer.usage & usage[needed]) === 0) fail("input", `the GPUBuffer for ${field.name} lacks the usage ${names[needed]}`);
  for (const [name, bytes] of Object.entries(whole ? {} : { offset, size: size ?? 0 }))
    if (!Number.isInteger(bytes) || bytes < 0 || bytes % 4 > 0)
      fail("input", `the ${name} for ${field.name} is ${JSON.stringify(bytes)}, expected a multiple of 4`);
  if (offset + (size ?? 0) > buffer.size) {
    const part = size === null ? `the offset for ${field.name} is ${offset}` : `the part for ${field.name} ends at ${offset + size}`;
    fail("input", `${part}, and its GPUBuffer has ${buffer.size} bytes`);
  }
  return { buffer: buffer as GPUBuffer, offset, size };
}
function requireRoom(field: Field, { size }: GPUBuffer, offset: number, bytes = size - offset): void {
  const what = offset > 0 || bytes < size ? "part of a GPUBuffer" : "GPUBuffer";
  if (bytes < bytesOn(field))
    fail("input", `the ${what} for ${field.name} has ${bytes} bytes, expected ${bytesOn(field)} for ${typeOf(field)}`);
}
