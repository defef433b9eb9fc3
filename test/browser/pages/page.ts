/** What every page does: fetch the task, work it off, post what came of it. */
import type { Task } from "../task.ts";

export interface NetTask extends Task {
  /** Is there a file of weights? */
  readonly weights: boolean;
}
/** Part of every answer. */
export interface Page {
  readonly isolated: boolean;
  /** By the content security policy, which allows neither eval nor scripts that are not served. */
  readonly refused: readonly string[];
}

const refused: string[] = [];
addEventListener("securitypolicyviolation", (e) => refused.push(`${e.effectiveDirective}: ${e.blockedURI}`));

export async function file(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
export const json = async (name: string): Promise<unknown> => JSON.parse(new TextDecoder().decode(await file(name)));

/** `T`: what the test wrote into `task.json`. */
export async function answer<T>(work: (task: T) => Promise<object>): Promise<void> {
  const post = (body: object): Promise<Response> => fetch("answer", { method: "POST", body: JSON.stringify(body) });
  try {
    const done = await work((await json("task.json")) as T);
    // The browser reports what the policy refused in a task of its own.
    await new Promise((resolve) => setTimeout(resolve));
    await post({ value: { ...done, isolated: crossOriginIsolated, refused } });
  } catch (e) {
    await post({ error: e instanceof Error ? (e.stack ?? e.message) : String(e) });
  }
}
