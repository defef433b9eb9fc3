/** A plan as WGSL: shaders, equal ones once, and the dispatches of each entry. */
import { invariant } from "../../ir/diagnostic.ts";
import { bufferElements } from "../../ir/kernel/address.ts";
import type { Buffer, Kernel } from "../../ir/kernel/kernel.ts";
import type { Call, Place, Plan } from "../../ir/plan.ts";
import type { Code, Dispatch } from "../../ir/program.ts";
import { isBound, isShared } from "../effects.ts";
import { alignUp, storageBytes, tensorAlignment } from "../target.ts";
import { printShader, type Shader } from "./shader.ts";
import { splitDispatches } from "./split.ts";

export type WgslCode = Omit<Extract<Code, { kind: "wgsl" }>, "kind">;

export interface WgslOptions {
  /** The runtime shall measure what each call takes. */
  readonly profile?: boolean;
}

export function emitWgsl(plan: Plan, { profile = false }: WgslOptions = {}): WgslCode {
  const { shaders, add } = shaderTable(plan);
  for (const k of plan.kernels) {
    const { bytes } = globalOffsets(k);
    invariant(bytes <= plan.sizes.scratch, `${k.name} keeps ${bytes} bytes, the plan has ${plan.sizes.scratch}`);
  }
  const kernels = new Map(plan.kernels.map((k) => [k.name, splitDispatches(k)]));
  const originals = new Map(plan.kernels.map((k) => [k.name, k]));
  const all: Shader[] = [];
  const entries = plan.entries.map(({ name, calls }) => {
    const dispatches = calls.map((call): Dispatch[] => {
      const kernel = originals.get(call.kernel);
      invariant(kernel, `${name} calls ${call.kernel}, which the plan does not have`);
      const places = placesOf(kernel, call);
      return kernels.get(call.kernel)!.map((part) => {
        const { index, shader } = add(part, places);
        all.push(shader);
        const bindings = shader.bindings.map(({ buffer, bytes }) => ({ ...places.get(buffer)!, bytes }));
        return { shader: index, bindings, workgroups: shader.workgroups };
      });
    });
    return [name, dispatches] as const;
  });
  const byId = <T>(of: (calls: readonly Dispatch[][]) => T) => Object.fromEntries(entries.map(([name, calls]) => [name, of(calls)]));
  const measured = profile ? { features: ["timestamp-query"], calls: byId((calls) => calls.map((dispatches) => dispatches.length)) } : {};
  return { shaders, entries: byId((calls) => calls.flat()), limits: limitsOf(plan, all), ...measured };
}

/** Where each buffer of a call is; what two calls bind alike, they bind to equal shaders. */
function placesOf(kernel: Kernel, call: Call): ReadonlyMap<string, Place> {
  const buffers = kernel.buffers.filter(isBound);
  invariant(buffers.length === call.args.length, `${kernel.name} has ${buffers.length} buffers and is called with ${call.args.length}`);
  for (const { region, offset } of call.args)
    invariant(offset % tensorAlignment.wgsl === 0, `${kernel.name}: ${region}+${offset} is not aligned to ${tensorAlignment.wgsl} bytes`);
  const places = buffers.map((b, i) => ({ ...call.args[i]!, name: b.name, bytes: bytesOf(b) }));
  for (const a of places) {
    // The same place is bound once; a device refuses bindings that overlap otherwise.
    const other = places.find((b) => b.region === a.region && b.offset > a.offset && b.offset < a.offset + a.bytes);
    invariant(!other, `${kernel.name}: ${a.name} and ${other?.name} overlap`);
  }
  const own = globalOffsets(kernel).offsets.map(([name, offset]): [string, Place] => [name, { region: "scratch", offset }]);
  return new Map([...places.map(({ name, region, offset }): [string, Place] => [name, { region, offset }]), ...own]);
}
const bytesOf = (b: Buffer): number => bufferElements(b) * storageBytes.wgsl[b.type];
/** Where a kernel keeps what one grid loop leaves for the next: kernels run one after the other, so that all may have the same place. */
export function globalOffsets(k: Kernel): { readonly offsets: readonly (readonly [string, number])[]; readonly bytes: number } {
  let bytes = 0;
  const offsets = k.buffers
    .filter((b) => b.space === "global")
    .map((b) => {
      const offset = bytes;
      bytes += alignUp(bytesOf(b), tensorAlignment.wgsl);
      return [b.name, offset] as const;
    });
  return { offsets, bytes };
}

/** Prints each kernel once for every way in which its buffers coincide. */
function shaderTable(plan: Plan) {
  const shaders: { name: string; code: string }[] = [];
  const byText = new Map<string, number>();
  const printed = new Map<string, { readonly index: number; readonly shader: Shader }>();
  const add = (k: Kernel, places: ReadonlyMap<string, Place>) => {
    const shared = k.buffers.filter(isShared);
    const at = (name: string) => places.get(name)!;
    const groups = new Map(
      shared.map((b) => [
        b.name,
        shared.find((x) => at(x.name).region === at(b.name).region && at(x.name).offset === at(b.name).offset)!.name,
      ]),
    );
    const key = [k.name, ...groups.values()].join(" ");
    const known = printed.get(key);
    if (known) return known;
    const shader = printShader(k, (name) => groups.get(name) ?? name);
    const index = byText.get(shader.code) ?? shaders.push({ name: k.name, code: shader.code }) - 1;
    byText.set(shader.code, index);
    const made = { index, shader };
    printed.set(key, made);
    return made;
  };
  invariant(new Set(plan.kernels.map((k) => k.name)).size === plan.kernels.length, `${plan.name}: two kernels have one name`);
  return { shaders, add };
}

/** What devices offer without being asked. */
const defaults = {
  maxStorageBuffersPerShaderStage: 8,
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxBufferSize: 256 * 2 ** 20,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256,
  maxComputeWorkgroupSizeZ: 64,
} as const;
type Limit = keyof typeof defaults;

function limitsOf(plan: Plan, shaders: readonly Shader[]): Record<string, number> {
  const most = (f: (s: Shader) => number) => shaders.reduce((m, s) => Math.max(m, f(s)), 0);
  const needed: Record<Limit, number> = {
    maxStorageBuffersPerShaderStage: most((s) => s.bindings.length),
    maxStorageBufferBindingSize: most((s) => s.bindings.reduce((m, b) => Math.max(m, b.bytes), 0)),
    maxBufferSize: Math.max(...Object.values(plan.sizes)),
    maxComputeWorkgroupStorageSize: most((s) => s.workgroupBytes),
    maxComputeInvocationsPerWorkgroup: most((s) => s.workgroupSize.reduce((n, x) => n * x, 1)),
    maxComputeWorkgroupSizeX: most((s) => s.workgroupSize[0]),
    maxComputeWorkgroupSizeY: most((s) => s.workgroupSize[1]),
    maxComputeWorkgroupSizeZ: most((s) => s.workgroupSize[2]),
  };
  return Object.fromEntries(Object.entries(needed).filter(([name, n]) => n > defaults[name as Limit]));
}
