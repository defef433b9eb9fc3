/** Writes a work's model for all engines: as ONNX, by our exporter, as our own program, and its weights. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { OnnxModel } from "../../compiler/formats/onnx/model.ts";
import { readOnnx } from "../../compiler/formats/onnx/read.ts";
import { writeOnnx } from "../../compiler/formats/onnx/write.ts";
import type { Signature } from "../../ir/program.ts";
import { type Entry, writeSafetensors } from "../../runtime/safetensors.ts";
import { withClip } from "./graph/relu6.ts";
import { files } from "./job.ts";
import type { Work } from "./works.ts";

export function prepare(root: string, work: Work, folder: string, target: "wasm" | "wgsl" = "wasm"): void {
  mkdirSync(folder, { recursive: true });
  const onnx = join(folder, files.onnx);
  const dims = Object.entries({ N: work.batch, ...work.dims }).flatMap(([name, size]) => ["--dim", `${name}=${size}`]);
  const model = [work.file, "--model", work.model, ...dims];
  const dlm = (...args: readonly string[]): void => {
    execFileSync(process.execPath, ["dist/compiler/cli/main.js", ...args], { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
  };
  dlm("compile", ...model, "--target", target, ...(work.kind === "training" ? ["--train"] : []), "-o", join(folder, files.program));
  dlm("export", ...model, "-o", onnx);
  // Everybody gets the sizes that ours has.
  const sizes = openSizes(readOnnx(readFileSync(onnx), onnx), work, folder);
  if (sizes.length > 0) dlm("export", ...model, ...sizes.flatMap((size) => ["--dim", size]), "-o", onnx);
  const exported = withClip(readOnnx(readFileSync(onnx), onnx));
  writeFileSync(onnx, writeOnnx(exported));
  const variables = variableNames(work, folder);
  const weights = exported.graph.initializers.flatMap(({ name, dims, data }): readonly Entry[] =>
    variables.has(name) && data.kind === "bytes" ? [{ name, dtype: "F32", shape: dims, data: data.bytes }] : [],
  );
  writeFileSync(join(folder, files.weights), writeSafetensors(weights));
}

/** `H=224`, for each dimension that the file leaves open. */
function openSizes({ graph }: OnnxModel, work: Work, folder: string): readonly string[] {
  const { entries } = JSON.parse(readFileSync(programPath(work, folder), "utf8")) as { entries: readonly Signature[] };
  const shapes = new Map(entries.find((e) => e.name === "forward")!.inputs.map((f) => [f.name, f.shape]));
  const open = graph.inputs.flatMap(({ name, type }) =>
    type?.kind === "tensor"
      ? (type.shape ?? []).flatMap((d, axis) => (typeof d === "string" ? [`${d}=${shapes.get(name)![axis]}`] : []))
      : [],
  );
  return [...new Set(open)];
}

/** The description of the program, which tells the other files. */
export const programPath = (work: Work, folder: string): string => join(folder, files.program, `${basename(work.file, ".dlm")}.json`);

function variableNames(work: Work, folder: string): ReadonlySet<string> {
  const { variables } = JSON.parse(readFileSync(programPath(work, folder), "utf8")) as { variables: readonly { name: string }[] };
  return new Set(variables.map((v) => v.name));
}
