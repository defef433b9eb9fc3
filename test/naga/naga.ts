/** naga, the implementation of WGSL in Firefox and wgpu, and what it says of a shader. */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** Of the package; it is installed apart (`npm ci --prefix test/naga`). */
interface Handle {
  readonly free: () => void;
}
interface Naga {
  readonly parseWgsl: (source: string) => Handle;
  readonly validate: (module: Handle) => Handle;
  readonly writeHlsl: Writer;
  readonly writeMsl: Writer;
  readonly writeSpirv: Writer;
}
type Writer = (module: Handle, info: Handle, options: object) => unknown;
/** Why it is refused; null: it is valid, and can be said in the languages of Direct3D, Metal and Vulkan. */
export type Check = (code: string) => string | null;

const entry = join(import.meta.dirname, "node_modules/naga-wasm/dist/node.js");

/** null: it is not installed; that is an error where CI promises it. */
export async function openNaga(): Promise<Check | null> {
  if (existsSync(entry)) return checkWith((await import(entry)) as Naga);
  if (process.env.CI === "true") throw new Error("naga is not installed: npm ci --prefix test/naga");
  console.warn("skipped in naga: it is not installed (npm ci --prefix test/naga)");
  return null;
}

function checkWith({ parseWgsl, validate, ...writers }: Naga): Check {
  return (code) => {
    const handles: Handle[] = [];
    const held = (handle: Handle): Handle => {
      handles.push(handle);
      return handle;
    };
    try {
      const module = held(parseWgsl(plain(code)));
      const info = held(validate(module));
      for (const write of [writers.writeHlsl, writers.writeMsl, writers.writeSpirv]) write(module, info, {});
      return null;
    } catch (e) {
      return (e as { readonly formatted?: string }).formatted ?? String(e);
    } finally {
      for (const handle of handles) handle.free();
    }
  };
}

/** naga 30 has the functions of subgroups, but not yet the word that enables them. */
const plain = (code: string): string => code.replace(/^enable subgroups;/m, "");
