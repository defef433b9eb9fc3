/** Places in a source tree, as text: `models/net.dlm`, `std/resnet.dlm`. */

/** Where `import ... from "./blocks.dlm"` in the file `from` leads; null: not a path that an import may have. */
export function resolveImport(from: string, path: string): string | null {
  if (path.startsWith("std/")) return normalize(path);
  if (!path.startsWith("./") && !path.startsWith("../")) return null;
  const slash = Math.max(from.lastIndexOf("/"), from.lastIndexOf("\\"));
  return normalize(from.slice(0, slash + 1) + path);
}

function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "." || (part === "" && parts.length)) continue;
    const last = parts.at(-1);
    if (part === ".." && last !== undefined && last !== ".." && last !== "") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}

/** `conv1` under `layer1.0` is `layer1.0.conv1`; the label `_` adds no level. */
export const joinPath = (path: string, label: string): string => (label === "_" ? path : path === "" ? label : `${path}.${label}`);

/** `BatchNorm` is `batch_norm`, `Conv2d` is `conv2d`, `RMSNorm` is `rms_norm`. */
export const snakeCase = (name: string): string =>
  name
    .replace(/([^_])([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();

/** Upper case owns parameters. Underscores before the first letter do not count. */
export const isUpperCase = (name: string): boolean => /^_*[A-Z]/.test(name);

export { hashText } from "../../../ir/hash.ts";
