/** Files of named tensors: safetensors, and NumPy's archives. Damage and files of other kinds are told by name. */
import { fail } from "../../ir/diagnostic.ts";
import { DlmError, type Entry, type FileType, parseSafetensors, type Tensors, writeSafetensors } from "../../runtime/index.ts";
import { bytesOf, splitFile } from "../../runtime/safetensors.ts";
import type { ElementType, NdArray } from "../formats/array.ts";
import { readNpz } from "../formats/npz.ts";
import { headerFault } from "../formats/safetensors-text.ts";
import { readBytes } from "./files.ts";

/** Reads a file; an archive has no metadata. */
export const readTensors = (path: string): Tensors => parseSafetensors(tensorBytes(path));

/** A file as safetensors bytes, checked. */
export function tensorBytes(path: string): Uint8Array {
  const bytes = readBytes(path);
  refuseOther(bytes, path);
  try {
    if (isNpz(bytes)) return writeSafetensors([...readNpz(bytes, path)].map(([name, array]) => entryOf(name, array)));
    parseSafetensors(bytes);
    const fault = headerFault(new TextDecoder().decode(splitFile(bytes)[0]));
    if (fault !== null) throw new DlmError("safetensors", `not a safetensors file: ${fault}`);
    return bytes;
  } catch (error) {
    throw error instanceof DlmError ? new DlmError(error.code, `${path}: ${error.message}`, error) : error;
  }
}

const fileTypes: Readonly<Record<ElementType, FileType>> = { f4: "F32", f8: "F64", i4: "I32", i8: "I64", u1: "U8", b1: "BOOL" };
const entryOf = (name: string, { type, shape, data }: NdArray): Entry => ({ name, dtype: fileTypes[type], shape, data: bytesOf(data) });

const startsWith = (bytes: Uint8Array, ...start: readonly number[]): boolean => start.every((b, i) => bytes[i] === b);
/** The header of a safetensors file begins here: its length, in front, may look like anything. */
const hasHeader = (bytes: Uint8Array): boolean => bytes[8] === 0x7b;
const isZip = (bytes: Uint8Array): boolean => !hasHeader(bytes) && startsWith(bytes, 0x50, 0x4b, 3, 4);
/** A zip whose first file is an array. */
const isNpz = (bytes: Uint8Array): boolean => isZip(bytes) && new TextDecoder("latin1").decode(bytes.subarray(0, 400)).includes(".npy");
/** Its first field is the version of the format, a small number; the next is a text or the graph. */
const isOnnx = (bytes: Uint8Array, path: string): boolean =>
  /\.onnx$/i.test(path) || (bytes[0] === 0x08 && bytes[1]! < 0x20 && [0x12, 0x1a, 0x22, 0x3a].includes(bytes[2]!) && bytes[7] !== 0);
const isPickle = (bytes: Uint8Array): boolean => bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5;

/** Weight files of other kinds, by their first bytes. */
function refuseOther(bytes: Uint8Array, path: string): void {
  if (hasHeader(bytes)) return;
  if (isOnnx(bytes, path))
    fail("file", `${path} is an ONNX model, expected weights: safetensors or .npz`, null, {
      help: `\`dlm import ${path} -o DIR\` writes its program and its weights`,
    });
  const other = (kind: string, help: string): never => fail("file", `${path} is ${kind}, expected safetensors or .npz`, null, { help });
  if ((isZip(bytes) && !isNpz(bytes)) || isPickle(bytes)) other("a PyTorch file", "save it with safetensors.torch.save_file");
  if (startsWith(bytes, 0x93, 0x4e, 0x55, 0x4d)) other("an .npy file, one array without a name", "save the arrays with numpy.savez");
  if (startsWith(bytes, 0x47, 0x47, 0x55, 0x46)) other("a GGUF file", "save its tensors with safetensors.numpy.save_file");
  if (startsWith(bytes, 0x89, 0x48, 0x44, 0x46)) other("an HDF5 file", "save its arrays with safetensors.numpy.save_file");
}
