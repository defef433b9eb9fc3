/** One pooling for largest elements and for where they are, which files may compute apart: MaxPool(x) -> y, MaxPool(x) -> _, at. */
import type { OnnxGraph } from "../../formats/onnx/model.ts";
import { readersOf, type Task } from "./flatten.ts";

export function mergePools(tasks: readonly Task[], graph: OnnxGraph): readonly Task[] {
  const readers = readersOf(tasks);
  const results = new Set(graph.outputs.map((o) => o.name));
  const isRead = (name: string | undefined): name is string => !!name && (readers.has(name) || results.has(name));
  const merged = new Map<Task, Task>();
  const gone = new Set<Task>();
  const open = new Map<string, Task>();
  for (const task of tasks) {
    const { opType, domain, inputs, attributes, outputs } = task.node;
    if (opType !== "MaxPool" || domain !== "") continue;
    const key = JSON.stringify([inputs, attributes.toSorted((a, b) => (a.name < b.name ? -1 : 1))]);
    const first = open.get(key);
    const had = (first && (merged.get(first) ?? first).node.outputs) ?? [];
    const both = [0, 1].map((i) => ({ had: isRead(had[i]) ? had[i] : "", own: isRead(outputs[i]) ? outputs[i] : "" }));
    if (!first || both.some((b) => b.had !== "" && b.own !== "")) {
      open.set(key, task);
      continue;
    }
    merged.set(first, { ...first, node: { ...first.node, outputs: both.map((b) => b.had || b.own) } });
    gone.add(task);
  }
  return tasks.flatMap((task) => (gone.has(task) ? [] : [merged.get(task) ?? task]));
}
