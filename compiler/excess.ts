/** What is said of the limits of a device: tensors that were cut because of them, and kernels that cannot keep to them. */

import { fail } from "../ir/diagnostic.ts";
import { type Excess, type Limits, profileNames, profiles } from "../ir/limits.ts";
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
const isCut = (v: Value, model: MemoryModel): boolean => tensorBytes(v.type, model).length > 1;
function nameOf(v: Value, model: MemoryModel): string {
  const parts = tensorBytes(v.type, model);
  const bytes = parts.reduce((n, b) => n + b, 0);
  return `${v.name}, ${printType({ ...v.type, layout: null })} of ${bytes} bytes, is in ${parts.length} parts`;
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
/** The user's mistake: a kernel that the limits forbid, with what it works on. */
export function refuse({ entry, call, limit, needed }: Excess, { entries }: Lowered, limits: Limits, model: MemoryModel): never {
  const { kernel, origin, inputs, outputs } = entries.find((e) => e.name === entry)!.calls[call]!;
  const cut = [...new Set([...inputs, ...outputs])].filter((v) => isCut(v, model));
  const notes = cut.map((v) => ({ message: nameOf(v, model), span: null }));
  const larger = profileNames.filter(
    (p) => profiles[p][limit] > limits[limit] || profiles[p].maxStorageBufferBindingSize > model.room.part,
  );
  const advice = [...larger.map((p) => `\`limits\` "${p}" (--limits ${p})`), "the target wasm, which has no such limits"];
  return fail(
    "limit",
    `${entry} needs ${needed} ${meaning[limit]} (kernel ${kernel}), ${limit} is ${limits[limit]}`,
    origin?.span ?? null,
    {
      notes,
      help: `take ${advice.join(", or ")}`,
    },
  );
}
