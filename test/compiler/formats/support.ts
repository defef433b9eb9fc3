/** Files in memory, and programs as sources see them. */
import { openData } from "../../../compiler/formats/open.ts";
import type { DataSource, Demand, Disk } from "../../../compiler/formats/source.ts";
import { fail } from "../../../ir/diagnostic.ts";
import type { Field } from "../../../ir/program.ts";
import type { DType } from "../../../ir/type.ts";

export type Files = Readonly<Record<string, string | Uint8Array>>;
export function memoryDisk(files: Files): Disk {
  const read = (path: string): Uint8Array => {
    const content = Object.hasOwn(files, path) ? files[path]! : fail("file", `cannot read ${path}`, null);
    return typeof content === "string" ? new TextEncoder().encode(content) : content;
  };
  const list: Disk["list"] = (folder) => {
    const below = Object.keys(files).filter((f) => f.startsWith(`${folder}/`));
    const names = [...new Set(below.map((f) => f.slice(folder.length + 1).split("/")[0]!))].sort();
    return names.map((name) => ({ name, isFolder: !Object.hasOwn(files, `${folder}/${name}`) }));
  };
  return { read, head: (path, bytes) => read(path).subarray(0, bytes), list };
}

export const input = (name: string, dtype: DType, shape: readonly number[], classes?: number): Field => ({
  name,
  dtype,
  shape,
  region: "io",
  offset: 0,
  ...(classes === undefined ? {} : { range: { min: 0, max: classes - 1 } }),
});

export const demand = (inputs: readonly Field[], more: Partial<Demand> = {}): Demand => ({
  inputs,
  streams: async () => false,
  resize: false,
  companion: () => null,
  fresh: false,
  hints: { size: () => null, extent: () => null },
  ...more,
});

/** Examples of these files for a program with these inputs. */
export const sourceOf = (spec: string, files: Files = {}, inputs: readonly Field[] = [], more: Partial<Demand> = {}): Promise<DataSource> =>
  openData(spec, memoryDisk(files)).fit(demand(inputs, more));
