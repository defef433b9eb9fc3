/** What all of the runtime for WebGPU knows of code for it. */
import type { Code } from "../../ir/program.ts";

export type WgslCode = Extract<Code, { readonly kind: "wgsl" }>;
/** Bindings and pages begin at multiples of so many bytes, also where a device asks for less. The compiler has the same number. */
export const bindingAlignment = 256;
