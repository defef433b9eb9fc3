/** Devices: opened with what a program declares and nothing more, watched, and asked what went wrong. */
import type { Program } from "../../ir/program.ts";
import { DlmError, fail, messageOf } from "../errors.ts";
import type { AnyGpuDevice, GpuSource } from "../gpu-types.ts";
import type { WgslCode } from "./code.ts";

export interface Opened {
  readonly device: GPUDevice;
  /** Not the caller's. */
  readonly owned: boolean;
  /** The adapter's owner, which must outlive the device. */
  readonly source: GpuSource | null;
}

export async function openDevice(program: Program, code: WgslCode, source: GpuSource | undefined): Promise<Opened> {
  const gpu = source ?? (globalThis.navigator?.gpu as GpuSource | undefined);
  const otherwise = `What runs everywhere is ${program.name} compiled to wasm; given programs for both, load chooses`;
  if (!gpu)
    return fail(
      "unsupported",
      `there is no WebGPU here: navigator.gpu is missing (browsers offer it to pages from https and localhost; options.gpu takes an object like it). ${otherwise}`,
    );
  const adapter = await findAdapter(gpu).catch((e) => fail("unsupported", `WebGPU fails to look for a GPU: ${messageOf(e)}`, e));
  if (!adapter) return fail("unsupported", `WebGPU finds no GPU: there is none, or its driver is not trusted. ${otherwise}`);
  requireOffered(program, code, "this GPU", adapter);
  try {
    const { features = [], optionalFeatures = [] } = code;
    const requiredFeatures = [...features, ...optionalFeatures.filter((f) => adapter.features.has(f))] as GPUFeatureName[];
    const device = await adapter.requestDevice({ label: program.name, requiredLimits: code.limits, requiredFeatures });
    return { device, owned: true, source: gpu };
  } catch (e) {
    return fail("unsupported", `WebGPU gives no device for ${program.name}: ${messageOf(e)}`, e);
  }
}

/** Devices of WebGPU's compatibility mode run programs that are compiled for its limits. */
export async function findAdapter(gpu: GpuSource): Promise<GPUAdapter | null> {
  const options = { powerPreference: "high-performance" } as const;
  const adapter = (await gpu.requestAdapter(options)) ?? (await gpu.requestAdapter({ ...options, featureLevel: "compatibility" }));
  return adapter as GPUAdapter | null;
}

/** The caller's device, if it has what the program needs. */
export function shareDevice(program: Program, code: WgslCode, given: AnyGpuDevice): Opened {
  requireOffered(program, code, "the device given as gpuDevice", given, "request it with what gpuNeeds(program) gives");
  return { device: given as unknown as GPUDevice, owned: false, source: null };
}

type Offer = Pick<AnyGpuDevice, "limits" | "features">;
function requireOffered(program: Program, { limits, features = [] }: WgslCode, what: string, offer: Offer, help?: string): void {
  const offered = offer.limits as Readonly<Record<string, number | undefined>>;
  const short = Object.entries(limits).filter(([name, needed]) => lacks(name, needed, offered[name]));
  const missing = features.filter((f) => !offer.features.has(f));
  const problems = [
    ...short.map(([name, needed]) => `${name} is ${offered[name] ?? "unknown"}${help ? " as requested" : ""}, the program needs ${needed}`),
    ...missing.map((f) => `it has no feature ${f}`),
  ];
  if (problems.length === 0) return;
  const ways = [
    ...(help ? [help] : []),
    ...(short.length && !help
      ? [
          'compile it with limits "default", or "compat" for devices of the compatibility mode (dlm --limits compat), or with those of this GPU',
        ]
      : []),
    ...missing.map((f) => without[f] ?? `compile it without ${f}`),
    "compile it to wasm",
  ];
  const larger = short.length && !help ? ", which was compiled with limits that not every device has" : "";
  fail("unsupported", `${what} cannot run ${program.name}${larger}: ${problems.join("; ")}. What helps: ${ways.join(", or ")}`);
}
/** What a program is compiled with that needs a feature. */
const without: Readonly<Record<string, string>> = {
  "timestamp-query": "compile it without profile",
  "shader-f16": 'compile it with storage "f32" (option storage, of dlm --storage)',
};
/** Alignments are better when smaller, all other limits when larger. */
const lacks = (name: string, needed: number, offered: number | undefined): boolean =>
  offered === undefined || (name.startsWith("min") ? offered > needed : offered < needed);

