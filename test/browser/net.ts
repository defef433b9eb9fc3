/** A program in a page. */
import { artefactOf, type Program } from "../../runtime/index.ts";
import type { Visitor } from "./chromium.ts";
import type { NetTask, Page } from "./pages/page.ts";
import type { Visit } from "./serve.ts";
import type { Done, Task } from "./task.ts";

export function workInPage(
  { visit }: Visitor,
  program: Program,
  weights: Uint8Array<ArrayBuffer> | undefined,
  task: Task,
  served: Omit<Visit, "page" | "files"> = {},
): Promise<Done & Page> {
  const given: NetTask = { ...task, weights: weights !== undefined };
  const files = { ...artefactOf(program), "task.json": JSON.stringify(given), ...(weights ? { weights } : {}) };
  return visit({ ...served, page: "net", files });
}
