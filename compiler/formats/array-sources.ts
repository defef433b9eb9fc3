/** Sources that hold all their examples as arrays: IDX, NumPy, tables. */
import { fail } from "../../ir/diagnostic.ts";
import { type DType, type Shape, sizeOf } from "../../ir/type.ts";
import { dtypeOf, type ElementData, type NdArray, tensorOf } from "./array.ts";
import { readCsv } from "./csv.ts";
import { readIdx } from "./idx.ts";
import { readNpz } from "./npz.ts";
import { type Data, type DataField, type DataSource, type Disk, factorOf, pixelFactor, plainSource, type Split } from "./source.ts";
import { numberOption, type Spec } from "./spec.ts";

/** First axis: examples. */
interface Column {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: Exclude<ElementData, BigInt64Array>;
}
const columnOf = (name: string, array: NdArray, where: string): Column => {
  if (array.shape.length === 0) fail("data", `${where} is one number, expected one value or array per example`, null);
  const { type, shape, data } = array;
  return { name, dtype: dtypeOf[type], shape, data: data instanceof BigInt64Array ? tensorOf(array, where).data : data };
};

/** The same examples for every program. */
const fixed = (source: DataSource): Data => ({ spec: source.spec, fit: async () => source });

function sourceOf(spec: Spec, columns: readonly Column[]): Data {
  const pixel = numberOption(spec, "scale", false) ?? pixelFactor;
  const [first] = columns;
  if (!first) return fail("data", `\`${spec.text}\` has no arrays`, null);
  const count = first.shape[0]!;
  for (const c of columns)
    if (c.shape[0] !== count) fail("data", `\`${c.name}\` has ${c.shape[0]} examples, \`${first.name}\` has ${count}`, null);
  if (count === 0) fail("data", `\`${spec.text}\` has no examples`, null);
  const fields = columns.map(({ name, dtype, shape }): DataField => {
    const own = shape.slice(1);
    return { name, dtype, shape: own, factor: factorOf(dtype, own, pixel) };
  });
  const sizes = fields.map((f) => sizeOf(f.shape));
  const values: Split["values"] = (field, i) => columns[field]!.data.subarray(i * sizes[field]!, (i + 1) * sizes[field]!);
  return fixed({ ...plainSource, spec: spec.text, fields, train: { count, values } });
}

export function openIdx(spec: Spec, { read }: Disk): Data {
  const paths = spec.rest.split(",");
  if (paths.length !== 2) fail("data", `\`${spec.text}\` must name two files`, null, { help: "write idx:IMAGES,LABELS" });
  const [images, labels] = paths.map((path) => readIdx(read(path), path));
  if (images!.shape.length < labels!.shape.length)
    fail("data", `${paths[1]} holds the images and ${paths[0]} the labels`, null, { help: `write idx:${paths[1]},${paths[0]}` });
  const { shape } = images!;
  const planes = shape.length === 3 ? [shape[0]!, 1, ...shape.slice(1)] : shape;
  return sourceOf(spec, [columnOf("image", { ...images!, shape: planes }, paths[0]!), columnOf("label", labels!, paths[1]!)]);
}

export function openNpz(spec: Spec, { read }: Disk): Data {
  const arrays = readNpz(read(spec.rest), spec.rest);
  return sourceOf(
    spec,
    [...arrays].map(([name, array]) => columnOf(name, array, `${spec.rest}: ${name}`)),
  );
}

export function openCsv(spec: Spec, { read }: Disk): Data {
  const { names, rows, columns } = readCsv(new TextDecoder().decode(read(spec.rest)), spec.rest);
  if (rows === 0) fail("data", `${spec.rest} has no examples`, null);
  const fields = names.map((name): DataField => ({ name, dtype: "f32", shape: [], factor: 1 }));
  return fixed({ ...plainSource, spec: spec.text, fields, train: { count: rows, values: (field, i) => [columns[field]![i]!] } });
}
