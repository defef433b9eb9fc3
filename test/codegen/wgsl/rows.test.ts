/** Stages that go by the same rows in one kernel: of odd shapes. */
import { backward, integers, normalised, places, similarity, softmax } from "../../compiler/schedule/row-graphs.ts";
import { checkGraphs } from "./graphs.ts";

const crossEntropy = (rows: number, n: number) => `graph g(%x: f32[${rows},${n}], %id: i32[${rows}]) {
    %0 = log_softmax(%x) {axis=1} : f32[${rows},${n}]
    %1 = reshape(%id) {shape=[${rows},1]} : i32[${rows},1]
    %2 = iota() {axis=1, dtype="i32", shape=[1,${n}]} : i32[1,${n}]
    %3 = equal(%1, %2) : bool[${rows},${n}]
    %4 = full() {value=0, dtype="f32", shape=[]} : f32[]
    %5 = where(%3, %0, %4) : f32[${rows},${n}]
    %6 = reduce_sum(%5) {axes=[1]} : f32[${rows}]
    %7 = neg(%6) : f32[${rows}]
    return loss = %7
  }`;
/** Every element is read where another one stands, too: by another invocation. */
const turned = (rows: number, n: number) => `graph g(%x: f32[${rows},${n}]) {
    %0 = reduce_sum(%x) {axes=[1], keepdims=true} : f32[${rows},1]
    %1 = sub(%x, %0) : f32[${rows},${n}]
    %2 = exp(%1) : f32[${rows},${n}]
    %3 = tanh(%2) : f32[${rows},${n}]
    %4 = reduce_max(%3) {axes=[1], keepdims=true} : f32[${rows},1]
    %5 = slice(%3) {starts=[0,1], limits=[${rows},${n}], steps=[1,1]} : f32[${rows},${n - 1}]
    %6 = slice(%3) {starts=[0,0], limits=[${rows},1], steps=[1,1]} : f32[${rows},1]
    %7 = concat(%5, %6) {axis=1} : f32[${rows},${n}]
    %8 = mul(%7, %4) : f32[${rows},${n}]
    return y = %8
  }`;
/** The next stage reads, at once, elements that other invocations have made: nothing but a barrier of their own makes it wait. */
const beside = (rows: number, n: number) => `graph g(%x: f32[${rows},${n}]) {
    %0 = reduce_sum(%x) {axes=[1], keepdims=true} : f32[${rows},1]
    %1 = sub(%x, %0) : f32[${rows},${n}]
    %2 = tanh(%1) : f32[${rows},${n}]
    %3 = slice(%2) {starts=[0,1], limits=[${rows},${n}], steps=[1,1]} : f32[${rows},${n - 1}]
    %4 = slice(%2) {starts=[0,0], limits=[${rows},1], steps=[1,1]} : f32[${rows},1]
    %5 = concat(%3, %4) {axis=1} : f32[${rows},${n}]
    %6 = mul(%5, %2) : f32[${rows},${n}]
    %7 = reduce_sum(%6) {axes=[1], keepdims=true} : f32[${rows},1]
    %8 = mul(%2, %7) : f32[${rows},${n}]
    return y = %8
  }`;
/** What a row comes to is made with another value of the row, which is not there beyond the last row: the interpreter tells. */
const weighted = (rows: number, n: number) => `graph g(%x: f32[${rows},${n}], %w: f32[${rows},1]) {
    %0 = reduce_sum(%x) {axes=[1], keepdims=true} : f32[${rows},1]
    %1 = mul(%0, %w) : f32[${rows},1]
    %2 = mul(%x, %1) : f32[${rows},${n}]
    return y = %2
  }`;
/** Two readers of one row: a softmax, and a normalisation of the same values. */
const shared = `graph g(%x: f32[24,33]) {
    %a = exp(%x) : f32[24,33]
    %m = reduce_sum(%a) {axes=[1], keepdims=true} : f32[24,1]
    %y = div(%a, %m) : f32[24,33]
    %q = mul(%a, %m) : f32[24,33]
    %s = reduce_sum(%q) {axes=[1], keepdims=true} : f32[24,1]
    %z = div(%q, %s) : f32[24,33]
    return y = %y, z = %z
  }`;

interface Rows {
  readonly text: string;
  /** Kernels of the graph. */
  readonly kernels: number;
  readonly runs?: true;
}
const cases: Record<string, Rows> = {
  "softmax of rows of 1": { text: softmax(40, 1), kernels: 1 },
  "softmax of rows of 3": { text: softmax(40, 3), kernels: 1, runs: true },
  "softmax of rows of 7": { text: softmax(41, 7), kernels: 1 },
  "softmax of 37 rows of 100": { text: softmax(37, 100), kernels: 1, runs: true },
  "softmax of rows of 1000": { text: softmax(9, 1000), kernels: 1 },
  "softmax of rows of 3001": { text: softmax(2, 3001), kernels: 1, runs: true },
  "softmax of rows of 5003": { text: softmax(17, 5003), kernels: 1 },
  "softmax of one row": { text: softmax(1, 50), kernels: 1, runs: true },
  "cross entropy": { text: crossEntropy(19, 45), kernels: 1, runs: true },
  "cross entropy of long rows": { text: crossEntropy(16, 4100), kernels: 1 },
  "normalised rows": { text: normalised("6,5,36", "6,5,1", "36", "2"), kernels: 1 },
  "normalised over two axes": { text: normalised("9,4,20", "9,1,1", "4,20", "1,2"), kernels: 1, runs: true },
  "normalised over an axis in the middle": { text: normalised("6,20,12", "6,1,12", "12", "1"), kernels: 1, runs: true },
  "normalised over all but one": { text: normalised("3,21,4,5", "1,21,1,1", "21,1,1", "0,2,3"), kernels: 1, runs: true },
  "softmax and its gradient, then columns": { text: backward(34, 21), kernels: 2, runs: true },
  "places of the largest": { text: places(33, 30), kernels: 1, runs: true },
  "whole numbers": { text: integers(18, 27), kernels: 1 },
  "rows numbered in two ways": { text: similarity, kernels: 1 },
  "rows that are turned": { text: turned(5, 50), kernels: 1, runs: true },
  "rows whose neighbours are read at once": { text: beside(5, 50), kernels: 1, runs: true },
  "weighted rows, fewer than invocations": { text: weighted(41, 7), kernels: 1, runs: true },
  "two readers": { text: shared, kernels: 2 },
};
checkGraphs(
  Object.fromEntries(
    Object.entries(cases).map(([name, { text, kernels, runs = false }]) => [
      name,
      { text, runs, complaints: (made) => (made.length === kernels ? [] : made.map((k) => k.name)) },
    ]),
  ),
);
