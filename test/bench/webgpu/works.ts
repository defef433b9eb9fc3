/** What is measured on WebGPU. */
import { type Work, works } from "../works.ts";

/** Sizes for adapters in software, which compute in seconds what others do in milliseconds. */
const small: Readonly<Record<string, Pick<Work, "batch" | "dims" | "title">>> = {
  resnet18: { title: "ResNet-18, 64x64", batch: 1, dims: { H: 64, W: 64 } },
  block: { title: "GPT-2 block, 32 tokens", batch: 1, dims: { T: 32 } },
  lenet: { title: "LeNet, batch 4", batch: 4 },
  "lenet-step": { title: "LeNet, step of batch 4", batch: 4 },
  "mlp-step": { title: "MLP 784-512-512-10, step of batch 8", batch: 8 },
};
export const gpuWorks: readonly Work[] = works.filter((w) => Object.hasOwn(small, w.name));
export const smaller = (work: Work): Work => ({ ...work, ...small[work.name] });
