/** Geometry in + - * / and square roots alone, so that every machine computes the same bits. */

export type Point = readonly [x: number, y: number];

/** Cosine and sine of an angle in full turns, to about 1e-9. */
export function direction(turns: number): Point {
  const quarters = Math.round(turns * 4);
  const x = (turns - quarters / 4) * 2 * Math.PI;
  const s = x * x;
  // Taylor, on -pi/4 .. pi/4
  const sin = x * (1 - (s / 6) * (1 - (s / 20) * (1 - (s / 42) * (1 - (s / 72) * (1 - s / 110)))));
  const cos = 1 - (s / 2) * (1 - (s / 12) * (1 - (s / 30) * (1 - (s / 56) * (1 - s / 90))));
  switch (((quarters % 4) + 4) % 4) {
    case 0:
      return [cos, sin];
    case 1:
      return [-sin, cos];
    case 2:
      return [-cos, -sin];
    default:
      return [sin, -cos];
  }
}

/** Distance of (x, y) from a polygon's edge, negative inside. */
export function polygonDistance(corners: readonly Point[], x: number, y: number): number {
  let nearest = Number.POSITIVE_INFINITY;
  let inside = false;
  for (let i = 0; i < corners.length; i++) {
    const a = corners[i]!;
    const b = corners[i + 1] ?? corners[0]!;
    const [ux, uy, px, py] = [b[0] - a[0], b[1] - a[1], x - a[0], y - a[1]];
    const t = Math.min(1, Math.max(0, (px * ux + py * uy) / (ux * ux + uy * uy)));
    const [dx, dy] = [px - t * ux, py - t * uy];
    nearest = Math.min(nearest, dx * dx + dy * dy);
    if (a[1] > y !== b[1] > y && px < (py / uy) * ux) inside = !inside;
  }
  return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest);
}
