/** Globs over parameter paths: `*` stands for any characters, dots included; everything else for itself. */

/** Linear in pattern times text: a failed match returns to the last `*` only. */
export function matches(glob: string, path: string): boolean {
  let g = 0;
  let p = 0;
  let star = -1;
  let resume = 0;
  while (p < path.length) {
    if (glob[g] === "*") {
      star = g++;
      resume = p;
    } else if (glob[g] === path[p]) {
      g++;
      p++;
    } else if (star >= 0) {
      g = star + 1;
      p = ++resume;
    } else return false;
  }
  while (glob[g] === "*") g++;
  return g === glob.length;
}
