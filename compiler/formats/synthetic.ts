/** Examples that are drawn: no files, any number, the same on every machine. */
import { fail } from "../../ir/diagnostic.ts";
import { cached, type Made } from "./cache.ts";
import { digitSize, drawDigit } from "./digits.ts";
import { imageTarget } from "./image-target.ts";
import { extentOf, labelInput } from "./labels.ts";
import { type Canvas, drawSegments, drawShape, shapeNames } from "./shapes.ts";
import { type Companion, type Data, type DataField, type Demand, pixelFactor, plainSource, type Split } from "./source.ts";
import { numberOption, type Spec } from "./spec.ts";
import { drawSpiral, spiralArms } from "./spirals.ts";

const defaultCount = 10_000;
const heldOutCount = 2_000;
/** Keys of the two random streams. */
const streams = { train: 1, heldOut: 2 };

/** Examples of one kind, as a program wants them. */
interface Drawing {
  readonly fields: readonly DataField[];
  /** Values of all fields of example `index` of the stream `key`. */
  readonly draw: (key: number, index: number) => Made<readonly ArrayLike<number>[]>;
  readonly companions: readonly Companion[];
}
const kinds: ReadonlyMap<string, (spec: Spec, demand: Demand) => Drawing> = new Map([
  ["digits", digits],
  ["shapes", oneShape],
  ["spirals", spirals],
  ["segments", segments],
]);
export const syntheticNames: readonly string[] = [...kinds.keys()];

export function openSynthetic(spec: Spec): Data {
  const kind = kinds.get(spec.rest);
  if (!kind) return fail("data", `unknown synthetic data \`${spec.rest}\``, null, { help: `there are: ${syntheticNames.join(", ")}` });
  const count = numberOption(spec, "count", true) ?? defaultCount;
  const fit: Data["fit"] = async (demand) => {
    const { fields, draw, companions } = kind(spec, demand);
    const split = (key: number, examples: number): Split => {
      const drawn = cached((i) => draw(key, i));
      return { count: examples, values: (field, i) => drawn(i)[field]! };
    };
    return {
      ...plainSource,
      spec: spec.text,
      fields,
      train: split(streams.train, count),
      heldOut: split(streams.heldOut, heldOutCount),
      companions,
    };
  };
  return { spec: spec.text, fit };
}

const numberField = (name: string): DataField => ({ name, dtype: "i32", shape: [], factor: 1 });
const pictureField = ({ channels, height, width }: Canvas): DataField => ({
  name: "image",
  dtype: "u8",
  shape: [channels, height, width],
  factor: pixelFactor,
});

function digits(): Drawing {
  const fields = [pictureField({ channels: 1, height: digitSize, width: digitSize }), numberField("label")];
  const draw: Drawing["draw"] = (key, i) => {
    const { image, label } = drawDigit(key, i);
    return { value: [image, [label]], bytes: image.length };
  };
  return { fields, draw, companions: [] };
}

/** As many kinds as the program tells apart, at most `most`. */
function kindsFor(limit: number, most: number, { text }: Spec): number {
  if (limit >= 1) return Math.min(limit, most);
  return fail("data", `\`${text}\` has at least 2 classes, but the model takes fewer`, null);
}

function oneShape(spec: Spec, demand: Demand): Drawing {
  const canvas = imageTarget(demand.inputs, spec.text);
  const count = kindsFor(extentOf(labelInput(demand.inputs)), shapeNames.length, spec);
  const draw: Drawing["draw"] = (key, i) => {
    const { image, label } = drawShape(canvas, count, key, i);
    return { value: [image, [label]], bytes: image.length };
  };
  const companions = [{ ending: ".labels.txt", text: `${shapeNames.slice(0, count).join("\n")}\n` }] as const;
  return { fields: [pictureField(canvas), numberField("label")], draw, companions };
}

/** Class 0 of the mask is the ground. */
function segments(spec: Spec, demand: Demand): Drawing {
  const canvas = imageTarget(demand.inputs, spec.text);
  const mask = demand.inputs.find((i) => i.name === "mask") ?? demand.inputs.find((i) => i.dtype === "i32");
  const count = kindsFor(extentOf(mask) - 1, shapeNames.length, spec);
  const draw: Drawing["draw"] = (key, i) => {
    const picture = drawSegments(canvas, count, key, i);
    return { value: [picture.image, picture.mask], bytes: picture.image.length + picture.mask.length };
  };
  const maskField: DataField = { name: "mask", dtype: "i32", shape: [canvas.height, canvas.width], factor: 1 };
  return { fields: [pictureField(canvas), maskField], draw, companions: [] };
}

function spirals(spec: Spec, demand: Demand): Drawing {
  const arms = kindsFor(extentOf(labelInput(demand.inputs)), spiralArms, spec);
  const draw: Drawing["draw"] = (key, i) => {
    const { x, label } = drawSpiral(arms, key, i);
    return { value: [x, [label]], bytes: 64 };
  };
  return { fields: [{ name: "x", dtype: "f32", shape: [2], factor: 1 }, numberField("label")], draw, companions: [] };
}
