/** Which binding of dimensions the inputs on the command line mean. */
import { fail } from "../../ir/diagnostic.ts";
import { entryOf, type Field, type Program, type Signature } from "../../ir/program.ts";
import { printType, type Shape, sameShape, sizeOf, tensor } from "../../ir/type.ts";
import type { Given, GivenInputs } from "./run-inputs.ts";

/** The prediction of the first binding that takes what is given; random inputs fit all. */
export function chooseForward(program: Program, given: GivenInputs, { resize }: { readonly resize: boolean }): Signature {
  const [first, ...others] = program.entries.filter((e) => entryOf(e.name) === "forward") as [Signature, ...Signature[]];
  const isKnown = [...given.keys()].every((name) => first.inputs.some((f) => f.name === name));
  if (others.length === 0 || !isKnown) return first;
  const fits = (e: Signature) => e.inputs.every((f) => isTaken(f, given.get(f.name), resize));
  return [first, ...others].find(fits) ?? refuse(program, [first, ...others], given);
}

function isTaken({ shape }: Field, given: Given | undefined, resize: boolean): boolean {
  if (!given || given.kind === "random") return true;
  if (given.kind === "array") return sameShape(long(shape), long(given.array.shape));
  const [height, width] = shape.slice(-2);
  const isOne = shape.length > 2 && sizeOf(shape.slice(0, -3)) === 1;
  return isOne && (resize || (height === given.picture.height && width === given.picture.width));
}
/** Axes of extent 1 may come and go. */
const long = (shape: Shape): Shape => shape.filter((d) => d !== 1);

function refuse(program: Program, entries: readonly Signature[], given: GivenInputs): never {
  const found = [...given].flatMap(([name, g]) => describe(name, g) ?? []).join(", ");
  const taken = (e: Signature) => e.inputs.map((f) => `${f.name}: ${printType(tensor(f.dtype, f.shape))}`).join(", ");
  return fail("data", `no binding of ${program.name} takes ${found}`, null, { help: `its inputs are ${entries.map(taken).join(", or ")}` });
}
function describe(name: string, given: Given): string | null {
  switch (given.kind) {
    case "array":
      return `\`${name}\` of the shape (${given.array.shape.join(", ")})`;
    case "image":
      return `\`${name}\` of ${given.picture.width}x${given.picture.height} pixels`;
    case "random":
      return null;
  }
}
