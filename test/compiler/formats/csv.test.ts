import { expect, test } from "vitest";
import { readCsv } from "../../../compiler/formats/csv.ts";

test("names and numbers", () => {
  const table = { names: ["x", "y"], rows: 2, columns: [Float64Array.of(1, 3), Float64Array.of(2.5, -1e3)] };
  expect(readCsv("x,y\n1,2.5\n3,-1e3\n", "t.csv")).toEqual(table);
  expect(readCsv('\ufeff"x"; "y"\r\n1;"2.5"\r\n\r\n3; -1e3', "t.csv")).toEqual(table);
});
test("refusals name the line", () => {
  expect(() => readCsv("", "t.csv")).toThrow("error[file]: t.csv is empty");
  expect(() => readCsv("x,y\n1,2\n3\n", "t.csv")).toThrow("error[data]: t.csv:3 has 1 values, but its header has 2 names");
  expect(() => readCsv("x,y\n1,cat\n", "t.csv")).toThrow('error[data]: t.csv:2: y must be a number, found "cat"');
  expect(() => readCsv("x,y\n1,\n", "t.csv")).toThrow('error[data]: t.csv:2: y must be a number, found ""');
  expect(() => readCsv("1,2\n3,4\n", "t.csv")).toThrow("error[data]: t.csv: the first line must be names, found numbers");
  for (const large of ["1e999", "-1e39", "Infinity"])
    expect(() => readCsv(`x\n${large}\n`, "t.csv")).toThrow(`error[data]: t.csv:2: x is ${large}, which is too large for f32`);
  expect(() => readCsv("x,x\n3,4\n", "t.csv")).toThrow("error[data]: t.csv: the column `x` appears twice");
});
