/** Pictures to inputs on the device: a copy to a texture, and a kernel that writes its channels as planes from 0 to 1. */
import type { Field, Program } from "../../ir/program.ts";
import { sizeOf } from "../../ir/type.ts";
import { fail } from "../errors.ts";
import { channelsOf, pixelsOf } from "../foreign.ts";
import type { Picture } from "../gpu-types.ts";
import { bindingAlignment } from "./code.ts";
import { scoped } from "./device.ts";
import { type Buffers, fieldSpans } from "./memory.ts";

const textureUsage = { copyDst: 0x2, textureBinding: 0x4, renderAttachment: 0x10 } as const;
const edge = 8;

export interface Pictures {
  /** Makes what an input needs, once. */
  readonly open: (field: Field) => Promise<void>;
  /** Copies the pictures of an open input, of its size, behind all that has been submitted. */
  readonly write: (encoder: GPUCommandEncoder, field: Field, pictures: readonly Picture[]) => void;
  readonly dispose: () => void;
}
/** Of some pictures of an input: layers of one texture. */
interface Reader {
  readonly from: number;
  readonly count: number;
  readonly texture: GPUTexture;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

export function openPictures(program: Program, device: GPUDevice, buffers: Buffers): Pictures {
  const readers = new Map<string, readonly Reader[]>();
  const keyOf = ({ region, offset, shape }: Field): string => JSON.stringify([region, offset, shape]);
  return {
    open: async (field) => {
      const key = keyOf(field);
      if (!readers.has(key)) readers.set(key, await makeReaders(program, device, buffers, field));
    },
    write: (encoder, field, pictures) => {
      for (const { from, count, texture, pipeline, group } of readers.get(keyOf(field))!) {
        for (let i = 0; i < count; i++) upload(device, texture, i, field, pictures[from + i]!);
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(Math.ceil(texture.width / edge), Math.ceil(texture.height / edge), count);
        pass.end();
      }
    },
    dispose: () => {
      for (const { texture } of [...readers.values()].flat()) texture.destroy();
    },
  };
}

async function makeReaders(program: Program, device: GPUDevice, buffers: Buffers, field: Field): Promise<readonly Reader[]> {
  const made: Reader[] = [];
  try {
    for (const part of partsOf(device, buffers, field)) made.push(await makeReader(program, device, field, part));
    return made;
  } catch (e) {
    for (const { texture } of made) texture.destroy();
    throw e;
  }
}

/** Pictures that one texture takes, and their planes in one binding. */
interface Part {
  readonly from: number;
  readonly count: number;
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}
function partsOf({ limits }: GPUDevice, buffers: Buffers, field: Field): readonly Part[] {
  const each = 4 * sizeOf(field.shape.slice(-3));
  const most = Math.min(limits.maxTextureArrayLayers, Math.floor((limits.maxStorageBufferBindingSize - bindingAlignment) / each));
  return fieldSpans(buffers, field).flatMap(({ buffer, offset, at, bytes }) => {
    if (most < 1 || at % each || bytes % each)
      fail("input", `${field.name} lies in several buffers and takes no picture: give its numbers`);
    const [first, all] = [at / each, bytes / each];
    return Array.from({ length: Math.ceil(all / most) }, (_, i): Part => {
      const count = Math.min(most, all - i * most);
      return { from: first + i * most, count, buffer, offset: offset + i * most * each, bytes: count * each };
    });
  });
}

async function makeReader(program: Program, device: GPUDevice, field: Field, part: Part): Promise<Reader> {
  const [height, width] = field.shape.slice(-2) as [number, number];
  const { from, count, buffer, bytes } = part;
  const before = part.offset % bindingAlignment;
  const { value, accepted } = scoped(program, device, () => ({
    texture: device.createTexture({
      label: field.name,
      size: [width, height, count],
      format: "rgba8unorm",
      usage: textureUsage.copyDst | textureUsage.textureBinding | textureUsage.renderAttachment,
      // What the compatibility mode wants to know.
      textureBindingViewDimension: "2d-array",
    }),
    module: device.createShaderModule({
      label: field.name,
      code: planesShader({ count, channels: channelsOf(field)!, height, width }, before / 4),
    }),
  }));
  const { texture, module } = value;
  try {
    const pipeline = await device.createComputePipelineAsync({ label: field.name, layout: "auto", compute: { module } });
    await accepted;
    const bound = scoped(program, device, () =>
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [
          { binding: 0, resource: texture.createView({ dimension: "2d-array" }) },
          { binding: 1, resource: { buffer, offset: part.offset - before, size: before + bytes } },
        ],
      }),
    );
    await bound.accepted;
    return { from, count, texture, pipeline, group: bound.value };
  } catch (e) {
    texture.destroy();
    throw e;
  }
}

/** ImageData goes as it is; what the device does not copy (no browser takes all kinds) is read through a canvas. */
function upload(device: GPUDevice, texture: GPUTexture, layer: number, field: Field, picture: Picture): void {
  const to = { texture, origin: [0, 0, layer] };
  if (!("data" in picture) && copied(device, to, picture)) return;
  const { width, height, data } = pixelsOf(field, picture);
  device.queue.writeTexture(to, data, { bytesPerRow: 4 * width }, [width, height]);
}
function copied({ queue }: GPUDevice, to: GPUCopyExternalImageDestInfo, picture: Picture): boolean {
  try {
    queue.copyExternalImageToTexture({ source: picture as GPUCopyExternalImageSource }, to, [to.texture.width, to.texture.height]);
    return true;
  } catch {
    return false;
  }
}

interface Planes {
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}
/** The rules of `writePlanes` in foreign.ts; planes begin at an element of the binding. */
const planesShader = ({ count, channels, height, width }: Planes, first: number): string => {
  const coloured = channels >= 3;
  const values = [
    coloured ? "c.r" : "select(dot(c.rgb, vec3f(0.299, 0.587, 0.114)), c.r, c.r == c.g && c.g == c.b)",
    ...(coloured ? ["c.g", "c.b"] : []),
    ...(channels % 2 === 0 ? ["c.a"] : []),
  ];
  const plane = height * width;
  const stores = values.map((v, i) => `  planes[${first + i * plane}u + p] = ${v};`);
  return `@group(0) @binding(0) var pictures: texture_2d_array<f32>;
@group(0) @binding(1) var<storage, read_write> planes: array<f32, ${first + count * channels * plane}>;
@compute @workgroup_size(${edge}, ${edge})
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
  if (at.x >= ${width}u || at.y >= ${height}u) { return; }
  let c = textureLoad(pictures, at.xy, at.z, 0);
  let p = at.z * ${channels * plane}u + at.y * ${width}u + at.x;
${stores.join("\n")}
}
`;
};
