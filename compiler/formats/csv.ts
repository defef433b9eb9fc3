/** Tables of numbers: one line of names, then one line per example. */
import { fail } from "../../ir/diagnostic.ts";

export interface Table {
  readonly names: readonly string[];
  readonly rows: number;
  /** One column per name. */
  readonly columns: readonly Float64Array[];
}

/** Comma, semicolon or tab, whichever the first line has. Quotes around names and numbers are dropped. */
export function readCsv(text: string, name: string): Table {
  const lines = text
    .replace(/^\ufeff/, "")
    .split(/\r\n|\n|\r/)
    .map((line, i) => ({ line, number: i + 1 }))
    .filter(({ line }) => line.trim() !== "");
  const [head, ...body] = lines;
  if (!head) return fail("file", `${name} is empty`, null);
  const separator = [",", ";", "\t"].find((s) => head.line.includes(s)) ?? ",";
  const names = cells(head.line, separator);
  checkNames(names, name);
  const columns = names.map(() => new Float64Array(body.length));
  body.forEach(({ line, number }, row) => {
    const values = cells(line, separator);
    if (values.length !== names.length)
      fail("data", `${name}:${number} has ${values.length} values, but its header has ${names.length} names`, null);
    values.forEach((value, i) => {
      columns[i]![row] = numberOf(value, `${name}:${number}: ${names[i]}`);
    });
  });
  return { names, rows: body.length, columns };
}

const cells = (line: string, separator: string) => line.split(separator).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));

function checkNames(names: readonly string[], name: string): void {
  if (names.every((n) => n !== "" && !Number.isNaN(Number(n))))
    fail("data", `${name}: the first line must be names, found numbers`, null, { help: "put a header line such as `x,y,label` on top" });
  const twice = names.find((n, i) => names.indexOf(n) !== i);
  if (twice !== undefined) fail("data", `${name}: the column \`${twice}\` appears twice`, null);
}

function numberOf(text: string, where: string): number {
  const value = text === "" ? Number.NaN : Number(text);
  if (Number.isNaN(value)) return fail("data", `${where} must be a number, found ${JSON.stringify(text)}`, null);
  return Number.isFinite(Math.fround(value)) ? value : fail("data", `${where} is ${text}, which is too large for f32`, null);
}
