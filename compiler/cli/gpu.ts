/** WebGPU outside a browser: the optional package `webgpu`. */
import { fail } from "../../ir/diagnostic.ts";
import type { GpuSource } from "../../runtime/gpu-types.ts";

/**
 * Switches of Dawn that are off here. Browsers round the device's clock; it may be read as it is. And the zeros that workgroup memory
 * begins with: software drivers spell out a store for each where Vulkan is asked for them, which makes loading five times slower
 * than the loop that Dawn writes otherwise.
 */
export const dawnWithout = ["timestamp_quantization", "use_vulkan_zero_initialize_workgroup_memory_extension"];

const driver =
  "without a graphics card, a software driver works too: Debian's package chromium brings SwiftShader, " +
  "VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json and XDG_RUNTIME_DIR=/tmp (any folder of yours)";

/** `navigator.gpu`, or what the package gives; fails where neither finds a GPU. */
export async function gpuSource(): Promise<GpuSource> {
  const gpu = (globalThis.navigator as { gpu?: GpuSource } | undefined)?.gpu ?? (await fromPackage());
  if (!(await gpu.requestAdapter())) fail("target", "WebGPU finds no GPU here", null, { help: driver });
  return gpu;
}

async function fromPackage(): Promise<GpuSource> {
  try {
    const { create } = await import("webgpu");
    return create([`disable-dawn-features=${dawnWithout.join(",")}`]) as unknown as GpuSource;
  } catch {
    return fail("target", "there is no WebGPU here: the package `webgpu` is not installed", null, { help: `npm i webgpu; ${driver}` });
  }
}
