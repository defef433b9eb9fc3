/** Which text of a shader runs: that for subgroups where the device has them, of sizes that fit. */
import { expect, test } from "vitest";
import type { Program, SubgroupSizes } from "../../ir/program.ts";
import {
  type AnyGpuDevice,
  artefactOf,
  type GpuSource,
  gpuNeeds,
  type LoadOptions,
  load,
  programFromArtefact,
} from "../../runtime/index.ts";
import { programOf, x, y } from "./fixtures.ts";
import { dispatch, gpu, kernel, onGpu, ownDevice, spying, wgsl } from "./webgpu-fixtures.ts";

const output = "var<storage, read_write> y: array<f32, 4>";
/** Gives 1, and with subgroups 2, for these sizes. */
function program(sizes: SubgroupSizes): Program {
  const [plain, other] = [kernel("k", [output], "y[i] = 1.0;"), kernel("k", [output], "y[i] = subgroupMax(2.0);")];
  const shader = { ...plain, subgroups: { ...sizes, code: `enable subgroups;\n${other.code}` } };
  const code = wgsl([shader], { forward: [dispatch(0, [["io", y.offset, 16]], 4)] });
  return programOf(
    { ...code, optionalFeatures: ["subgroups"] },
    { entries: [{ name: "forward", inputs: [x], outputs: [y] }], variables: [] },
  );
}
async function ran(p: Program, options: LoadOptions): Promise<"plain" | "subgroups"> {
  const net = await load(p, options);
  const { y: values } = await net.run({ x: [0, 0, 0, 0] });
  await net.dispose();
  expect([1, 2]).toContain(values![0]);
  return values![0] === 2 ? "subgroups" : "plain";
}
const adapter = async () => (await gpu.requestAdapter()) as GPUAdapter;
/** An adapter with other features, and devices that tell other sizes. */
function posing({ features, sizes }: { readonly features?: readonly string[]; readonly sizes?: object }) {
  const { source, requested } = spying();
  const posed: GpuSource = {
    requestAdapter: async () => {
      const real = (await source.requestAdapter()) as GPUAdapter;
      const requestDevice = async (d: GPUDeviceDescriptor) => {
        const device = await real.requestDevice(d);
        if (sizes) Object.defineProperty(device, "adapterInfo", { value: sizes });
        return device;
      };
      return { limits: real.limits, features: features ? new Set(features) : real.features, requestDevice };
    },
  };
  return { source: posed, requested };
}
const has = await adapter().then((a) => a?.features.has("subgroups") === true);
/** Those of SwiftShader are of four. */
const withGroups = has ? onGpu : test.skip;

withGroups("the device is asked for subgroups, and tells their sizes", async () => {
  const { source, requested } = posing({});
  const info = (await ownDevice()).adapterInfo;
  const [least, most] = [info.subgroupMinSize!, info.subgroupMaxSize!];
  expect(await ran(program({ least, most }), { gpu: source })).toBe("subgroups");
  expect(requested.map((d) => d.requiredFeatures)).toEqual([["subgroups"]]);
  expect(await ran(program({ least: 4, most: 128 }), { gpu: source })).toBe("subgroups");
  expect(await ran(program({ least: 2 * least, most: 128 }), { gpu: source })).toBe("plain");
});
onGpu.each<readonly [string, object, "plain" | "subgroups"]>([
  ["larger than a workgroup", { subgroupMinSize: 32, subgroupMaxSize: 128 }, "plain"],
  ["smaller than is worth it", { subgroupMinSize: 4, subgroupMaxSize: 32 }, "plain"],
  ["that fit", { subgroupMinSize: 8, subgroupMaxSize: 64 }, has ? "subgroups" : "plain"],
  ["that it does not tell", {}, "plain"],
])("a device with subgroups %s", async (_, sizes, text) => {
  expect(await ran(program({ least: 8, most: 64 }), { gpu: posing({ sizes }).source })).toBe(text);
});
onGpu("an adapter without the feature is not asked for it", async () => {
  const { source, requested } = posing({ features: [] });
  expect(await ran(program({ least: 4, most: 128 }), { gpu: source })).toBe("plain");
  expect(requested.map((d) => d.requiredFeatures)).toEqual([[]]);
});
withGroups("a device of the caller's has what it was requested with", async () => {
  const p = program({ least: 4, most: 128 });
  const [plain, able] = [await (await adapter()).requestDevice(gpuNeeds(p)), await adapter().then((a) => a.requestDevice(gpuNeeds(p, a)))];
  expect(await ran(p, { gpuDevice: plain })).toBe("plain");
  expect(await ran(p, { gpuDevice: able })).toBe("subgroups");
  for (const device of [plain, able]) device.destroy();
});
test("what a device is requested with: optional features only where the adapter has them", () => {
  const p = program({ least: 4, most: 128 });
  const offering = (...features: string[]): Pick<AnyGpuDevice, "features"> => ({ features: new Set(features) });
  expect(gpuNeeds(p)).toEqual({ requiredLimits: {}, requiredFeatures: [] });
  expect(gpuNeeds(p, offering("shader-f16"))).toEqual({ requiredLimits: {}, requiredFeatures: [] });
  expect(gpuNeeds(p, offering("subgroups", "shader-f16")).requiredFeatures).toEqual(["subgroups"]);
});
test("both texts are part of the artefact", async () => {
  const p = program({ least: 8, most: 64 });
  const files = artefactOf(p);
  const read = async (name: string) => new TextEncoder().encode(files[name] as string);
  expect(await programFromArtefact(JSON.parse(files["net.json"] as string), read)).toEqual(p);
  const damaged = String(files["net.wgsl.json"]).replace('"least": 8', '"least": "8"');
  const manifest = JSON.parse(files["net.json"] as string);
  await expect(programFromArtefact(manifest, async () => new TextEncoder().encode(damaged))).rejects.toThrow("shaders[0].subgroups.least");
});
