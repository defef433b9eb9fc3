/** The plan as a person reads it: sizes, the ratio to the lower bound, and a picture of the arena over time. */
import type { Entry, Plan } from "../../ir/plan.ts";
import type { Region } from "../../ir/program.ts";

const regions: readonly Region[] = ["control", "parameters", "optimizer", "state", "prepared", "io", "arena", "scratch"];

export function printPlan(plan: Plan): string {
  const sizes = regions.map((r) => `  ${r.padEnd(11)}${String(plan.sizes[r]).padStart(12)} bytes${pagesOf(plan.pages?.[r])}`);
  return [`plan ${plan.name}`, ...sizes, ...plan.entries.flatMap((e) => ["", ...printEntry(e)]), ""].join("\n");
}
const pagesOf = (starts: readonly number[] | undefined): string =>
  starts ? `, ${starts.length} pages that begin at ${starts.join(", ")}` : "";
const ratioOf = (bytes: number, bound: number): string => (bound === 0 ? "1.000" : (bytes / bound).toFixed(3));

function printEntry(e: Entry): string[] {
  const bytes = e.arenaBytes;
  const head = `entry ${e.name}: ${e.calls.length} calls, arena ${bytes} bytes, lower bound ${e.lowerBound}, ratio ${ratioOf(bytes, e.lowerBound)}`;
  const calls = e.calls.map(
    (c, i) => `  ${String(i).padStart(4)}  ${c.kernel}(${c.args.map((a) => `${a.region}+${a.offset}`).join(", ")})`,
  );
  return [head, ...calls, ...picture(e, bytes)];
}

const columns = 72;
const rows = 24;
/** Time runs to the right, addresses upward; equal letters are one tensor. */
function picture(e: Entry, bytes: number): string[] {
  if (bytes === 0 || e.calls.length === 0) return [];
  const width = Math.min(columns, e.calls.length);
  const grid = Array.from({ length: rows }, () => Array.from({ length: width }, () => "."));
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  e.intervals.forEach((t, n) => {
    const letter = letters[n % letters.length]!;
    const x = (call: number) => Math.floor((call * width) / e.calls.length);
    const y = (at: number) => Math.min(rows - 1, Math.floor((at * rows) / bytes));
    for (let row = y(t.offset); row <= y(t.offset + t.bytes - 1); row++)
      for (let c = x(t.first); c <= x(t.last); c++) grid[rows - 1 - row]![c] = letter;
  });
  const largest = [...e.intervals].map((t, n) => ({ t, letter: letters[n % letters.length]! })).sort((a, b) => b.t.bytes - a.t.bytes);
  const legend = largest
    .slice(0, 8)
    .map(
      ({ t, letter }) =>
        `    ${letter} ${t.name}: ${t.bytes} bytes${t.stored ? ` as ${t.stored}` : ""} at ${t.offset}, calls ${t.first}..${t.last}`,
    );
  return ["", ...grid.map((r) => `    |${r.join("")}|`), `    0 ${"call".padStart(width - 6)} ${e.calls.length - 1}`, ...legend];
}
