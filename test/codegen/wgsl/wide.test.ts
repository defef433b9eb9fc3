/** Elements by fours, and folds of few terms at several places at once. */
import { checkGraphs } from "./graphs.ts";

/** Extents of channels and of the image; a halo is in memory around what a convolution reads. */
const singleChannels = (channels: number, size: number, stride: number, out: number) => `graph g(%x: f32[2,${channels},${size},${size}]) {
    @w = param "w" f32[${channels},1,3,3]
    %0 = relu(%x) : f32[2,${channels},${size},${size}]
    %1 = conv2d(%0, @w) {padding=[1,1,1,1], stride=[${stride},${stride}], groups=${channels}} : f32[2,${channels},${out},${out}]
    %2 = relu(%1) : f32[2,${channels},${out},${out}]
    return y = %2
  }`;
const graphs: Record<
  string,
  { readonly text: string; readonly kernel: RegExp; readonly fours: boolean; readonly together?: number; readonly runs?: true }
> = {
  elements: {
    text: `graph g(%x: f32[3,5,8], %z: f32[8]) {
      %0 = mul(%x, %z) : f32[3,5,8]
      %1 = tanh(%0) : f32[3,5,8]
      return y = %1
    }`,
    kernel: /tanh/,
    fours: true,
    runs: true,
  },
  "rows that are no fours": {
    text: `graph g(%x: f32[6,10,10], %z: f32[6,10,10]) {
      %0 = less(%x, %z) : bool[6,10,10]
      %1 = where(%0, %x, %z) : f32[6,10,10]
      return y = %1
    }`,
    kernel: /where/,
    fours: true,
    runs: true,
  },
  "an odd number": {
    text: `graph g(%x: f32[3,5,7]) {
      %0 = exp(%x) : f32[3,5,7]
      return y = %0
    }`,
    kernel: /exp/,
    fours: false,
  },
  "what lies apart": {
    text: `graph g(%x: f32[12,20]) {
      %0 = permute(%x) {axes=[1,0]} : f32[20,12]
      %1 = exp(%0) : f32[20,12]
      return y = %1
    }`,
    kernel: /exp/,
    fours: false,
    runs: true,
  },
  "single channels": { text: singleChannels(8, 9, 1, 9), kernel: /conv2d/, fours: true, runs: true },
  "single channels of a large image": { text: singleChannels(12, 54, 1, 54), kernel: /conv2d/, fours: true, together: 2, runs: true },
  "single channels, at every other place": { text: singleChannels(20, 88, 2, 44), kernel: /conv2d/, fours: true, together: 2 },
  windows: {
    text: `graph g(%x: f32[2,8,9,9]) {
      @w = param "w" f32[8,8,3,3]
      %0 = conv2d(%x, @w) {padding=[1,1,1,1]} : f32[2,8,9,9]
      %1 = max_pool2d(%0) {kernel=[3,3], stride=[2,2], padding=[1,1,1,1]} : f32[2,8,5,5]
      return y = %1
    }`,
    kernel: /max_pool/,
    fours: true,
    runs: true,
  },
};
checkGraphs(
  Object.fromEntries(
    Object.entries(graphs).map(([name, { text, kernel, fours, together = 1, runs = false }]) => [
      name,
      {
        text,
        runs,
        complaints: (_made, shaders) =>
          shaders.flatMap(({ name: of, code }) => {
            const isWide = /b_y: array<vec4<f32>/.test(code);
            const written = code.match(/^ *b_y\[.*\] = /gm)?.length;
            return !kernel.test(of) || (isWide === fours && (!fours || written === together)) ? [] : [code];
          }),
      },
    ]),
  ),
);
