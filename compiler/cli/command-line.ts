/** `dlm COMMAND ...`: finds the command, parses its flags, runs it. */
import { fail } from "../../ir/diagnostic.ts";
import { report } from "./errors.ts";
import { exit, type Io } from "./io.ts";
import { type Command, commandHelp, parseArguments, suggestion, table } from "./options.ts";
import { version } from "./version.ts";

/** Commands are loaded when called: `dlm --help` need not wait for a compiler. */
const commands: Readonly<Record<string, { readonly summary: string; readonly open: () => Promise<Command> }>> = {
  run: { summary: "run a model once", open: async () => (await import("./run.ts")).runCommand },
  check: { summary: "report mistakes", open: async () => (await import("./check.ts")).checkCommand },
  fmt: { summary: "format source files", open: async () => (await import("./fmt.ts")).fmtCommand },
  compile: { summary: "write the compiled model to a folder", open: async () => (await import("./compile.ts")).compileCommand },
  inspect: { summary: "show a stage of the compiler", open: async () => (await import("./inspect.ts")).inspectCommand },
  train: { summary: "train a model on data", open: async () => (await import("./train.ts")).trainCommand },
  eval: { summary: "loss and metrics on data", open: async () => (await import("./eval.ts")).evalCommand },
  bench: { summary: "measure an inference or a training step", open: async () => (await import("./bench.ts")).benchCommand },
  tune: { summary: "measure schedules and keep the fastest", open: async () => (await import("./tune.ts")).tuneCommand },
  diff: { summary: "compare targets, find what differs", open: async () => (await import("./diff.ts")).diffCommand },
  import: { summary: "read an ONNX model", open: async () => (await import("./import.ts")).importCommand },
  export: { summary: "write a model as ONNX", open: async () => (await import("./export.ts")).exportCommand },
  weights: { summary: "list, change or compare weight files", open: async () => (await import("./weights.ts")).weightsCommand },
};
/** Part of the plan, not of this version. */
const later = ["studio", "new"];

/** Runs the command line behind `dlm`; gives the exit code and never throws. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    return report(error, io);
  }
}

async function dispatch([name, ...rest]: readonly string[], io: Io): Promise<number> {
  if (name === undefined || name === "--help" || name === "-h" || name === "help") return printHelp(rest[0], name !== undefined, io);
  if (name === "--version" || name === "-v") {
    io.out(`${version()}\n`);
    return exit.fine;
  }
  const command = await commandOf(name);
  const args = parseArguments(command, rest);
  if (!args.has("help")) return command.run(args, io);
  io.out(commandHelp(command));
  return exit.fine;
}

async function commandOf(name: string): Promise<Command> {
  if (Object.hasOwn(commands, name)) return commands[name]!.open();
  if (later.includes(name)) return fail("flag", `\`dlm ${name}\` is not available yet`, null, { help: "`dlm --help` lists what is" });
  return fail("flag", `there is no command \`${name}\``, null, {
    help: suggestion(name, Object.keys(commands)) ?? "`dlm --help` lists them",
  });
}

async function printHelp(topic: string | undefined, asked: boolean, io: Io): Promise<number> {
  const rows = Object.entries(commands).map(([name, { summary }]) => [name, summary] as const);
  const general = `dlm ${version()}: compiles .dlm models to WebAssembly and WGSL\n\ndlm COMMAND ...\n\n${table(rows)}\n\n\`dlm COMMAND --help\` shows its options; docs/language.md in this package explains the language.\n`;
  const text = topic === undefined ? general : commandHelp(await commandOf(topic));
  (asked ? io.out : io.err)(text);
  return asked ? exit.fine : exit.mistake;
}
