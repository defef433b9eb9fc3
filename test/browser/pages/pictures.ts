/** Every kind of picture that a page has, as input of a program for WebGPU and of one for WebAssembly. */
import { gpuNeeds, load, type OutputValues, type Picture, programFromArtefact } from "../../../runtime/index.ts";
import { answer, file, json } from "./page.ts";

export interface PicturesTask {
  readonly width: number;
  readonly height: number;
  /** Four bytes a pixel. */
  readonly pixels: readonly number[];
}

async function picturesOf({ width, height, pixels }: PicturesTask): Promise<Readonly<Record<string, Picture>>> {
  const data = new ImageData(Uint8ClampedArray.from(pixels), width, height);
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d")!.putImageData(data, 0, 0);
  const offscreen = new OffscreenCanvas(width, height);
  offscreen.getContext("2d")!.putImageData(data, 0, 0);
  const frame = new VideoFrame(Uint8Array.from(pixels), { format: "RGBA", codedWidth: width, codedHeight: height, timestamp: 0 });
  return { data, canvas, offscreen, bitmap: await createImageBitmap(data), frame };
}
const opened = async (name: string) => programFromArtefact(await json(`${name}.json`), file);

await answer<PicturesTask>(async (task) => {
  const pictures = await picturesOf(task);
  const results: Record<string, number[]> = {};
  const keep = (name: string, values: OutputValues): void => {
    results[name] = Array.from(values);
  };
  const program = await opened("wgsl");
  const adapter = (await navigator.gpu.requestAdapter())!;
  const gpuDevice = await adapter.requestDevice(gpuNeeds(program));
  const [onGpu, onWasm] = [await load(program, { gpuDevice }), await load(await opened("wasm"))];
  for (const [name, image] of Object.entries(pictures)) {
    keep(`${name} on wgsl`, (await onGpu.run({ image })).out!);
    keep(`${name} on wasm`, (await onWasm.run({ image })).out!);
  }
  for (const target of ["wgsl", "wasm"]) {
    const net = await load(await opened(`batch-${target}`));
    keep(`all on ${target}`, (await net.run({ image: Object.values(pictures) })).out!);
    await net.dispose();
  }
  const { out } = await onGpu.run({ image: pictures.bitmap! }, { outputs: "gpu" });
  keep("twice", (await onGpu.run({ image: out! })).out!);
  await Promise.all([onGpu.dispose(), onWasm.dispose()]);
  return { results };
});
