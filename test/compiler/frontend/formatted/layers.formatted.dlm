import { Encoder, Decoder as D } from "./coders.dlm"
import {
  AVeryLongNameOfALayer,
  AnotherVeryLongNameOfALayer,
  AThirdVeryLongNameOfALayer,
  TheLast,
} from "../library/names.dlm"

const plan = [
  64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool", 512,
  512, 512,
]
const table = [
  (1, "one"),
  (2, "two"),
  (3, "three"),
  (4, "four"),
  (5, "five"),
  (6, "six"),
  (7, "seven"),
  (8, "eight"),
]
# a comment of its own
##   Doc with an indent.
##
## And a second paragraph.
layer Gate(
  x: f32[N, C, ...rest],  # the input
  hidden: int,
  act = relu,
  scale = -2 ** -1,
) {  # behind the brace
  ## The gain.
  param gain_{i + 1} as g: f32[C, 2 * C, ...rest] = uniform(-1, 1)
  state seen: f32[] = 0

  # before an if
  if training {
    update seen = seen + N
    update seen += 1
  }
  if training { update seen = 0 } else { update seen = 1 }  # behind an if
  shape = [C] + [1] * len(rest)
  y = x |> conv1: Conv2d(64, kernel=3, padding=1, bias=false) |> bn1: BatchNorm |> act
        |> conv2: Conv2d(64, kernel=3, padding=1) |> act
  y = y |> relu
        # between stages
        |> drop.0: dropout(0.5)  # behind a stage
        |> tanh
  z = if C != hidden && rest.size > 0 || !training {
    x |> down.0: Conv2d(hidden, kernel=1)
  } else if (C == 1) { x } else { y }
  a, (b, _) = f(
    x,
    if hidden == 1 {
      t = 2
      t + 1
    } else { 0 },
  )
  w = x[:, 0:3, ..., ::2] + x[i + 1 : i + 2, -1][(p: Linear(x, 3)) : 4] - (y,)[0]
  total = alpha_of_the_first_term * first_term_of_the_sum +
    beta_of_the_second_term * second_term_of_the_sum -
    gamma
  assert C % groups == 0 && hidden % groups == 0 && some_other_condition(of, the, layer),
    "the number of channels must be a multiple"
  parts = [
    value_of_something(i, j) * other_value(i)
    for i, (j, k) in enumerate(zip(first_list, second_list))
    for l in range(3)
  ]
  return concat([y, z]),
    (  # in parentheses
      a
    )
}
model Net(
  image: f32[N, 3, H = 224, W = 224],
  tokens: i32[N, T = 128],
  classes = 10,
  widths = [64, 128, 256, 512],
) -> logits: f32[N, classes], attention {
  logits = image
  attention = tokens
}
train tune: Net {
  input label: i32[N]
  ## How often it is right.
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(
    lr=step_decay(0.05, every=500, factor=0.5),
    momentum=0.9,
    nesterov=true,
    weight_decay=5e-4,
    name="x",
  )
  optimizer "*.bias", "*.bn*" = sgd(lr=1_000.5)
  freeze "teacher.*"
  for i in range(3) { use h.{i} as block = Block(64) }
  use simple = BatchNorm
  # last in the block
}
# last in the file
