## One block of GPT-2 small: attention and a multi-layer perceptron, each behind a normalisation.
import { Block } from "std/gpt.dlm"

model GPTBlock(x: f32[N, T = 256, D = 768]) -> y {
  y = x |> h: Block(heads=12, depth=12, drop=0.0)
}
