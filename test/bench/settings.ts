/** The command line of `peers.ts`; parts of it serve `webgpu.ts`. */
import { parseArgs } from "node:util";
import { type Engine, engines } from "./engines.ts";
import { works } from "./works.ts";

export function chosen<T extends { readonly name: string }>(all: readonly T[], flag: string, names: string | undefined): readonly T[] {
  if (names === undefined) return all;
  return names.split(",").map((name) => {
    const found = all.find((a) => a.name === name);
    if (!found) throw new RangeError(`--${flag}: there is no ${name}; known are ${all.map((a) => a.name).join(", ")}`);
    return found;
  });
}
export function count(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`--${flag}: ${text} is no whole number above 0`);
  return value;
}

export function settings() {
  const { values } = parseArgs({
    options: {
      works: { type: "string" },
      peers: { type: "string" },
      threads: { type: "string", default: "1,2" },
      rounds: { type: "string", default: "3" },
      budget: { type: "string", default: "1000" },
      limit: { type: "string", default: "600" },
      json: { type: "string" },
    },
  });
  const [ours, ...others] = engines as readonly [Engine, ...Engine[]];
  return {
    works: chosen(works, "works", values.works),
    engines: [ours, ...chosen(others, "peers", values.peers)],
    ours,
    threads: values.threads.split(",").map((t) => count("threads", t)),
    rounds: count("rounds", values.rounds),
    budget: count("budget", values.budget),
    limit: count("limit", values.limit),
    json: values.json ?? null,
  };
}
export type Settings = ReturnType<typeof settings>;
