/** Graphs whose stages go by the same rows, for both kinds of target. */
export const softmax = (rows: number, n: number) => `graph g(%x: f32[${rows},${n}]) {
    %0 = softmax(%x) {axis=1} : f32[${rows},${n}]
    return y = %0
  }`;
export const normalised = (shape: string, rest: string, width: number | string, axes: string) => `graph g(%x: f32[${shape}]) {
    @w = param "w" f32[${width}]
    %0 = mean(%x) {axes=[${axes}], keepdims=true} : f32[${rest}]
    %1 = variance(%x) {axes=[${axes}], keepdims=true} : f32[${rest}]
    %2 = sub(%x, %0) : f32[${shape}]
    %3 = full() {value=0.00001, dtype="f32", shape=[]} : f32[]
    %4 = add(%1, %3) : f32[${rest}]
    %5 = sqrt(%4) : f32[${rest}]
    %6 = div(%2, %5) : f32[${shape}]
    %7 = mul(%6, @w) : f32[${shape}]
    return y = %7
  }`;
/** Forward and what gradients need of it: values that others read are further results. */
export const backward = (rows: number, n: number) => `graph g(%x: f32[${rows},${n}], %dy: f32[${rows},${n}]) {
    %0 = softmax(%x) {axis=1} : f32[${rows},${n}]
    %1 = mul(%dy, %0) : f32[${rows},${n}]
    %2 = reduce_sum(%1) {axes=[1], keepdims=true} : f32[${rows},1]
    %3 = sub(%dy, %2) : f32[${rows},${n}]
    %4 = mul(%0, %3) : f32[${rows},${n}]
    %5 = reduce_sum(%4) {axes=[0], keepdims=false} : f32[${n}]
    return columns = %5
  }`;
/** A row's largest element and its place without axes kept, and what depends on both. */
export const places = (rows: number, n: number) => `graph g(%x: f32[${rows},${n}]) {
    %0 = argmax(%x) {axis=1} : i32[${rows}]
    %1 = reduce_max(%x) {axes=[1]} : f32[${rows}]
    %2 = cast(%0) {to="f32"} : f32[${rows}]
    %3 = mul(%1, %2) : f32[${rows}]
    %4 = reshape(%3) {shape=[${rows},1]} : f32[${rows},1]
    %5 = sub(%x, %4) : f32[${rows},${n}]
    %6 = exp(%5) : f32[${rows},${n}]
    return y = %6
  }`;
export const integers = (rows: number, n: number) => `graph g(%x: i32[${rows},${n}]) {
    %0 = reduce_max(%x) {axes=[1], keepdims=true} : i32[${rows},1]
    %1 = sub(%x, %0) : i32[${rows},${n}]
    %2 = reduce_sum(%1) {axes=[1], keepdims=true} : i32[${rows},1]
    %3 = mul(%1, %2) : i32[${rows},${n}]
    return y = %3
  }`;
/** Cosine similarity of rows, whose rows are numbered by two axes, then one of joined ones. */
export const similarity = `graph g(%x: f32[3,5,40], %z: f32[15,40]) {
    %0 = mul(%x, %x) : f32[3,5,40]
    %1 = reduce_sum(%0) {axes=[2], keepdims=true} : f32[3,5,1]
    %2 = sqrt(%1) : f32[3,5,1]
    %3 = div(%x, %2) : f32[3,5,40]
    %4 = reshape(%3) {shape=[15,40]} : f32[15,40]
    %5 = mul(%z, %z) : f32[15,40]
    %6 = reduce_sum(%5) {axes=[1], keepdims=true} : f32[15,1]
    %7 = sqrt(%6) : f32[15,1]
    %8 = div(%z, %7) : f32[15,40]
    %9 = mul(%4, %8) : f32[15,40]
    %10 = reduce_sum(%9) {axes=[1]} : f32[15]
    return y = %10
  }`;
