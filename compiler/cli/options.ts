/** Flags of commands: declared as data, parsed, explained. */
import { parseArgs } from "node:util";
import { fail } from "../../ir/diagnostic.ts";
import type { Io } from "./io.ts";

export interface Option {
  /** What its value is called in the help; absent: a switch. */
  readonly value?: string;
  readonly repeat?: boolean;
  readonly short?: string;
  readonly help: string;
}
export type Options = Readonly<Record<string, Option>>;

export interface Command {
  readonly name: string;
  /** Behind the name: `FILE --data SPEC`. */
  readonly usage: string;
  readonly summary: string;
  /** Further paragraphs of the help. */
  readonly details?: string;
  /** Number of files: one, or one and more. */
  readonly files: "one" | "many";
  readonly options: Options;
  /** The exit code. */
  readonly run: (args: Arguments, io: Io) => Promise<number>;
}
export interface Arguments {
  readonly files: readonly string[];
  readonly has: (option: string) => boolean;
  /** The last one given. */
  readonly get: (option: string) => string | undefined;
  readonly all: (option: string) => readonly string[];
}

export const helpOption: Options = { help: { short: "h", help: "show this" } };

/** Splits `argv` by the command's options; unknown ones, missing values and a wrong number of files are the user's mistakes. */
export function parseArguments(command: Command, argv: readonly string[]): Arguments {
  const options: Options = { ...command.options, ...helpOption };
  const given = new Map<string, string[]>();
  const files: string[] = [];
  for (const token of tokensOf(options, argv)) {
    if (token.kind === "positional") files.push(token.value);
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name]! : unknownOption(command, options, token.rawName);
    given.set(token.name, [...(given.get(token.name) ?? []), checkValue(option, token.rawName, token.value)]);
  }
  if (!given.has("help")) checkFiles(command, files);
  return { files, has: (name) => given.has(name), get: (name) => given.get(name)?.at(-1), all: (name) => given.get(name) ?? [] };
}

function tokensOf(options: Options, argv: readonly string[]) {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { value, short }]) => [
      name,
      { type: value === undefined ? ("boolean" as const) : ("string" as const), ...(short ? { short } : {}) },
    ]),
  );
  return parseArgs({ args: [...argv], options: config, strict: false, allowPositionals: true, tokens: true }).tokens;
}

function checkValue(option: Option, raw: string, value: string | undefined): string {
  if (option.value === undefined && value !== undefined) return fail("flag", `\`${raw}\` takes no value`, null);
  if (option.value !== undefined && (value === undefined || value.startsWith("--")))
    return fail("flag", `\`${raw}\` needs a value`, null, { help: `write ${raw} ${option.value}` });
  return value ?? "";
}

function unknownOption(command: Command, options: Options, raw: string): never {
  const known = Object.keys(options).map((name) => `--${name}`);
  return fail("flag", `\`dlm ${command.name}\` has no option \`${raw}\``, null, {
    help: suggestion(raw, known) ?? `\`dlm ${command.name} --help\` lists them`,
  });
}

function checkFiles(command: Command, files: readonly string[]): void {
  const help = { help: `usage: dlm ${command.name} ${command.usage}` };
  if (files.length === 0) fail("flag", `\`dlm ${command.name}\` needs a file`, null, help);
  if (command.files === "one" && files.length > 1)
    fail("flag", `\`dlm ${command.name}\` takes one file, found ${files.map((f) => `\`${f}\``).join(" and ")}`, null, help);
}

/* ---- help ---- */

export function commandHelp({ name, usage, summary, details, options }: Command): string {
  const rows = Object.entries({ ...options, ...helpOption }).map(([option, { value, short, repeat, help }]): [string, string] => [
    `${short ? `-${short}, ` : ""}--${option}${value ? ` ${value}` : ""}`,
    repeat ? `${help} (may repeat)` : help,
  ]);
  return `dlm ${name} ${usage}\n\n${summary}\n${details ? `\n${details}\n` : ""}\n${table(rows)}\n`;
}

export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd()).join("\n");
}

/** `did you mean ...?`, when one of `known` is near. */
export function suggestion(word: string, known: readonly string[]): string | null {
  const scored = known.map((k) => ({ k, d: editDistance(word, k) })).sort((a, b) => a.d - b.d)[0];
  return scored && scored.d <= Math.max(1, Math.floor(word.replace(/^-+/, "").length / 3)) ? `did you mean \`${scored.k}\`?` : null;
}

/** Insertions, deletions, replacements and swaps of neighbours that make `b` of `a` (Damerau). */
export function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const [above, row] = [rows[i - 1]!, [i]];
    for (let j = 1; j <= b.length; j++) {
      const cost = Math.min(row[j - 1]! + 1, above[j]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(swapped ? Math.min(cost, rows[i - 2]![j - 2]! + 1) : cost);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
