import { expect, test } from "vitest";
import type { Io } from "../../../compiler/cli/io.ts";
import { lateProgress } from "../../../compiler/cli/progress.ts";

/** What is said of ten pieces of work that take so many milliseconds each. */
function said(each: number, columns: number | null): string {
  let [text, time] = ["", 0];
  const io: Pick<Io, "err" | "now" | "columns"> = {
    columns,
    now: () => time,
    err: (t) => {
      text += t;
    },
  };
  const tell = lateProgress(io as Io, "kernel");
  for (let done = 1; done <= 10; done++) {
    time += each;
    tell(done, 10);
  }
  return text;
}

test("work that is over at once says nothing", () => {
  expect([said(100, null), said(100, 80)]).toEqual(["", ""]);
});

test("long work has lines in a pipe from some seconds on", () => {
  expect(said(1000, null)).toBe(
    "kernel 3/10  \nkernel 4/10  \nkernel 5/10  \nkernel 6/10  \nkernel 7/10  \nkernel 8/10  \nkernel 9/10  \nkernel 10/10  \n",
  );
});

test("the total may grow", () => {
  let time = 0;
  const said: string[] = [];
  const io: Pick<Io, "err" | "now" | "columns"> = { columns: null, now: () => time, err: (t) => said.push(t) };
  const tell = lateProgress(io as Io, "kernel");
  time = 4000;
  for (const [done, total] of [
    [1, 2],
    [2, 4],
    [4, 4],
  ] as const)
    tell(done, total);
  expect(said).toEqual(["kernel 1/2  \n", "kernel 2/4  \n", "kernel 4/4  \n"]);
});

test("and on a terminal a bar that is gone in the end", () => {
  const text = said(1000, 80);
  expect(text).toContain("kernel [======              ] 3/10");
  expect(text.endsWith("\r\u001b[K")).toBe(true);
});
