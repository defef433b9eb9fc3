/** What is said of the limits of a device: tensors that were cut because of them, and kernels that cannot keep to them. */

import { fail } from "../ir/diagnostic.ts";
import { type Excess, type Limits, limitsOf, type ProfileName, profileNames, profiles } from "../ir/limits.ts";
import type { Lowered, Value } from "../ir/lowered.ts";
import { printType } from "../ir/type.ts";
import { type MemoryModel, tensorBytes } from "./memory/plan.ts";

/** A line for each tensor in parts; those of the arena together. */
export function notesOnParts({ entries }: Lowered, model: MemoryModel): readonly string[] {
  const values = new Set(entries.flatMap((e) => e.calls.flatMap((c) => [...c.inputs, ...c.outputs])));
  const cut = [...values].filter((v) => isCut(v, model));
  const named = new Map(cut.filter((v) => v.home.kind !== "arena").map((v) => [v.name, v]));
  const inner = cut.filter((v) => v.home.kind === "arena").length;
  const most = `a binding has at most ${model.room.part} bytes`;
  return [
    ...[...named.values()].map((v) => `${nameOf(v, model)}: ${most}`),
    ...(inner > 0 ? [`${inner} ${inner === 1 ? "value" : "values"} between kernels in parts: ${most}`] : []),
  ];
}
const isCut = (v: Value, model: MemoryModel): boolean => tensorBytes(v, model).length > 1;
function nameOf(v: Value, model: MemoryModel): string {
  const parts = tensorBytes(v, model);
  const bytes = parts.reduce((n, b) => n + b, 0);
  return `${v.name}, ${printType({ ...v.type, layout: null })}${v.stored ? ` as ${v.stored}` : ""} of ${bytes} bytes, is in ${parts.length} parts`;
}

const meaning: Readonly<Record<keyof Limits, string>> = {
  maxStorageBuffersPerShaderStage: "storage buffers",
  maxStorageBufferBindingSize: "bytes of one binding",
  maxBufferSize: "bytes of one buffer",
  maxComputeWorkgroupStorageSize: "bytes of workgroup memory",
  maxComputeInvocationsPerWorkgroup: "invocations of a workgroup",
  maxComputeWorkgroupSizeX: "invocations of a workgroup along x",
  maxComputeWorkgroupSizeY: "invocations of a workgroup along y",
  maxComputeWorkgroupSizeZ: "invocations of a workgroup along z",
  maxComputeWorkgroupsPerDimension: "workgroups of a dimension",
};
type Given = ProfileName | Partial<Limits> | undefined;

/** `maxBufferSize is 268435456, what every WebGPU device offers`: with who says so. */
function limitInWords(limit: keyof Limits, given: Given): string {
  const source = typeof given === "object" && given[limit] !== undefined ? "given" : typeof given === "string" ? given : "default";
  const says = {
    default: "what every WebGPU device offers",
    compat: 'what `limits` "compat" keeps to',
    desktop: 'what `limits` "desktop" keeps to',
    given: "as given in `limits`",
  } as const;
  return `${limit} is ${limitsOf(given)[limit]}, ${says[source]}`;
}

/** The user's mistake: a kernel that the limits forbid, with what it works on. */
export function refuse({ entry, call, limit, needed }: Excess, { entries }: Lowered, given: Given, model: MemoryModel): never {
  const { kernel, origin, inputs, outputs } = entries.find((e) => e.name === entry)!.calls[call]!;
  const cut = [...new Set([...inputs, ...outputs])].filter((v) => isCut(v, model));
  const notes = cut.map((v) => ({ message: nameOf(v, model), span: null }));
  return fail(
    "limit",
    `${entry} needs ${needed} ${meaning[limit]} (kernel ${kernel}); ${limitInWords(limit, given)}`,
    origin?.span ?? null,
    { notes, help: helpWith(limit, needed, cut.length > 0, given, model) },
  );
}
/** `apart`: a tensor of the kernel is in parts, so that larger bindings help too. */
function helpWith(limit: keyof Limits, needed: number, apart: boolean, given: Given, model: MemoryModel): string {
  const own = typeof given === "object" ? given : {};
  const enough = (p: ProfileName) => profiles[p][limit] >= needed || (apart && profiles[p].maxStorageBufferBindingSize > model.room.part);
  const advice = [
    ...(own[limit] === undefined ? [] : [`a ${limit} of ${needed} or more`]),
    ...(apart && own.maxStorageBufferBindingSize !== undefined ? ["a larger maxStorageBufferBindingSize"] : []),
    ...profileNames
      .filter(enough)
      .slice(0, 1)
      .map((p) => `\`limits\` "${p}" (--limits ${p})`),
    "the target wasm, which has no such limits",
  ];
  return `take ${advice.join(", or ")}`;
}

/** Every part is a buffer, and kernels are cut along them: beyond any device, and hours for the compiler. */
const mostParts = 256;
/** The user's mistake: limits for which tensors would fall to dust. */
export function requireFewParts({ entries }: Lowered, given: Given, model: MemoryModel): void {
  const { maxBufferSize, maxStorageBufferBindingSize } = limitsOf(given);
  const limit = maxBufferSize < maxStorageBufferBindingSize ? "maxBufferSize" : "maxStorageBufferBindingSize";
  for (const { inputs, outputs, origin } of entries.flatMap((e) => e.calls))
    for (const v of [...inputs, ...outputs]) {
      const parts = tensorBytes(v, model);
      if (parts.length <= mostParts) continue;
      const needed = 2 ** Math.ceil(Math.log2((parts.length * parts[0]!) / mostParts));
      const message = `${nameOf(v, model)}, of which a tensor has at most ${mostParts}; ${limitInWords(limit, given)}`;
      fail("limit", message, origin?.span ?? null, { help: helpWith(limit, needed, false, given, model) });
    }
}
