/** What a program's input for pictures takes. */
import { fail } from "../../ir/diagnostic.ts";
import type { Field } from "../../ir/program.ts";

export interface ImageTarget {
  readonly input: Field;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** The input `image`, else the first that takes numbers. A flat one takes square pictures, grey or in colour. */
export function imageTarget(inputs: readonly Field[], spec: string): ImageTarget {
  const input = inputs.find((i) => i.name === "image") ?? inputs.find((i) => i.dtype === "f32" || i.dtype === "u8");
  const extents = input && extentsOf(input.shape.slice(1));
  if (!input || !extents)
    return fail("data", `\`${spec}\` gives pictures, but no input takes such`, null, {
      help: `pictures go to inputs like f32[N, 3, 32, 32]; there is ${inputs.map((i) => `${i.name} ${i.dtype}[${i.shape.join(", ")}]`).join(", ")}`,
    });
  const [channels, height, width] = extents;
  return { input, channels, height, width };
}

function extentsOf(shape: readonly number[]): readonly [channels: number, height: number, width: number] | null {
  const [a, b, c] = shape as [number, number, number];
  if (shape.length === 3) return [a, b, c];
  if (shape.length === 2) return [1, a, b];
  if (shape.length !== 1) return null;
  const channels = [1, 3].find((n) => Number.isInteger(Math.sqrt(a / n)));
  const side = Math.sqrt(a / (channels ?? 1));
  return channels === undefined || side < 2 ? null : [channels, side, side];
}
