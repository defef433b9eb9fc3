/** What of an artefact only programs for WebGPU have: whether dispatches and pages go with shaders and regions. */
import { type Dispatch, type Program, type Region, regions } from "../../ir/program.ts";
import { fail } from "../errors.ts";
import { storedBytes } from "../field.ts";
import { bindingAlignment, type WgslCode } from "./code.ts";

export function checkedCode(code: WgslCode, sizes: Program["sizes"]): WgslCode {
  for (const r of regions) checkPages(r, code.pages?.[r] ?? [0], sizes);
  const bound = new Map<number, number>();
  for (const d of Object.values(code.entries).flat()) {
    checkDispatch(d, code, sizes);
    const { length } = d.bindings;
    const others = bound.get(d.shader) ?? length;
    if (others !== length) bad(`dispatches of shader ${d.shader} bind ${others} and ${length} buffers`);
    bound.set(d.shader, others);
  }
  return code;
}

function checkPages(region: Region, starts: readonly number[], sizes: Program["sizes"]): void {
  const isInOrder = starts.every((start, i) => (i === 0 ? start === 0 : start > starts[i - 1]! && start < sizes[region]));
  if (starts.length === 0 || !isInOrder || starts.some((s) => s % bindingAlignment)) bad(`the region ${region} has no such pages`);
}
function checkDispatch({ shader, bindings }: Dispatch, { shaders, pages }: WgslCode, sizes: Program["sizes"]): void {
  if (shader >= shaders.length) bad(`a dispatch uses shader ${shader} of ${shaders.length}`);
  for (const { region, offset, bytes } of bindings) {
    const next = pages?.[region]?.find((start) => start > offset);
    if (offset + bytes > storedBytes(sizes[region])) bad(`a binding is not inside the region ${region}`);
    if (next !== undefined && offset + bytes > next) bad(`a binding lies in two pages of the region ${region}`);
  }
}

const bad = (message: string): never => fail("artefact", `not a usable artefact: ${message}`);
