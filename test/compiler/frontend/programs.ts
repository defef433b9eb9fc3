/** Random programs that use the whole grammar, with random spaces, line ends and comments wherever the language allows them. */
import fc from "fast-check";

const names = ["x", "y2", "_", "state", "model", "layer", "input", "as", "from", "long_name_of_a_value"];
const calls = ["relu", "Linear", "BatchNorm", "f", "max_pool"];
const operators = ["||", "&&", "+", "-", "*", "/", "//", "%", "@", "**"];
const comparisons = ["==", "!=", "<", "<=", ">", ">="];
const literals = ["1", "1_000", "0.5", "5e-4", '"text"', '"a \\"b\\" # not a comment"', "true", "false", "none"];
/** Where a line may end. The last ones carry comments, which formatting must keep. */
const gaps = [
  " ",
  "",
  "  ",
  "\n    ",
  "\t",
  "\n\n ",
  " # behind\n ",
  "\n # on its own\n ",
  "\n ## not documentation\n ",
  "\n#close\n ",
  "\r\n ",
];

type Choose = (count: number) => number;
type Text = (inside: boolean) => string;

/** Choices come from a list of numbers; when it ends, the first (simplest) alternative is taken. */
export const programs = fc.array(fc.nat(9999), { minLength: 50, maxLength: 500, size: "max" }).map((tape) => {
  let at = 0;
  return program((count) => (tape[at++] ?? 0) % count);
});

