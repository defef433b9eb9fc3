/** A plan as WGSL: shaders, equal ones once, and the dispatches of each entry. */
import { invariant } from "../../ir/diagnostic.ts";
import { bufferElements } from "../../ir/kernel/address.ts";
import type { Buffer, Kernel } from "../../ir/kernel/kernel.ts";
import { beyond, type Excess, type Limits, profiles, roomOf } from "../../ir/limits.ts";
import { stacked } from "../../ir/parts.ts";
import type { Call, Place, Plan } from "../../ir/plan.ts";
import { type Code, type Dispatch, type EntryId, regions, type Shader as ShaderText, type SubgroupSizes } from "../../ir/program.ts";
import { isBound, isShared } from "../effects.ts";
import { alignUp, elementBytes, tensorAlignment } from "../target.ts";
import { printShader, type Shader } from "./shader.ts";
import { splitDispatches } from "./split.ts";
import { withoutSubgroups, withSubgroups } from "./subgroups.ts";

export type WgslCode = Omit<Extract<Code, { kind: "wgsl" }>, "kind">;

export interface WgslOptions {
  /** The runtime shall measure what each call takes. */
  readonly profile?: boolean;
  readonly limits?: Limits;
  /** Texts for devices with subgroups, beside those for all; default true. */
  readonly subgroups?: boolean;
  /** Called for every dispatch that goes beyond the limits; what it needs is declared all the same. */
  readonly onExcess?: (excess: Excess) => void;
}
export function emitWgsl(plan: Plan, options: WgslOptions = {}): WgslCode {
  const { profile = false, limits = profiles.default, subgroups = true, onExcess } = options;
  const { page } = roomOf(limits);
  const { shaders, add } = shaderTable(plan, limits);
  for (const k of plan.kernels) {
    const { bytes } = globalOffsets(k, page);
    invariant(bytes <= plan.sizes.scratch, `${k.name} keeps ${bytes} bytes, the plan has ${plan.sizes.scratch}`);
  }
  const kernels = new Map(plan.kernels.map((k) => [k.name, dispatchesOf(k, subgroups)]));
  const originals = new Map(plan.kernels.map((k) => [k.name, k]));
  const all: Shader[] = [];
  const check = (shader: Shader, entry: EntryId, call: number): void => {
    for (const [name, needed] of Object.entries(neededBy([shader])))
      if (needed > limits[name as keyof Limits]) onExcess?.({ entry, call, limit: name as keyof Limits, needed });
  };
  const entries = plan.entries.map(({ name, calls }) => {
    const dispatches = calls.map((call, i): Dispatch[] => {
      const kernel = originals.get(call.kernel);
      invariant(kernel, `${name} calls ${call.kernel}, which the plan does not have`);
      const places = placesOf(kernel, call, page);
      return kernels.get(call.kernel)!.map((part) => {
        const { index, shader } = add(part, places);
        all.push(shader);
        check(shader, name, i);
        const bindings = shader.bindings.map(({ buffer, bytes }) => ({ ...places.get(buffer)!, bytes }));
        return { shader: index, bindings, workgroups: shader.workgroups };
      });
    });
    return [name, dispatches] as const;
  });
  const byId = <T>(of: (calls: readonly Dispatch[][]) => T) => Object.fromEntries(entries.map(([name, calls]) => [name, of(calls)]));
  const measured = profile ? { calls: byId((calls) => calls.map((dispatches) => dispatches.length)) } : {};
  const hasHalves = plan.kernels.some((k) => k.buffers.some((b) => b.stored));
  const features = [...(hasHalves ? ["shader-f16"] : []), ...(profile ? ["timestamp-query"] : [])];
  const needed = { ...neededBy(all), maxBufferSize: largestPage(plan) };
  const more = {
    ...(plan.pages ? { pages: plan.pages } : {}),
    ...(features.length ? { features } : {}),
    ...(shaders.some((s) => s.subgroups) ? { optionalFeatures: ["subgroups"] } : {}),
    ...measured,
  };
  return { shaders, entries: byId((calls) => calls.flat()), limits: beyond(needed, profiles.compat), ...more };
}

/** What one dispatch does, and the same with subgroups, if that is another way. */
interface Part {
  readonly kernel: Kernel;
  readonly grouped: { readonly kernel: Kernel; readonly sizes: SubgroupSizes } | null;
}
function dispatchesOf(k: Kernel, subgroups: boolean): readonly Part[] {
  const plain = splitDispatches(withoutSubgroups(k));
  const other = subgroups ? withSubgroups(k) : null;
  const grouped = other && splitDispatches(other.kernel);
  return plain.map((kernel, i) => ({ kernel, grouped: grouped && { kernel: grouped[i]!, sizes: other.sizes } }));
}

