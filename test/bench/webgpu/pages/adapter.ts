/** What WebGPU offers in this browser. */
import { adapterOf } from "../job.ts";

await fetch("answer", { method: "POST", body: JSON.stringify({ value: { adapter: await adapterOf(navigator.gpu) } }) });
