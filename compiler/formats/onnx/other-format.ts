/** Files that are given in place of an ONNX model, told by their first bytes. */

interface Format {
  readonly is: (head: string) => boolean;
  readonly what: string;
  readonly help: string;
}
const exported = "export the model with torch.onnx.export";
const starts =
  (...beginnings: readonly string[]) =>
  (head: string): boolean =>
    beginnings.some((b) => head.startsWith(b));
/** Zips of PyTorch hold a pickle, which is among their first entries. */
const isZip = starts("PK\x03\x04", "PK\x05\x06");

const formats: readonly Format[] = [
  { is: (head) => isZip(head) && head.includes(".npy"), what: "an .npz file of NumPy", help: exported },
  { is: (head) => isZip(head) && /data\.pkl|\.data\/|\/version/.test(head), what: "a PyTorch file (.pt)", help: exported },
  { is: isZip, what: "a zip file", help: "unpack it and give the .onnx file in it" },
  { is: starts("\x80\x02", "\x80\x03", "\x80\x04", "\x80\x05"), what: "a Python pickle, as PyTorch used to write", help: exported },
  {
    is: (head) => head.slice(4, 8) === "\0\0\0\0" && /^\{\s*["}]/.test(head.slice(8)),
    what: "a safetensors file, which holds weights without a model",
    help: exported,
  },
  { is: starts("\x89HDF\r\n\x1a\n"), what: "an HDF5 file, as Keras writes", help: "export the model with tf2onnx" },
  { is: (head) => head.slice(4, 8) === "TFL3", what: "a TensorFlow Lite model", help: "convert it with tf2onnx" },
  {
    is: (head) => head.slice(4, 8) === "ORTM",
    what: "a model in onnxruntime's own format (.ort)",
    help: "give the .onnx file it was made of",
  },
  { is: starts("\x1f\x8b"), what: "a gzip file", help: "unpack it first" },
  { is: starts("\x93NUMPY"), what: "an .npy file of NumPy", help: exported },
  {
    is: starts("version https://git-lfs"),
    what: "a pointer of Git LFS instead of the file itself",
    help: "fetch the file: git lfs pull",
  },
  { is: (head) => /^\s*<(!doctype|html|\?xml|head|body)/i.test(head), what: "a web page", help: "download the file itself" },
  { is: (head) => /^\s*[{[]\s*["{[\]}]/.test(head), what: "JSON", help: "give the .onnx file" },
  { is: starts("\x89PNG", "\xff\xd8\xff", "GIF8"), what: "a picture", help: "give the .onnx file" },
];

/** What a file looks like that could not be read as ONNX, or null. */
export function otherFormat(bytes: Uint8Array): { readonly what: string; readonly help: string } | null {
  const head = Array.from(bytes.subarray(0, 512), (b) => String.fromCharCode(b)).join("");
  return formats.find((f) => f.is(head)) ?? null;
}
