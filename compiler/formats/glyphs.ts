/** Skeletons of handwritten digits. */

export type Point = readonly [x: number, y: number];
/** A smooth curve through its points; a corner is where two curves meet. */
export type Curve = readonly Point[];
/** x to the right and y down, the digit about within 0..1. */
export type Glyph = readonly Curve[];

/** Curves separated by `|`, points as `x,y` in percent. */
const glyph = (text: string): Glyph => text.split("|").map((curve) => curve.trim().split(" ").map(point));
const point = (text: string): Point => {
  const [x, y] = text.split(",").map(Number);
  return [x! / 100, y! / 100];
};

/** Ways to write each digit. */
export const glyphs: readonly (readonly Glyph[])[] = [
  [
    // 0: closing where it began; narrow, ends crossing
    glyph("56,2 30,10 15,45 22,82 48,99 75,86 86,50 76,14 50,3"),
    glyph("66,10 44,2 24,30 25,75 46,98 70,78 75,35 60,5 42,8"),
  ],
  [
    // 1: plain; flag; flag and foot
    glyph("54,0 50,50 48,100"),
    glyph("36,22 47,12 55,0 | 55,0 53,50 50,100"),
    glyph("34,22 52,0 | 52,0 50,98 | 24,99 78,97"),
  ],
  [
    // 2: straight foot; loop at the foot
    glyph("16,26 30,6 56,2 77,20 68,48 42,74 14,97 | 14,97 50,94 88,97"),
    glyph("18,20 42,2 74,14 72,44 46,80 24,97 12,86 28,78 55,94 90,90"),
  ],
  [
    // 3: round; flat top
    glyph("18,13 46,1 75,16 66,39 40,48 | 40,48 72,56 81,78 56,98 15,88"),
    glyph("20,4 76,3 | 76,3 44,40 | 44,40 76,50 80,78 54,98 16,90"),
  ],
  [
    // 4: open; closed
    glyph("28,4 20,34 18,56 | 18,56 50,57 88,53 | 74,8 68,50 64,100"),
    glyph("64,0 38,34 12,66 | 12,66 50,66 90,64 | 64,0 64,50 62,100"),
  ],
  [
    // 5: one stroke; the bar lifted off
    glyph("80,3 32,5 | 32,5 26,44 | 26,44 56,37 81,60 70,88 42,99 15,90"),
    glyph("34,7 84,2 | 34,8 24,50 | 24,50 50,46 76,68 60,95 20,95"),
  ],
  [
    // 6: round; straight back, small loop
    glyph("66,1 40,22 22,56 24,86 48,99 74,85 72,60 48,52 25,70"),
    glyph("46,0 28,40 22,78 40,98 68,90 70,68 48,60 24,78"),
  ],
  [
    // 7: plain; crossed
    glyph("14,6 50,7 84,3 | 84,3 60,45 42,100"),
    glyph("16,12 24,4 84,5 | 84,5 62,40 46,100 | 34,52 80,49"),
  ],
  [
    // 8: one stroke; two rings
    glyph("74,16 50,1 25,16 36,40 66,58 78,80 50,99 21,80 36,56 68,36 76,14"),
    glyph("50,47 27,30 34,5 64,4 73,28 50,47 22,66 26,92 52,100 77,88 76,64 50,47"),
  ],
  [
    // 9: straight tail; curved tail
    glyph("74,16 50,1 25,18 30,44 56,46 75,20 | 75,20 72,60 64,100"),
    glyph("72,22 56,2 30,10 26,38 50,50 73,28 | 73,28 76,66 56,96 24,92"),
  ],
];
