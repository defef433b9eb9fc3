/** Products in tiles: what they compute. */
import { checkSchedules } from "./schedules.ts";

const graphs: Record<string, string> = {
  "full tiles": `graph g(%x: f32[64,32]) {
    @w = param "w" f32[32,64]
    %0 = matmul(%x, @w) : f32[64,64]
    %1 = relu(%0) : f32[64,64]
    return y = %1
  }`,
  "ragged tiles": `graph g(%x: f32[70,27]) {
    @w = param "w" f32[27,45]
    @b = param "b" f32[45]
    %0 = matmul(%x, @w) : f32[70,45]
    %1 = add(%0, @b) : f32[70,45]
    return y = %1
  }`,
  "a transposed operand": `graph g(%x: f32[40,24]) {
    @w = param "w" f32[36,24]
    %0 = permute(@w) {axes=[1,0]} : f32[24,36]
    %1 = matmul(%x, %0) : f32[40,36]
    return y = %1
  }`,
  "the other one": `graph g(%x: f32[24,40], %w: f32[24,36]) {
    %0 = permute(%x) {axes=[1,0]} : f32[40,24]
    %1 = matmul(%0, %w) : f32[40,36]
    return y = %1
  }`,
  "several products": `graph g(%x: f32[3,20,16], %w: f32[3,16,24]) {
    %0 = matmul(%x, %w) : f32[3,20,24]
    return y = %0
  }`,
  "a sum in parts": `graph g(%x: f32[16,272], %w: f32[272,16]) {
    %0 = matmul(%x, %w) : f32[16,16]
    %1 = relu(%0) : f32[16,16]
    return y = %1
  }`,
  "a ragged sum in parts": `graph g(%x: f32[18,274], %w: f32[274,15]) {
    %0 = matmul(%x, %w) : f32[18,15]
    return y = %0
  }`,
  "few columns": `graph g(%x: f32[4,3,12,12]) {
    @w = param "w" f32[6,3,3,3]
    %0 = conv2d(%x, @w) {padding=[1,1,1,1]} : f32[4,6,12,12]
    return y = %0
  }`,
  "a halo": `graph g(%x: f32[2,16,9,9]) {
    @w = param "w" f32[24,16,3,3]
    @v = param "v" f32[16,24,3,3]
    %0 = conv2d(%x, @w) {padding=[1,1,1,1], stride=[2,2]} : f32[2,24,5,5]
    %1 = relu(%0) : f32[2,24,5,5]
    %2 = conv2d(%1, @v) {padding=[1,1,1,1]} : f32[2,16,5,5]
    return y = %2
  }`,
  groups: `graph g(%x: f32[2,32,6,6]) {
    @w = param "w" f32[32,16,3,3]
    %0 = conv2d(%x, @w) {padding=[1,1,1,1], groups=2} : f32[2,32,6,6]
    return y = %0
  }`,
  "a gradient whose padded image has fewer channels than a tile": `graph g(%x: f32[5,24,1,33], %dy: f32[5,33,1,17]) {
    %0 = conv2d_weight_grad(%x, %dy) {padding=[0,0,0,1], stride=[1,2], shape=[33,24,1,1]} : f32[33,24,1,1]
    return dw = %0
  }`,
  gradients: `graph g(%x: f32[2,8,8,8], %dy: f32[2,16,4,4]) {
    @w = param "w" f32[16,8,3,3]
    %0 = conv2d_weight_grad(%x, %dy) {padding=[1,1,1,1], stride=[2,2], shape=[16,8,3,3]} : f32[16,8,3,3]
    %1 = conv2d_input_grad(%dy, @w) {padding=[1,1,1,1], stride=[2,2], shape=[2,8,8,8]} : f32[2,8,8,8]
    return dx = %1, dw = %0
  }`,
};
/** Software adapters take long to compile a tile. */
const run = new Set(["ragged tiles", "a transposed operand", "a ragged sum in parts", "a halo", "gradients"]);
await checkSchedules(graphs, (k) => /^(matmul|conv2d)/.test(k.name), run);