function program(choose: Choose): string {
  const of = (list: readonly string[]) => list[choose(list.length)]!;
  const some = <T>(least: number, most: number, make: () => T): T[] => Array.from({ length: least + choose(most - least + 1) }, make);
  const maybe = (make: () => string, chance = 2) => (choose(chance) === 1 ? make() : "");
  const space = () => of([" ", " ", "  ", "\t"]);
  /** Between two tokens inside brackets, or where a line may end anyway. */
  const gap = () => of(gaps);
  const between = (inside: boolean) => (inside ? gap() : of([" ", ""]));
  const items = (list: readonly string[]) => list.join(`,${gap()}`) + (list.length > 0 ? maybe(() => `${gap()},`, 4) : "");
  const name = () => of(names);

  const label = () => some(1, 3, () => of(["conv1", "0", "bn", "if", "{x + 1}", "{ f(x) }", "1.0"])).join(".");
  const args = (depth: number) =>
    `(${gap()}${items(some(0, 3, () => maybe(() => `${name()}${gap()}=${gap()}`) + expr(depth - 1)(true)))}${gap()})`;
  const pattern = (depth = 1): string => {
    const parts = some(1, 3, () => (depth > 0 && choose(4) === 1 ? `(${gap()}${pattern(depth - 1)}${gap()})` : name()));
    return parts.join(", ") + (parts.length === 1 ? maybe(() => ",", 4) : "");
  };
  /** No pipelines: a `:` directly inside the brackets is the slice's, a label's would need parentheses. */
  const slice = (depth: number) => {
    const part = () => maybe(() => operation(depth - 1)(true));
    return of(["...", ""]) || (choose(2) ? `${part()}:${gap()}${part()}${maybe(() => `:${part()}`)}` : operation(depth - 1)(true));
  };
  const primaries: readonly ((depth: number) => Text)[] = [
    () => () => name(),
    () => () => of(literals),
    (d) => () => `(${gap()}${expr(d - 1)(true)}${gap()})`,
    (d) => () => `[${gap()}${items(some(0, 3, () => expr(d - 1)(true)))}${gap()}]`,
    (d) => () => `(${gap()}${some(2, 3, () => expr(d - 1)(true)).join(",")}${maybe(() => ",")})`,
    (d) => () => `(${expr(d - 1)(true)},)`,
    (d) => () => `[${expr(d - 1)(true)}${some(1, 2, () => ` for ${pattern()} in${gap()} ${expr(d - 1)(true)}`).join("")}]`,
    (d) => (inside) => `(${label()}: ${inside ? gap() : ""}${of(calls)}${args(d)})`,
    (d) => (inside) => `${of(calls)}${between(inside)}${args(d)}`,
    (d) => (inside) => `${name()}[${gap()}${items(some(1, 3, () => slice(d)))}${gap()}]${between(inside)}.${name()}`,
    (d) => (inside) => `${of(["-", "!", "--"])}${primary(d - 1)(inside)}`,
    (d) => (inside) => conditional(d, inside),
    (d) => () =>
      `[${items(some(7, 30, () => maybe(() => "-") + of(["1", "20", "300000", "x"])))}${maybe(() => expr(d - 1)(true), 5) && ""}]`,
  ];
  const primary = (depth: number): Text => primaries[depth <= 0 ? choose(2) : choose(primaries.length)]!(depth);
  const operation =
    (depth: number): Text =>
    (inside) => {
      const parts = [primary(depth)(inside)];
      for (let n = depth > 0 ? choose(4) : 0; n > 0; n--) {
        const operator = of(operators);
        // No `!` behind `**`.
        const right = operator === "**" ? maybe(() => "-") + name() : primary(depth - 1)(inside);
        parts.push(`${between(inside)} ${operator} ${gap()} ${right}`);
      }
      return parts.join("") + maybe(() => ` ${of(comparisons)} ${gap()}${primary(depth - 1)(inside)}`, 5);
    };
  const expr =
    (depth: number): Text =>
    (inside) => {
      const stage = () => `${gap()}|>${gap()}${maybe(() => `${label()}: ${gap()}`)}${of(calls)}${maybe(() => args(depth - 1))}`;
      return operation(depth)(inside) + (depth > 0 ? some(0, 3, stage).join("") : "");
    };
  function conditional(depth: number, inside: boolean): string {
    const arm = () => `if ${operation(depth - 1)(inside)} ${block(depth - 1, statement)}`;
    return arm() + some(0, 1, () => `${gap()} else ${arm()}`).join("") + maybe(() => `${gap()} else ${block(depth - 1, statement)}`);
  }

  const type = () => of(["f32", "i32", "int"]) + maybe(() => `[${gap()}${items(some(0, 3, dim))}${gap()}]`);
  const dim = () => of(["N", "...", "...rest", "H = 224", "2 * C", "...shape[1:]", "C // 2 = 3"]);
  const exprs = () => some(1, 3, () => expr(2)(false)).join(`,${gap()}`);
  const doc = () => maybe(() => "## What it is.\n##\n##   More.\n", 4);
  const globs = () => some(1, 3, () => of(['"*.bias"', '"a#b"'])).join(`,${gap()}`);
  const statements: readonly ((depth: number) => string)[] = [
    () => `${pattern()} ${of(["=", "+=", "-=", "*=", "/="])}${gap()}${exprs()}`,
    (d) => expr(d)(false),
    () => `${doc()}${of(["param", "state"])} ${label()}${maybe(() => ` as ${name()}`)}: ${type()} =${gap()}${expr(1)(false)}`,
    () => `update ${name()} ${of(["=", "+="])} ${expr(1)(false)}`,
    () => `use ${label()}${maybe(() => ` as ${name()}`)} = ${of(calls)}${maybe(() => args(1))}`,
    () => `${doc()}input ${name()}: ${gap()}${type()}`,
    () => `${doc()}metric ${name()} = ${expr(2)(false)}`,
    () => `freeze ${globs()}`,
    () => `${of(["optimizer", "loss"])} ${globs()} = ${expr(2)(false)}`,
    (d) => `for ${pattern()} in ${gap()}${expr(d)(false)} ${block(d - 1, statement)}`,
    () => `return ${exprs()}`,
    () => `assert ${expr(1)(false)}${maybe(() => `, ${gap()}${expr(1)(false)}`)}`,
  ];
  function statement(depth: number): string {
    return statements[depth <= 0 ? 0 : choose(statements.length)]!(depth);
  }
  const ends = ["\n", "\n\n\n", "  # behind\n", "\n  # own\n", "\n\n# own\n\n## not about a statement\n\n", "\r\n"];
  function block(depth: number, make: (depth: number) => string): string {
    const body = some(0, 3, () => make(depth));
    if (choose(3) === 0) return `{ ${body.slice(0, 1).join("")} }`;
    return `{${of(ends)}${body.map((s) => `${space()}${s}${of([...ends, ";\n", " ; \n"])}`).join("")}}`;
  }
  const params = () =>
    `(${gap()}${items(some(0, 4, () => name() + maybe(() => `:${gap()}${type()}`) + maybe(() => ` =${gap()}${expr(1)(true)}`)))}${gap()})`;
  const declarations: readonly (() => string)[] = [
    () => `const ${name()} = ${expr(3)(false)}`,
    () => `${of(["fn", "layer"])} ${of(calls)}${params()} ${block(3, statement)}`,
    () =>
      `model Net${params()} ->${gap()}${some(1, 3, () => name() + maybe(() => `: ${type()}`)).join(`,${gap()}`)} ${block(3, statement)}`,
    () => `train ${maybe(() => "tune: ")}Net ${block(3, statement)}`,
    () => `import {${gap()}${items(some(1, 3, () => name() + maybe(() => ` as ${name()}`)))}${gap()}} from "./net.dlm"`,
  ];
  return some(1, 4, () => doc() + declarations[choose(declarations.length)]!()).join(of(ends));
}
