/** How far long work is: a bar on a terminal, a line now and then in a pipe. */
import type { Io } from "./io.ts";

export interface Progress {
  /** `done` of the total; `text` is asked for only when shown. */
  readonly update: (done: number, text: () => string) => void;
  /** A line of its own, above the bar. */
  readonly line: (text: string) => void;
  readonly end: () => void;
}

const redrawEvery = 80;
/** Lines that a pipe gets for the whole work. */
const pipeLines = 10;

export const progressOf = (io: Io, total: number, label: string): Progress =>
  io.columns === null ? lines(io, total, label) : bar(io, total, label, io.columns);

/** Erases the terminal's current line. */
const clear = "\r\u001b[K";

/** Says on a terminal what takes a while, until it is over; what the work itself has to say stays. */
export async function during<T>(io: Io, label: string, work: (io: Io) => Promise<T>): Promise<T> {
  if (io.columns === null) return work(io);
  const shown = `${label} ...`.slice(0, io.columns - 1);
  io.err(shown);
  try {
    return await work({ ...io, err: (text) => io.err(`${clear}${text}${text.endsWith("\n") ? shown : ""}`) });
  } finally {
    io.err(clear);
  }
}

/** What is over sooner has no progress of its own. */
const quietFor = 3000;
/** As `progressOf`, of work that is often over at once: only from some seconds on. The total may grow. */
export function lateProgress(io: Io, label: string): (done: number, total: number) => void {
  const start = io.now();
  let [shown, of]: [Progress | null, number] = [null, 0];
  return (done, total) => {
    if (!shown && (done >= total || io.now() - start < quietFor)) return;
    if (!shown || total !== of) [shown, of] = [progressOf(io, total, label), total];
    shown.update(done, () => "");
    if (done >= total) shown.end();
  };
}

function bar(io: Io, total: number, label: string, columns: number): Progress {
  let shown = Number.NEGATIVE_INFINITY;
  return {
    update: (done, text) => {
      if (io.now() - shown < redrawEvery && done < total) return;
      shown = io.now();
      io.err(clear + `${label} ${drawBar(done / total)} ${done}/${total}  ${text()}`.slice(0, columns - 1));
    },
    line: (text) => io.err(`${clear}${text}\n`),
    end: () => io.err(clear),
  };
}
const barWidth = 20;
const drawBar = (share: number): string => {
  const full = Math.floor(Math.min(1, share) * barWidth);
  return `[${"=".repeat(full)}${" ".repeat(barWidth - full)}]`;
};

function lines(io: Io, total: number, label: string): Progress {
  let tenth = -1;
  return {
    update: (done, text) => {
      const now = Math.floor((done / total) * pipeLines);
      if (tenth >= 0 && now === tenth && done < total) return;
      tenth = now;
      io.err(`${label} ${done}/${total}  ${text()}\n`);
    },
    line: (text) => io.err(`${text}\n`),
    end: () => undefined,
  };
}

/** `1:05`, `2:03:04`. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** About four significant digits: `0.03281`, `1.251e-5`, `12345`. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(3);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** `1.2 kB`, in powers of ten. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  return power === 0 ? `${count} B` : `${(count / 1000 ** power).toFixed(count / 1000 ** power < 10 ? 2 : 1)} ${units[power]}`;
}

/** `1.2 M`, in powers of ten. */
export function scaled(count: number): string {
  const units = ["", " k", " M", " G", " T", " P"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  return power === 0 ? String(count) : `${(count / 1000 ** power).toPrecision(3)}${units[power]}`;
}

/** `1.25 ms`, `812 ms`. */
export const milliseconds = (ms: number): string => `${ms < 100 ? Number(ms.toPrecision(3)) : Math.round(ms)} ms`;
