/** Points on arms that wind around each other: what no straight line separates. */
import { direction } from "./plane.ts";
import { hash, uniforms } from "./random.ts";

export const spiralArms = 3;
/** Turns of an arm from the middle to the rim. */
const winding = 0.75;
const noise = 0.05;

export interface SpiralPoint {
  /** Within about -1 to 1. */
  readonly x: readonly [number, number];
  readonly label: number;
}
/** Example `index` of the random stream `key`, on one of `arms` arms. */
export function drawSpiral(arms: number, key: number, index: number): SpiralPoint {
  const random = uniforms(hash(key, index));
  const label = Math.floor(random() * arms);
  const radius = 0.05 + 0.95 * random();
  const [x, y] = direction(label / arms + winding * radius);
  /** Bell-shaped: the sum of three uniforms. */
  const bell = () => ((random() + random() + random()) * 2) / 3 - 1;
  return { x: [radius * x + noise * bell(), radius * y + noise * bell()], label };
}
