/** Shaders of the zoo that keep tensors as halves are valid: of small models with all tensors in halves, of some at their own size. */
import { describe, expect, test } from "vitest";
import { printShader } from "../../codegen/wgsl/shader.ts";
import { splitDispatches } from "../../codegen/wgsl/split.ts";
import { withoutSubgroups, withSubgroups } from "../../codegen/wgsl/subgroups.ts";
import { compileStages } from "../../compiler/compile.ts";
import { zooFiles } from "../../compiler/prelude/text.ts";
import { wgslKernelPasses } from "../../compiler/schedule/passes.ts";
import { inHalves } from "../../compiler/storage.ts";
import { requireSound } from "../../ir/kernel/verify.ts";
import { artefactOf, programFromArtefact } from "../../runtime/index.ts";
import { nullDevice, validate } from "../codegen/gpu.ts";
import { openNaga } from "../naga/naga.ts";
import { smalls } from "./smalls.ts";
import { type Choice, compileZoo } from "./support.ts";

const device = await nullDevice();
const naga = await openNaga();
const mark = naga ? "" : " (naga skipped: it is not installed)";

/** One of each kind. */
const kinds = ["mlp MLP", "lenet LeNet5", "resnet ResNet50", "mobilenet MobileNetV2", "unet UNet", "gpt GPT", "char-rnn CharLSTM"];

interface Shader {
  readonly name: string;
  readonly code: string;
}
const seen = new Set<string>();
async function refusals(all: readonly Shader[]): Promise<readonly string[]> {
  const shaders = all.filter((s) => !seen.has(s.code));
  for (const s of shaders) seen.add(s.code);
  const byNaga = shaders.flatMap((s) => {
    const why = naga?.(s.code) ?? null;
    return why === null ? [] : [`${s.name}, naga: ${why}\n${s.code}`];
  });
  return [...(await validate(device, { shaders, entries: {}, limits: {} })), ...byNaga];
}
const hasHalves = ({ code }: Shader): boolean => /^enable f16;[\s\S]*array<(vec4<)?f16/.test(code);

describe(`shaders with halves are valid${mark}`, () => {
  test.each(kinds)("small %s", async (title) => {
    const { inputs: _, lines: _lines, ...small } = smalls[title]!;
    const [name, model] = title.split(" ") as [string, string];
    const { lowered } = await compileStages(zooFiles[`${name}.dlm`]!, { file: `std/${name}.dlm`, model, ...small, target: "wgsl" });
    const shaders = inHalves(lowered, 1).kernels.flatMap((k) => {
      const flat = wgslKernelPasses.reduce((x, p) => p.run(x), k);
      requireSound(flat);
      const ways = [withoutSubgroups(flat), withSubgroups(flat)?.kernel ?? []].flat();
      return ways.flatMap(splitDispatches).map((d) => ({ name: d.name, code: printShader(d, (b) => b, 65535).code }));
    });
    expect(shaders.some(hasHalves)).toBe(shaders.length > 0);
    expect(await refusals(shaders)).toEqual([]);
  });

  test.each<Choice>([
    { name: "gpt", model: "GPT", batch: 1, set: { depth: "1" } },
    { name: "mobilenet", model: "MobileNetV2", batch: 1 },
    // convolutions by transformed tiles
    { name: "resnet", model: "ResNet18", batch: 4 },
  ])("$model, which survives its artefact", { timeout: 60_000 }, async (choice) => {
    const program = await compileZoo({ ...choice, target: "wgsl", storage: "f16" });
    if (program.code.kind !== "wgsl") throw new Error("no shaders");
    expect(program.code.features).toEqual(["shader-f16"]);
    expect(program.code.shaders.filter(hasHalves).length).toBeGreaterThan(5);
    expect(await refusals(program.code.shaders)).toEqual([]);
    const { "net.json": manifest, ...files } = artefactOf(program);
    const read = async (file: string) => new TextEncoder().encode(String(files[file]));
    expect(await programFromArtefact(JSON.parse(String(manifest)), read)).toEqual(program);
  });
});
