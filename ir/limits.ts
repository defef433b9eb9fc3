/** What a device offers: limits of WebGPU by the names that it has for them, as far as programs come near them. */
import type { EntryId } from "./program.ts";

export interface Limits {
  readonly maxStorageBuffersPerShaderStage: number;
  /** Bytes of one binding. */
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupSizeX: number;
  readonly maxComputeWorkgroupSizeY: number;
  readonly maxComputeWorkgroupSizeZ: number;
  readonly maxComputeWorkgroupsPerDimension: number;
}
export const profileNames = ["default", "compat", "desktop"] as const;
export type ProfileName = (typeof profileNames)[number];

const mebibyte = 2 ** 20;
/** What every device offers unasked: section "Limits" of the WebGPU specification. */
const everywhere: Limits = {
  maxStorageBuffersPerShaderStage: 8,
  maxStorageBufferBindingSize: 128 * mebibyte,
  maxBufferSize: 256 * mebibyte,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256,
  maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupsPerDimension: 65535,
};
export const profiles: Readonly<Record<ProfileName, Limits>> = {
  default: everywhere,
  /**
   * The specification's compatibility mode, for devices with OpenGL ES 3.1 or Direct3D 11 (gpuweb/gpuweb, proposals/
   * compatibility-mode.md, "Lower limits"). Compute shaders have eight storage buffers there too, since other stages got
   * limits of their own (gpuweb/gpuweb issue 5103).
   */
  compat: { ...everywhere, maxComputeInvocationsPerWorkgroup: 128, maxComputeWorkgroupSizeX: 128, maxComputeWorkgroupSizeY: 128 },
  /**
   * Desktop GPUs, integrated ones too: tiers that browsers report limits in (google/dawn, src/dawn/native/Limits.cpp). A program
   * asks only for what it needs of them.
   */
  desktop: {
    ...everywhere,
    maxStorageBuffersPerShaderStage: 10,
    maxStorageBufferBindingSize: 2 ** 31 - 4,
    maxBufferSize: 2 ** 31,
    maxComputeWorkgroupStorageSize: 32768,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
    maxComputeWorkgroupSizeY: 1024,
  },
};

/** By name, or the default ones with some replaced. */
export const limitsOf = (option: ProfileName | Partial<Limits> = "default"): Limits =>
  typeof option === "string" ? profiles[option] : { ...everywhere, ...option };

/** Of what a program needs: what is beyond `offered`. */
export const beyond = (needed: Readonly<Record<string, number>>, offered: Limits): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(needed).filter(([name, n]) => n > offered[name as keyof Limits]));

/** A limit that a call of an entry would need to be higher. */
export interface Excess {
  readonly entry: EntryId;
  readonly call: number;
  readonly limit: keyof Limits;
  readonly needed: number;
}

/** Bindings begin at multiples of so many bytes (`minStorageBufferOffsetAlignment`). */
export const bindingAlignment = 256;
/** Bytes of an element in buffers of a GPU, whatever its type, unless it is stored as something else. */
export const wordBytes = 4;
/** Bytes of the largest buffer, and of the largest piece of one that a kernel can be given. */
export interface Room {
  readonly page: number;
  readonly part: number;
}
export function roomOf({ maxBufferSize, maxStorageBufferBindingSize }: Limits): Room {
  const aligned = (bytes: number) => Math.floor(bytes / bindingAlignment) * bindingAlignment;
  return { page: aligned(maxBufferSize), part: aligned(Math.min(maxBufferSize, maxStorageBufferBindingSize)) };
}
