/** The record of a training run: a line of JSON per step and per validation, and curves of them. */
import { appendLines, isFile, type LineWriter, readText, writeAtomically } from "./files.ts";
import { type Curve, drawCharts } from "./plot.ts";

interface Values {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}
export type LogRecord = { readonly step: number; readonly epoch: number } & (
  | Values
  | { readonly validation: Values & { readonly examples: number } }
);

export interface TrainLog {
  readonly add: (record: LogRecord) => void;
  /** Draws the picture and closes the file. */
  readonly close: () => void;
}

/** A run that continues after `start` steps keeps what an earlier one recorded up to there. */
export function openLog(file: string | undefined, picture: string | undefined, start: number): TrainLog {
  const records = file !== undefined && start > 0 && isFile(file) ? readRecords(file).filter((r) => r.step <= start) : [];
  let lines: LineWriter | null = null;
  if (file !== undefined) {
    writeAtomically(file, records.map((r) => `${JSON.stringify(r)}\n`).join(""));
    lines = appendLines(file);
  }
  return {
    add: (record) => {
      if (picture !== undefined) records.push(record);
      lines?.write(JSON.stringify(record));
    },
    close: () => {
      lines?.close();
      if (picture !== undefined) writeAtomically(picture, drawRecords(records));
    },
  };
}

/** A crash may have cut the last line. */
const readRecords = (file: string): LogRecord[] =>
  readText(file)
    .split("\n")
    .flatMap((line) => {
      try {
        return line === "" ? [] : [JSON.parse(line) as LogRecord];
      } catch {
        return [];
      }
    });

function drawRecords(records: readonly LogRecord[]): string {
  const training = records.flatMap((r) => ("loss" in r ? [{ step: r.step, values: r as Values }] : []));
  const validation = records.flatMap((r) => ("validation" in r ? [{ step: r.step, values: r.validation as Values }] : []));
  const metrics = [...new Set([...training, ...validation].flatMap((p) => Object.keys(p.values.metrics)))];
  const chart = (title: string, value: (v: Values) => number | undefined) => {
    const curve = (name: string, from: typeof training): Curve => ({
      name,
      points: from.flatMap(({ step, values }) => {
        const y = value(values);
        return typeof y === "number" ? [[step, y] as const] : [];
      }),
    });
    const curves = [curve("training", training), ...(validation.length ? [curve("validation", validation)] : [])];
    return { title, curves };
  };
  return drawCharts([chart("loss", (v) => v.loss), ...metrics.map((m) => chart(m, (v) => v.metrics[m]))]);
}
