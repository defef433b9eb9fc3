/** A sketch in fewer and better words, which mean the same. */
import type { Sketch } from "../sketch.ts";
import { attention } from "./attention.ts";
import { multiHead } from "./multi-head.ts";
import { plainRules } from "./plain.ts";
import { rewritten } from "./rewrite.ts";

export const recoverCalls = (sketch: Sketch): Sketch => rewritten(sketch, [...plainRules, attention, multiHead]);
