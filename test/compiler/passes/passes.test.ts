/**
 * Passes as text: every `.ir` file beside this one names passes (`# pass: cse`, or several with commas), holds a graph, and
 * behind `# expect:` what they make of it. `vitest run --update` writes the latter anew.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { splitPrepare } from "../../../compiler/passes/index.ts";
import { wasmGraphPasses, wgslGraphPasses } from "../../../compiler/pipeline.ts";
import type { Graph } from "../../../ir/graph/graph.ts";
import { parseGraph } from "../../../ir/graph/parse.ts";
import { printGraph } from "../../../ir/graph/print.ts";
import { verifyGraph } from "../../../ir/graph/verify.ts";
import { equivalent } from "./numeric.ts";

type Run = (graph: Graph) => readonly Graph[];
const runs = new Map<string, Run>([
  ...[...wasmGraphPasses, ...wgslGraphPasses].map((p): [string, Run] => [p.name, (g) => [p.run(g)]]),
  ["split-prepare", (g) => [splitPrepare(g).prepare, splitPrepare(g).main]],
]);

const separator = "# expect:\n";
const files = readdirSync(import.meta.dirname).filter((f) => f.endsWith(".ir"));

describe.each(files)("%s", (file) => {
  const path = join(import.meta.dirname, file);
  const given = readFileSync(path, "utf8").split(separator)[0]!;
  const names = /^# pass: (.*)$/m.exec(given)![1]!.split(", ");
  const graph = parseGraph(given);
  const results = names.reduce<readonly Graph[]>((gs, name) => gs.flatMap(runs.get(name)!), [graph]);

  test("text", async () => {
    await expect(`${given}${separator}${results.map((g) => printGraph(g)).join("\n")}`).toMatchFileSnapshot(path);
  });
  test("verifies", () => {
    expect(verifyGraph(graph)).toEqual([]);
    for (const result of results) expect(verifyGraph(result)).toEqual([]);
  });
  test("a second time changes nothing", () => {
    const main = results.at(-1)!;
    const again = names.reduce((g, name) => runs.get(name)!(g).at(-1)!, main);
    expect(printGraph(again)).toBe(printGraph(main));
  });
  // Transformed convolutions have a thousand terms for each element: `schedule/winograd.test.ts` looks at their values.
  test.skipIf(names.some((n) => n === "differentiate" || n.startsWith("winograd")))("means the same", () => equivalent(graph, results));
});

test("every pass has its files", () => {
  for (const name of runs.keys()) expect(files.filter((f) => f.startsWith(name))).not.toEqual([]);
});
