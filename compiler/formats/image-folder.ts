/** Pictures in folders, one for each class. They are decoded when they are asked for. */
import { fail } from "../../ir/diagnostic.ts";
import { cached } from "./cache.ts";
import { imageOf, resize } from "./image.ts";
import { type ImageTarget, imageTarget } from "./image-target.ts";
import { isJpeg } from "./jpeg.ts";
import { classesOf } from "./labels.ts";
import { headBytes, isPicture, type PictureReader, pictureName, pictureNames, pictureReader, pictureSize } from "./picture.ts";
import { type Data, type DataSource, type Demand, type Disk, plainSource, type SizeHint, type Split } from "./source.ts";
import type { Spec } from "./spec.ts";

interface Folder {
  readonly path: string;
  /** Sorted. */
  readonly classes: readonly string[];
  readonly files: readonly { readonly path: string; readonly label: number }[];
  readonly notes: readonly string[];
}

export function openImages(spec: Spec, disk: Disk): Data {
  const folder = readFolder(spec.rest.replace(/\/+$/, "") || "/", disk);
  return { spec: spec.text, fit: (demand) => sourceFor(spec, folder, disk, demand) };
}

/* ---- the folder -------------------------------------------------------------------------------------------------- */

const isHidden = ({ name }: { readonly name: string }): boolean => name.startsWith(".");

function readFolder(path: string, { list }: Disk): Folder {
  const entries = list(path).filter((e) => !isHidden(e));
  const classes = entries.filter((e) => e.isFolder).map((e) => e.name);
  if (classes.length === 0) {
    const loose = entries.some((e) => pictureName.test(e.name));
    fail("data", `${path} has no folders, expected one for each class`, null, {
      help: loose ? "move the pictures into folders that are called like their classes" : `in each, pictures ${pictureNames}`,
    });
  }
  const listed = classes.map((name) => classFiles(`${path}/${name}`, list));
  const ignored = listed.flatMap((c) => c.ignored);
  const notes = ignored.length ? [`${ignored.length} files that are not ${pictureNames} are left out, such as ${ignored[0]}`] : [];
  return { path, classes, files: interleaved(listed.map((c) => c.files)), notes };
}

function classFiles(folder: string, list: Disk["list"]) {
  const paths = list(folder)
    .filter((e) => !e.isFolder && !isHidden(e))
    .map((e) => `${folder}/${e.name}`);
  const files = paths.filter((p) => pictureName.test(p));
  if (files.length === 0)
    fail("data", `${folder} has no pictures, expected files ${pictureNames}`, null, {
      help: paths.length ? `it has other files, such as ${paths[0]}` : "every folder is a class: remove those that are none",
    });
  return { files, ignored: paths.filter((p) => !pictureName.test(p)) };
}

/** Every class spread evenly over the whole, so that the last examples are a fair share of each. */
function interleaved(classes: readonly (readonly string[])[]): Folder["files"] {
  return classes
    .flatMap((files, label) => files.map((path, i) => ({ path, label, place: (i + 0.5) / files.length })))
    .sort((a, b) => a.place - b.place || a.label - b.label);
}

/* ---- examples ---------------------------------------------------------------------------------------------------- */

async function sourceFor(spec: Spec, folder: Folder, disk: Disk, demand: Demand): Promise<DataSource> {
  const classes = classesOf(folder.classes, folder.path, demand);
  const target = imageTarget(demand.inputs, spec.text);
  const jpeg = folder.files.map(({ path }) => isJpegFile(path, disk)).includes(true);
  if (!demand.resize) checkSizes(folder, disk, target, demand.hints.size);
  const pixels = pixelReader(folder, disk, await pictureReader(jpeg), target);
  const fields = [
    { name: "image", dtype: target.input.dtype, shape: [target.channels, target.height, target.width], factor: 1 },
    { name: "label", dtype: "i32", shape: [], factor: 1 },
  ] as const;
  const values: Split["values"] = (field, i) => (field === 0 ? pixels(i) : [classes.number(folder.files[i]!.label)]);
  const train = { count: folder.files.length, values };
  return { ...plainSource, spec: spec.text, fields, train, companions: [classes.companion], notes: folder.notes };
}

const startBytes = 16;
function isJpegFile(path: string, { head }: Disk): boolean {
  const start = head(path, startBytes);
  if (!isPicture(start))
    fail("file", `${path} is neither a PNG nor a JPEG file`, null, { help: "convert it, or take it out of the folder" });
  return isJpeg(start);
}

/** Before any work: in the midst of training would be too late. */
function checkSizes({ path: folder, files }: Folder, disk: Disk, { input, channels, height, width }: ImageTarget, hint: SizeHint): void {
  const sizes = files.map(({ path }) => sizeOfFile(path, disk));
  const wrong = sizes.findIndex(([w, h]) => w !== width || h !== height);
  if (wrong < 0) return;
  const [w, h] = sizes[wrong]!;
  const mixed = sizes.some(([a, b]) => a !== w || b !== h);
  const flags = mixed ? null : hint(input.name, input.shape.slice(1), [channels, h, w]);
  const what = mixed ? `${folder} has pictures of several sizes: ${files[wrong]!.path}` : `${files[wrong]!.path}`;
  fail("data", `${what} is ${w}x${h} pixels, the input \`${input.name}\` takes ${width}x${height}`, null, {
    help: flags === null ? "add --resize" : `add ${flags}, or --resize`,
  });
}

function sizeOfFile(path: string, { head, read }: Disk): readonly [width: number, height: number] {
  const size = pictureSize(head(path, headBytes)) ?? pictureSize(read(path));
  return size ?? fail("file", `${path} cannot be decoded: it is damaged or cut short`, null);
}

/** Pixels of a file, kept while there is room: from 0 to 1, for an input of bytes from 0 to 255. */
function pixelReader({ files }: Folder, disk: Disk, read: PictureReader, target: ImageTarget): (file: number) => ArrayLike<number> {
  const { input, channels, height, width } = target;
  return cached((file) => {
    const { path } = files[file]!;
    const original = imageOf(read(disk.read(path), path), channels, path);
    const { data } = original.height === height && original.width === width ? original : resize(original, height, width);
    const value = input.dtype === "f32" ? data : Uint8Array.from(data, (v) => Math.round(v * 255));
    return { value, bytes: value.byteLength };
  });
}
