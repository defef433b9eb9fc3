/** Prints the tables of `coefficients.ts`: `npx tsx compiler/schedule/minimax/generate.ts`. */
import { problems } from "./problems.ts";
import { remez } from "./remez.ts";

for (const [name, problem] of Object.entries(problems)) {
  const { coefficients, error } = remez(problem);
  console.log(`/** Error ${error.toExponential(1)}. */`);
  console.log(`${name}: [${coefficients.map((c) => Number(c.toPrecision(9))).join(", ")}],`);
}
