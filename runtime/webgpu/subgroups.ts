/** Which shaders run in their text for subgroups: where the device has them, and they are of sizes that the text is for. */
import type { Shader } from "../../ir/program.ts";

export function shadersFor({ features, adapterInfo }: GPUDevice, shaders: readonly Shader[]): readonly Pick<Shader, "name" | "code">[] {
  if (!features.has("subgroups")) return shaders;
  // A device that does not tell sizes fits nothing.
  const { subgroupMinSize: least = 0, subgroupMaxSize: most = Number.POSITIVE_INFINITY } = adapterInfo ?? {};
  return shaders.map((s) => {
    const fits = s.subgroups && s.subgroups.least <= least && most <= s.subgroups.most;
    return fits ? { name: s.name, code: s.subgroups.code } : s;
  });
}
