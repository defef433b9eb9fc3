/** What of WebGPU and of pages appears in the API; spelled so that callers need neither types of WebGPU nor those of pages. */

/** What `navigator.gpu` is. */
export interface GpuSource {
  readonly requestAdapter: (options?: {
    readonly powerPreference?: "high-performance";
    readonly featureLevel?: "compatibility";
  }) => Promise<unknown>;
}
/** A `GPUBuffer` where types of WebGPU are there, else what the runtime needs of one. */
export type GpuBuffer = typeof globalThis extends { readonly GPUBuffer: { readonly prototype: infer T } } ? T : AnyGpuBuffer;
export interface AnyGpuBuffer {
  readonly size: number;
  readonly usage: number;
  readonly mapState: string;
}
/** A part of a buffer, as a `GPUBufferBinding`: `size` bytes from `offset` (default 0) on, multiples of four. */
export interface GpuBinding<Buffer = GpuBuffer> {
  readonly buffer: Buffer;
  readonly offset?: number;
  readonly size?: number;
}
export type AnyGpuBinding = GpuBinding<AnyGpuBuffer>;
/** A `GPUDevice`. */
export interface AnyGpuDevice {
  readonly limits: object;
  readonly features: { readonly has: (feature: string) => boolean };
  readonly queue: object;
}
/** Of the kernels that are being compiled, so many are done; begins anew where a later call needs others. */
export type OnProgress = (progress: { readonly done: number; readonly total: number }) => void;
/** An ImageBitmap, ImageData, VideoFrame, canvas, OffscreenCanvas, or the element of an image or video. */
export type Picture =
  | { readonly width: number; readonly height: number }
  | { readonly displayWidth: number; readonly displayHeight: number };
