/** Folds that invocations of a workgroup share: what they compute. */
import { checkSchedules } from "./schedules.ts";

const graphs: Record<string, string> = {
  "long rows": `graph g(%x: f32[5,300]) {
    %0 = reduce_sum(%x) {axes=[1]} : f32[5]
    return y = %0
  }`,
  "short rows": `graph g(%x: f32[7,64]) {
    %0 = reduce_max(%x) {axes=[1]} : f32[7]
    return y = %0
  }`,
  columns: `graph g(%x: f32[77,21]) {
    %0 = reduce_sum(%x) {axes=[0]} : f32[21]
    return y = %0
  }`,
  images: `graph g(%x: f32[3,5,6,7]) {
    %0 = reduce_sum(%x) {axes=[0,2,3]} : f32[5]
    return y = %0
  }`,
  places: `graph g(%x: f32[6,100]) {
    %0 = floor(%x) : f32[6,100]
    %1 = argmax(%0) {axis=1} : i32[6]
    return y = %1
  }`,
  "one row": `graph g(%x: f32[1,200]) {
    @w = param "w" f32[200,24]
    %0 = matmul(%x, @w) : f32[1,24]
    %1 = tanh(%0) : f32[1,24]
    return y = %1
  }`,
  everything: `graph g(%x: f32[40,50]) {
    %0 = mul(%x, %x) : f32[40,50]
    %1 = reduce_sum(%0) {axes=[0,1]} : f32[]
    return y = %1
  }`,
};
const inParts: Record<string, string> = {
  "few long columns": `graph g(%x: f32[19999,3]) {
    %0 = mul(%x, %x) : f32[19999,3]
    %1 = reduce_sum(%0) {axes=[0]} : f32[3]
    %2 = sqrt(%1) : f32[3]
    return y = %2
  }`,
  "whole numbers of one row": `graph g(%x: f32[1,50001]) {
    %0 = full() {value=1000, dtype="f32", shape=[]} : f32[]
    %1 = mul(%x, %0) : f32[1,50001]
    %2 = cast(%1) {to="i32"} : i32[1,50001]
    %3 = reduce_max(%2) {axes=[1]} : i32[1]
    return y = %3
  }`,
};
await checkSchedules(graphs, (k) => k.buffers.some((b) => b.space === "workgroup"), new Set(Object.keys(graphs)));
await checkSchedules(inParts, (k) => k.buffers.some((b) => b.space === "global"), new Set(Object.keys(inParts)));
