/** The library of models: signatures, and sizes by elaborating each with its defaults. */
import type { Model } from "../../compiler/frontend/ast.ts";
import { elaborate } from "../../compiler/frontend/elaborate.ts";
import { parse } from "../../compiler/frontend/parse.ts";
import { differentiate } from "../../compiler/passes/differentiate.ts";
import { zooFiles } from "../../compiler/prelude/text.ts";
import { topological } from "../../ir/graph/graph.ts";
import { sizeOf, type TensorType } from "../../ir/type.ts";
import { code, prose, table } from "./markdown.ts";

export function zooTable(): string {
  const rows = Object.entries(zooFiles).flatMap(([file, source]) => {
    const models = parse(source, file).file.declarations.filter((d): d is Model => d.kind === "model");
    return models.map((model) => modelRow(file, source, model));
  });
  return table(["model", "what it is", "inputs", "outputs", "parameters", "multiply-adds"], rows);
}

function modelRow(file: string, source: string, model: Model): readonly string[] {
  const name = model.name.name;
  const open = { resolve: () => null, trainBlock: null, dims: {}, batch: null, set: {}, train: false };
  const { forward, variables } = elaborate({ path: `std/${file}`, text: source, model: name, ...open });
  const parameters = variables.filter((v) => v.kind === "param").reduce((n, v) => n + sizeOf(v.type.shape), 0);
  const flops = topological(differentiate.run(forward))
    .filter((n) => n.op.schema.kind === "contraction")
    .reduce(
      (n, { op, inputs, attrs, type }) =>
        n +
        op.flops(
          inputs.map((x) => x.type),
          attrs,
          type,
        ),
      0,
    );
  return [
    `[\`${name}\`](../examples/zoo/${file})<br>\`std/${file}\``,
    prose(firstSentence(model.doc ?? headOf(source))),
    forward.inputs.map((i) => typed(String(i.attrs.name), i.type)).join(", "),
    forward.outputs.map((o) => typed(o.name, o.value.type)).join(", "),
    parameters.toLocaleString("en"),
    flops === 0 ? "" : amount(flops / 2),
  ];
}
const typed = (name: string, { dtype, shape }: TensorType): string => code(`${name}: ${dtype}[${shape.join(", ")}]`);

/** The documentation at the head of a file, which belongs to no declaration where an import follows. */
const headOf = (source: string): string =>
  source
    .split("\n")
    .slice(
      0,
      source.split("\n").findIndex((line) => !line.startsWith("##")),
    )
    .map((line) => line.slice(2).trim())
    .join("\n");
/** Abbreviations end in a period too, but no capital letter follows them. */
const firstSentence = (text: string): string => /^.*?(?:\.(?=\s+[A-Z`])|$)/s.exec(text.replace(/\s+/g, " ").trim())![0];

/** 1.81 G: three digits and what they count. */
function amount(n: number): string {
  const [unit, name] = n >= 1e9 ? [1e9, " G"] : n >= 1e6 ? [1e6, " M"] : n >= 1e3 ? [1e3, " k"] : [1, ""];
  return `${Number((n / unit).toPrecision(3))}${name}`;
}
