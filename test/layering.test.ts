/** Dependencies point one way; a wrong edge is named. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

/** First rule whose folder holds the importing file; it may import from the listed places of the tree. */
const rules: readonly { readonly from: string; readonly to: readonly string[] }[] = [
  { from: "ir/program.ts", to: ["ir/type.ts"] },
  { from: "ir/", to: ["ir/"] },
  { from: "runtime/", to: ["runtime/", "ir/float16.ts", "ir/program.ts", "ir/type.ts"] },
  { from: "codegen/", to: ["codegen/", "ir/"] },
  { from: "compiler/cli/", to: ["compiler/", "codegen/", "runtime/", "ir/"] },
  { from: "compiler/compile-graphs.ts", to: ["compiler/", "codegen/", "ir/"] },
  { from: "compiler/targets.ts", to: ["compiler/", "codegen/", "ir/"] },
  { from: "compiler/pipeline.ts", to: ["compiler/passes/", "compiler/schedule/", "compiler/pass.ts", "ir/"] },
  { from: "compiler/decompile/", to: ["compiler/decompile/", "compiler/frontend/", "ir/"] },
  { from: "compiler/frontend/", to: ["compiler/frontend/", "compiler/prelude/", "ir/"] },
  { from: "compiler/prelude/", to: ["compiler/prelude/"] },
  { from: "compiler/passes/", to: ["compiler/passes/", "ir/"] },
  { from: "compiler/training/", to: ["compiler/training/", "compiler/frontend/module.ts", "ir/"] },
  { from: "compiler/lower/", to: ["compiler/lower/", "ir/"] },
  { from: "compiler/schedule/", to: ["compiler/schedule/", "ir/"] },
  { from: "compiler/memory/", to: ["compiler/memory/", "ir/"] },
  {
    from: "compiler/onnx/",
    to: [
      "compiler/onnx/",
      "compiler/decompile/",
      "compiler/formats/",
      "compiler/frontend/",
      "compiler/lower/",
      "compiler/passes/",
      "compiler/schedule/",
      "ir/",
    ],
  },
  { from: "compiler/formats/", to: ["compiler/formats/", "ir/"] },
  { from: "compiler/", to: ["compiler/", "ir/"] },
];

const files = (dir: string): string[] =>
  readdirSync(join(root, dir)).flatMap((name) => {
    const path = join(dir, name);
    return statSync(join(root, path)).isDirectory() ? files(path) : path.endsWith(".ts") ? [path] : [];
  });

const importsOf = (file: string): string[] =>
  [...readFileSync(join(root, file), "utf8").matchAll(/^\s*(?:import|export)\b[^"';]*?from\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm)].map(
    (m) => (m[1] ?? m[2])!,
  );

test("imports follow the layers", () => {
  const wrong: string[] = [];
  for (const file of ["ir", "compiler", "codegen", "runtime"].flatMap(files)) {
    const rule = rules.find((r) => file.startsWith(r.from))!;
    for (const to of importsOf(file).filter((t) => t.startsWith("."))) {
      const target = relative(root, resolve(root, dirname(file), to));
      if (!rule.to.some((t) => target.startsWith(t)))
        wrong.push(`${file} imports ${target}; ${rule.from} may import ${rule.to.join(", ")}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("the runtime has no dependency", () => {
  const outside = files("runtime").flatMap((f) =>
    importsOf(f)
      .filter((t) => !t.startsWith(".") && !t.startsWith("node:"))
      .map((t) => `${f}: ${t}`),
  );
  expect(outside).toEqual([]);
});