/** Where each buffer of a call is; what two calls bind alike, they bind to equal shaders. */
function placesOf(kernel: Kernel, call: Call, page: number): ReadonlyMap<string, Place> {
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
  const own = globalOffsets(kernel, page).offsets.map(([name, offset]): [string, Place] => [name, { region: "scratch", offset }]);
  return new Map([...places.map(({ name, region, offset }): [string, Place] => [name, { region, offset }]), ...own]);
}
const bytesOf = (b: Buffer): number => bufferElements(b) * elementBytes(b, "wgsl");
/**
 * Where a kernel keeps what one grid loop leaves for the next: kernels run one after the other, so that all may have the same place.
 * No buffer lies across a multiple of `page`.
 */
export function globalOffsets(
  k: Kernel,
  page = Number.POSITIVE_INFINITY,
): { readonly offsets: readonly (readonly [string, number])[]; readonly bytes: number } {
  const own = k.buffers.filter((b) => b.space === "global");
  const { offsets, bytes } = stacked(
    own.map((b) => alignUp(bytesOf(b), tensorAlignment.wgsl)),
    page,
  );
  return { offsets: own.map((b, i) => [b.name, offsets[i]!] as const), bytes };
}

/** Prints each dispatch of a kernel once for every way in which its buffers coincide. Names tell them apart: those of kernels have no dots. */
function shaderTable(plan: Plan, { maxComputeWorkgroupsPerDimension }: Limits) {
  const shaders: ShaderText[] = [];
  const byText = new Map<string, number>();
  const printed = new Map<string, { readonly index: number; readonly shader: Shader }>();
  const add = ({ kernel: k, grouped }: Part, places: ReadonlyMap<string, Place>) => {
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
    const print = (kernel: Kernel) => printShader(kernel, (name) => groups.get(name) ?? name, maxComputeWorkgroupsPerDimension);
    const shader = print(k);
    const other = grouped && variantOf(shader, print(grouped.kernel), grouped.sizes);
    const text = other ? `${shader.code}${other.code}` : shader.code;
    const index = byText.get(text) ?? shaders.push({ name: k.name, code: shader.code, ...(other ? { subgroups: other } : {}) }) - 1;
    byText.set(text, index);
    const made = { index, shader };
    printed.set(key, made);
    return made;
  };
  invariant(new Set(plan.kernels.map((k) => k.name)).size === plan.kernels.length, `${plan.name}: two kernels have one name`);
  invariant(!plan.kernels.some((k) => k.name.includes(".")), `${plan.name}: a kernel has a dot in its name`);
  return { shaders, add };
}

/** null: the text is the same. */
function variantOf(plain: Shader, shader: Shader, sizes: SubgroupSizes): ShaderText["subgroups"] | null {
  if (shader.code === plain.code) return null;
  const same = (["bindings", "workgroups", "workgroupSize", "workgroupBytes"] as const).every(
    (what) => JSON.stringify(shader[what]) === JSON.stringify(plain[what]),
  );
  invariant(same, `with subgroups another dispatch is needed:\n${shader.code}`);
  return { ...sizes, code: shader.code };
}

/** What dispatches need of a device. */
function neededBy(shaders: readonly Shader[]): Omit<Limits, "maxBufferSize"> {
  const most = (f: (s: Shader) => number) => shaders.reduce((m, s) => Math.max(m, f(s)), 0);
  return {
    maxStorageBuffersPerShaderStage: most((s) => s.bindings.length),
    maxStorageBufferBindingSize: most((s) => s.bindings.reduce((m, b) => Math.max(m, b.bytes), 0)),
    maxComputeWorkgroupStorageSize: most((s) => s.workgroupBytes),
    maxComputeInvocationsPerWorkgroup: most((s) => s.workgroupSize.reduce((n, x) => n * x, 1)),
    maxComputeWorkgroupSizeX: most((s) => s.workgroupSize[0]),
    maxComputeWorkgroupSizeY: most((s) => s.workgroupSize[1]),
    maxComputeWorkgroupSizeZ: most((s) => s.workgroupSize[2]),
    maxComputeWorkgroupsPerDimension: most((s) => Math.max(...s.workgroups)),
  };
}
const largestPage = ({ sizes, pages }: Plan): number =>
  Math.max(
    ...regions.flatMap((r) => {
      const starts = pages?.[r] ?? [0];
      return starts.map((start, i) => (starts[i + 1] ?? sizes[r]) - start);
    }),
  );
