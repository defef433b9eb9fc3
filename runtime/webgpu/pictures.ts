/** Pictures to inputs on the device: a copy to a texture, and a kernel that writes its channels as planes from 0 to 1. */
import type { Field, Program } from "../../ir/program.ts";
import { fail } from "../errors.ts";
import { channelsOf, pixelsOf } from "../foreign.ts";
import type { Picture } from "../gpu-types.ts";
import { scoped } from "./device.ts";
import { type Buffers, fieldSpans, type Span } from "./memory.ts";

const textureUsage = { copyDst: 0x2, textureBinding: 0x4, renderAttachment: 0x10 } as const;
const edge = 8;

export interface Pictures {
  /** Makes what an input needs, once. */
  readonly open: (field: Field) => Promise<void>;
  /** Copies a picture of an open input, of its size, behind all that has been submitted. */
  readonly write: (encoder: GPUCommandEncoder, field: Field, picture: Picture) => void;
  readonly dispose: () => void;
}
interface Reader {
  readonly texture: GPUTexture;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

export function openPictures(program: Program, device: GPUDevice, buffers: Buffers): Pictures {
  const readers = new Map<string, Reader>();
  const keyOf = ({ region, offset, shape }: Field): string => JSON.stringify([region, offset, shape]);
  return {
    open: async (field) => {
      const key = keyOf(field);
      if (!readers.has(key)) readers.set(key, await makeReader(program, device, buffers, field));
    },
    write: (encoder, field, picture) => {
      const { texture, pipeline, group } = readers.get(keyOf(field))!;
      upload(device, texture, field, picture);
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(Math.ceil(texture.width / edge), Math.ceil(texture.height / edge));
      pass.end();
    },
    dispose: () => {
      for (const { texture } of readers.values()) texture.destroy();
    },
  };
}

async function makeReader(program: Program, device: GPUDevice, buffers: Buffers, field: Field): Promise<Reader> {
  const [height, width] = field.shape.slice(-2) as [number, number];
  const [{ buffer, offset, bytes }, more] = fieldSpans(buffers, field) as [Span, Span?];
  if (more) fail("input", `${field.name} lies in several buffers and takes no picture: give its numbers`);
  const { value, accepted } = scoped(program, device, () => ({
    texture: device.createTexture({
      label: field.name,
      size: [width, height],
      format: "rgba8unorm",
      usage: textureUsage.copyDst | textureUsage.textureBinding | textureUsage.renderAttachment,
    }),
    module: device.createShaderModule({ label: field.name, code: planesShader(channelsOf(field)!, height, width) }),
  }));
  const { texture, module } = value;
  try {
    const pipeline = await device.createComputePipelineAsync({ label: field.name, layout: "auto", compute: { module } });
    await accepted;
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: texture.createView() },
        { binding: 1, resource: { buffer, offset, size: bytes } },
      ],
    });
    return { texture, pipeline, group };
  } catch (e) {
    texture.destroy();
    throw e;
  }
}

/** ImageData goes as it is; what the device does not copy (no browser takes all kinds) is read through a canvas. */
function upload(device: GPUDevice, texture: GPUTexture, field: Field, picture: Picture): void {
  if (!("data" in picture) && copied(device, texture, picture)) return;
  const { width, height, data } = pixelsOf(field, picture);
  device.queue.writeTexture({ texture }, data, { bytesPerRow: 4 * width }, [width, height]);
}
function copied({ queue }: GPUDevice, texture: GPUTexture, picture: Picture): boolean {
  try {
    queue.copyExternalImageToTexture({ source: picture as GPUCopyExternalImageSource }, { texture }, [texture.width, texture.height]);
    return true;
  } catch {
    return false;
  }
}

/** The rules of `planes` in foreign.ts. */
const planesShader = (channels: number, height: number, width: number): string => {
  const coloured = channels >= 3;
  const values = [
    coloured ? "c.r" : "select(dot(c.rgb, vec3f(0.299, 0.587, 0.114)), c.r, c.r == c.g && c.g == c.b)",
    ...(coloured ? ["c.g", "c.b"] : []),
    ...(channels % 2 === 0 ? ["c.a"] : []),
  ];
  const stores = values.map((v, i) => `  planes[${i * height * width}u + p] = ${v};`);
  return `@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var<storage, read_write> planes: array<f32, ${channels * height * width}>;
@compute @workgroup_size(${edge}, ${edge})
fn main(@builtin(global_invocation_id) at: vec3<u32>) {
  if (at.x >= ${width}u || at.y >= ${height}u) { return; }
  let c = textureLoad(picture, at.xy, 0);
  let p = at.y * ${width}u + at.x;
${stores.join("\n")}
}
`;
};
