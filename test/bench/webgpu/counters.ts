/** What a run asks of WebGPU: calls counted where they go through, and the time until the last dispatch has been submitted. */
export interface Counts {
  readonly dispatches: number;
  readonly submits: number;
  readonly bindGroups: number;
  readonly writes: number;
}
export interface Run extends Counts {
  /** Milliseconds of JavaScript from the call to the return of the last submit with dispatches in it. */
  readonly encode: number;
}
type Methods = Record<string, (...args: unknown[]) => unknown>;
/** The prototypes: those of a page are global, those of Node's package are exported. */
export interface Interfaces {
  readonly GPUComputePassEncoder: { readonly prototype: object };
  readonly GPUDevice: { readonly prototype: object };
  readonly GPUQueue: { readonly prototype: object };
}

/** Counts from now on; the function given wraps a run. */
export function countCalls(
  { GPUComputePassEncoder, GPUDevice, GPUQueue }: Interfaces,
  now = () => performance.now(),
): <T>(run: () => Promise<T>) => Promise<readonly [T, Run]> {
  let [dispatches, submits, bindGroups, writes, encoded, submitted] = [0, 0, 0, 0, 0, 0];
  after(GPUComputePassEncoder, ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"], () => dispatches++);
  after(GPUDevice, ["createBindGroup"], () => bindGroups++);
  after(GPUQueue, ["writeBuffer"], () => writes++);
  after(GPUQueue, ["submit"], () => {
    submits++;
    if (dispatches > encoded) submitted = now();
    encoded = dispatches;
  });
  return async (run) => {
    [dispatches, submits, bindGroups, writes, encoded, submitted] = [0, 0, 0, 0, 0, 0];
    const start = now();
    const value = await run();
    return [value, { dispatches, submits, bindGroups, writes, encode: submitted - start }];
  };
}

function after({ prototype }: { readonly prototype: object }, names: readonly string[], note: () => void): void {
  const methods = prototype as Methods;
  for (const name of names) {
    const original = methods[name]!;
    methods[name] = function (...args) {
      const value = original.apply(this, args);
      note();
      return value;
    };
  }
}
