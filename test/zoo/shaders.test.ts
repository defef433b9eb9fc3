/**
 * Every shader of the zoo, of prediction and of training, is valid for two implementations of WGSL, Dawn and naga, and declares
 * what its dispatches bind. All train blocks are there at a small size, and one model of each kind of network at its own, where
 * other schedules are chosen.
 */
import { describe, expect, test } from "vitest";
import type { Shader } from "../../ir/program.ts";
import type { Program } from "../../runtime/index.ts";
import { nullDevice, textsOf, validate } from "../codegen/gpu.ts";
import { openNaga } from "../naga/naga.ts";
import { compileSmall, smalls } from "./smalls.ts";
import { type Choice, compileZoo } from "./support.ts";

type Wgsl = Extract<Program["code"], { kind: "wgsl" }>;

const device = await nullDevice();
const naga = await openNaga();

/** Programs have most shaders in common. */
const seen = new Set<string>();
async function refusals({ code }: Program): Promise<readonly string[]> {
  if (code.kind !== "wgsl") return [`there are no shaders but ${code.kind}`];
  const key = (s: Shader): string => `${s.code}${s.subgroups?.code}`;
  const shaders = code.shaders.filter((s) => !seen.has(key(s)));
  for (const s of shaders) seen.add(key(s));
  const dawn = await validate(device, { ...code, shaders });
  const others = textsOf({ shaders }).flatMap((s) => {
    const why = naga?.(s.code) ?? null;
    return why === null ? [] : [`${s.name}, naga: ${why}\n${s.code}`];
  });
  return [...dawn, ...others, ...mismatches(code)];
}

/** Dispatches whose shaders declare other bindings than they have, or read-only ones. */
function mismatches({ shaders, entries }: Wgsl): readonly string[] {
  const declared = shaders.map(({ code }) => declarations(code));
  return Object.values(entries).flatMap((dispatches) =>
    dispatches.flatMap(({ shader, bindings }) => {
      const [has, wants] = [bindings.map((b) => `read_write ${b.bytes}`).join(", "), declared[shader]!.join(", ")];
      return has === wants ? [] : [`${shaders[shader]!.name} declares ${wants} and is bound to ${has}`];
    }),
  );
}
/** Access and bytes of each binding, in order. */
function declarations(code: string): readonly string[] {
  const found = [...code.matchAll(/@binding\((\d+)\)\s*var<storage(?:, (\w+))?> \w+: array<(?:vec(\d)<)?([fiu])(\d\d)>?, (\d+)>/g)];
  expect(found.length).toBe(code.split("@binding(").length - 1);
  return found
    .map(([, at, access, lanes = "1", , bits, n]) => [Number(at), `${access} ${(Number(lanes) * Number(bits) * Number(n)) / 8}`] as const)
    .sort(([a], [b]) => a - b)
    .map(([, text]) => text);
}

const mark = naga ? "" : " (naga skipped: it is not installed)";
const own: readonly Choice[] = [
  { name: "alexnet", model: "AlexNet", batch: 4 },
  { name: "gpt", model: "GPT", batch: 1, set: { depth: "2" } },
  { name: "mobilenet", model: "MobileNetV2", batch: 2 },
  { name: "resnet", model: "ResNet18", batch: 2 },
  { name: "unet", model: "UNet", batch: 1 },
  { name: "vgg", model: "VGG11", batch: 2 },
];

describe(`shaders are valid${mark}`, () => {
  test.each(Object.entries(smalls))("small %s", async (title, small) => {
    expect(await refusals(await compileSmall(title, { ...small, target: "wgsl" }))).toEqual([]);
  });
  test.each(own)("$model", { timeout: 180_000 }, async (choice) => {
    expect(await refusals(await compileZoo({ ...choice, target: "wgsl", train: true }))).toEqual([]);
  });
});

test.skipIf(!naga)(`what naga refuses is told${mark}`, () => {
  expect(naga!("@compute @workgroup_size(1) fn f() { let x: i32 = 1u; }")).toContain("expected to be `i32`, but got `u32`");
  expect(naga!("enable subgroups;\n@compute @workgroup_size(4) fn f() { let x = subgroupAdd(1.0); }")).toBeNull();
});
