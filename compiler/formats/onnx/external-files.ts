/** Weights in files beside a model, in Node. */
import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { isAbsolute, join, relative, sep } from "node:path";
import { CompileError, fail } from "../../../ir/diagnostic.ts";
import { quoted } from "./label.ts";
import type { ReadExternal } from "./tensor.ts";

/** Reads files of a folder, the model's, and only there: links that lead out of it are refused. */
export const externalFiles =
  (folder: string): ReadExternal =>
  (location, offset, length) => {
    try {
      return readPart(insideFolder(folder, location), offset, length);
    } catch (error) {
      if (error instanceof CompileError) throw error;
      return fail("onnx", `cannot read ${quoted(location)}, which holds weights of the model: ${reasonOf(error)}`, null, {
        help: "keep the files of weights beside the model",
      });
    }
  };

function insideFolder(folder: string, location: string): string {
  const real = realpathSync(join(folder, location));
  const way = relative(realpathSync(folder), real);
  if (way.split(sep)[0] === ".." || isAbsolute(way))
    fail("onnx", `${quoted(location)}, which holds weights of the model, is a link that leads out of the model's folder`, null, {
      help: "copy the file itself beside the model",
    });
  if (!statSync(real).isFile()) fail("onnx", `${quoted(location)}, which holds weights of the model, is not a file`, null);
  return real;
}

/** What is there of the part. Memory is taken only for bytes that the file has. */
function readPart(path: string, offset: number, length: number): Uint8Array {
  const file = openSync(path, "r");
  try {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, fstatSync(file).size - offset)));
    let done = 0;
    for (let n = -1; done < bytes.length && n !== 0; done += n)
      n = readSync(file, bytes, done, Math.min(bytes.length - done, mostAtOnce), offset + done);
    return bytes.subarray(0, done);
  } finally {
    closeSync(file);
  }
}
/** Systems read less than 2^31 bytes in one call. */
const mostAtOnce = 2 ** 30;

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "there is no such file";
  return code === "EACCES" || code === "EPERM" ? "permission denied" : (code ?? String(error));
}