export interface Health {
  /** Why the device is lost; null: it is not. */
  readonly lost: () => string | null;
  /** Fails when the device is lost or has reported an error that no call has taken. */
  readonly check: () => void;
  /** The error of what the device did not finish; `lossText`: what its loss means there. */
  readonly failure: (what: string, error: unknown, lossText?: string) => Promise<DlmError>;
  readonly end: () => void;
}
/** `program` names who asks, in messages. Errors of a shared device that are not of its calls stay the caller's. */
export function watch(program: string, { device, owned }: Opened): Health {
  let lost: string | null = null;
  let problem: string | null = null;
  let ended = false;
  const told = device.lost.then(({ reason, message }) => {
    if (!ended) lost = [reason ?? "unknown", message].filter((t) => t).join(": ");
  });
  if (owned)
    device.onuncapturederror = (e) => {
      e.preventDefault();
      problem ??= e.error.message;
    };
  const error = (text: string, cause?: unknown) => new DlmError("device", `${program}: ${text}`, cause);
  const loss = () => `the GPU device was lost (${lost})`;
  return {
    lost: () => lost,
    check: () => {
      if (lost !== null) throw error(loss());
      if (problem !== null) throw error(`a GPU error, after which results are not to be trusted (load again): ${problem}`);
    },
    failure: async (what, e, lossText = "during a call, which gives nothing") => {
      if (e instanceof DlmError && e.code !== "device") return e;
      // What was under way may fail before the device says that it is lost.
      await Promise.race([told, new Promise((resolve) => setTimeout(resolve, 100))]);
      if (lost !== null) return error(`${loss()} ${lossText}`, e);
      return e instanceof DlmError ? e : error(`${what}: ${messageOf(e)}`, e);
    },
    end: () => {
      ended = true;
    },
  };
}

const kinds = ["out-of-memory", "internal", "validation"] as const;
/**
 * What `work` gives, and a promise that fails with what the device has against it. `work` asks the device without waiting, so
 * that the errors found are its own, also where others use the device.
 */
export function scoped<T>(
  program: Program,
  device: GPUDevice,
  work: () => T,
  suspects: Suspects | null = null,
): { readonly value: T; readonly accepted: Promise<void> } {
  for (const kind of kinds) device.pushErrorScope(kind);
  const popped = (): Promise<(GPUError | null)[]> => Promise.all(kinds.map(() => device.popErrorScope()));
  try {
    const value = work();
    const accepted = popped().then((errors) => refuse(program, suspects, errors));
    // Where something else fails first, nobody asks.
    accepted.catch(() => undefined);
    return { value, accepted };
  } catch (e) {
    popped().catch(() => undefined);
    throw e;
  }
}
/** In the order in which scopes end: innermost first. */
function refuse(program: Program, suspects: Suspects | null, [validation, internal, memory]: readonly (GPUError | null)[]): void {
  if (memory) fail("memory", `the GPU has no memory for ${program.name}, ${needs(program)}: ${memory.message.trim()}`);
  const error = validation ?? internal;
  const text = () => `a GPU error: ${error?.message.trim()}`;
  if (validation && suspects) {
    const { names, nothingRan } = suspects;
    const which = names.length === 1 ? `the GPUBuffer for ${names[0]}` : `one of the buffers given for ${names.join(", ")}`;
    fail(nothingRan ? "input" : "device", `${which} is destroyed, mapped or of another device: ${text()}`);
  }
  if (error) fail("device", `the GPU refuses ${program.name}: ${text()}`);
}
/** Inputs and outputs whose buffers the caller gave, which is where an error of validation comes from. */
export interface Suspects {
  readonly names: readonly string[];
  /** All of the call is one submit, which the device takes or refuses as a whole. */
  readonly nothingRan: boolean;
}
const needs = ({ sizes }: Program): string =>
  `which takes ${Math.ceil(Object.values(sizes).reduce((a, b) => a + b, 0) / 2 ** 20)} MiB (a smaller batch takes less)`;
