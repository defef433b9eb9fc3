import { expect, test } from "vitest";
import { engines, refusal } from "./engines.ts";
import type { Answer } from "./job.ts";
import { type Record, rowsOf } from "./records.ts";
import { factor, milliseconds, speedTable, startTable } from "./table.ts";
import { works } from "./works.ts";

const [ours, other, single] = engines as readonly [(typeof engines)[0], (typeof engines)[0], (typeof engines)[0]];
const work = works.find((w) => w.name === "resnet18")!;
const answer = (median: number, result: readonly number[] = [1, -2], threads = 1): Answer => ({
  kind: "measured",
  times: { load: 10 * median, first: 2 * median, median },
  runs: 5,
  threads,
  result,
});
const record = (engine: (typeof engines)[0], a: Record["answer"], threads = 1): Record => ({ work, engine, threads, answer: a });
const cells = (text: string, line: number): readonly string[] =>
  text
    .split("\n")
    [line]!.split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());

test("a row has the median of the rounds of each engine, and how many times ours it is", () => {
  const records = [4, 40, 5].flatMap((ms, i) => [record(ours, answer(ms)), record(other, answer(10 * (i + 1)))]);
  const rows = rowsOf(records, ours);
  expect(rows).toHaveLength(1);
  expect(cells(speedTable(rows, [ours, other], ours), 2)).toEqual(["ResNet-18", "1", "5", "20 (4.00x)"]);
  expect(cells(startTable(rows, [ours, other]), 2)).toEqual(["ResNet-18", "50 + 10", "200 + 40"]);
});

test("a result that is not ours is no measurement, on one thread or more", () => {
  const records = [
    record(ours, answer(4)),
    record(other, answer(1, [1, -2.01])),
    record(other, answer(1, [1, -2, 0], 2), 2),
    record(ours, answer(4, [1, -2.0001], 2), 2),
  ];
  const [one, two] = rowsOf(records, ours);
  expect(one!.outcomes.get(other)).toMatchObject({ kind: "differs", why: "its result differs from ours by 0.005 of the largest number" });
  expect(two!.outcomes.get(other)).toMatchObject({ kind: "differs" });
  expect(two!.outcomes.get(ours)).toMatchObject({ kind: "measured" });
  expect(speedTable([one!], [ours, other], ours)).toContain(`[1] ${other.title}, ResNet-18: its result differs`);
});

test("what cannot be measured says why, each reason once", () => {
  const why = refusal(single, work, 2)!;
  const records = [2, 4].flatMap((threads) => [
    record(ours, answer(threads, [1], threads), threads),
    record(single, { kind: "refused", why }, threads),
    record(other, { kind: "failed", why: "no kernel" }, threads),
  ]);
  const table = speedTable(rowsOf(records, ours), [ours, other, single], ours);
  expect(cells(table, 2)).toEqual(["ResNet-18", "2", "2", "- [1]", "- [2]"]);
  expect(cells(table, 3)).toEqual(["ResNet-18", "4", "4", "- [1]", "- [2]"]);
  expect(table.split("\n").filter((l) => l.startsWith("["))).toEqual([`[1] ${other.title}, ResNet-18: no kernel.  `, `[2] ${why}.`]);
});

test("a round without an answer leaves the others", () => {
  const rounds = [record(ours, answer(4)), record(ours, { kind: "failed", why: "no answer within 60 s" }), record(ours, answer(6))];
  expect(rowsOf(rounds, ours)[0]!.outcomes.get(ours)).toMatchObject({ kind: "measured", rounds: 2, times: { median: 5 } });
});

test("an engine that starts fewer threads than asked for has no row of that many", () => {
  const [row] = rowsOf([record(ours, answer(4, [1], 2), 2), record(other, answer(4, [1], 1), 2)], ours);
  expect(row!.outcomes.get(other)).toEqual({ kind: "refused", why: "asked for 2 threads, it started 1" });
});

test("engines without training refuse steps", () => {
  const step = works.find((w) => w.kind === "training")!;
  expect(engines.filter((e) => refusal(e, step, 1) === null).map((e) => e.name)).toEqual(["dlm", "tfjs", "jax-js"]);
});

test("numbers have three digits", () => {
  expect([0.98765, 12.345, 99.96, 1234.5].map(milliseconds)).toEqual(["0.988", "12.3", "100", "1235"]);
  expect([0.5, 9.876, 12.34, 231.4].map(factor)).toEqual(["0.50x", "9.88x", "12.3x", "231x"]);
});
