/** The page of the standard library: what is written in the language, what is built in, and the library of models. */
import { builtinTable } from "./builtins.ts";
import { banner, page } from "./markdown.ts";
import { functionTable, layerTable } from "./prelude.ts";
import { zooTable } from "./zoo.ts";

export const libraryPage = (): string =>
  page(
    banner("the prelude, the builtin functions and the library of models"),
    "# The standard library",
    "What a `.dlm` file can use without an import, and the models it can import from `std/`. [The language](language.md) " +
      "says how; [operations.md](operations.md) lists what the compiler makes of it. A signature gives arguments in order, " +
      "with their types and defaults. `none` is written where an argument may be left out and then follows from others.",
    contents,
    "## Layers",
    "Upper case: they own parameters. Written in the language, in [compiler/prelude/](../compiler/prelude/). Arguments " +
      "after the tensor are constants. Parameter names, initial values and formulas are PyTorch's where it has the layer; " +
      "[these](language.md#coming-from-pytorch) are different.",
    "### Feed-forward layers",
    layerTable("layers.dlm"),
    "### Sequences and attention",
    layerTable("recurrent.dlm"),
    "## Losses",
    'Lower case: they own nothing, which holds for everything below. `reduction` is "mean", "sum" or "none". A train block ' +
      "makes a scalar of them, its `loss`.",
    functionTable("losses.dlm"),
    "## Functions",
    "### Regularisation, attention, global pooling",
    functionTable("functions.dlm"),
    "### Elementwise functions and activations",
    "Of tensors of any shape; where it says so, of numbers too, and then the result is a constant.",
    builtinTable("elementwise"),
    "### Reductions",
    "`axis` is an int or a list, negative ones count from the end. The axes are gone in the result, or 1 with `keepdims = true`.",
    builtinTable("reductions"),
    "### Shape and type",
    builtinTable("shape"),
    "### Looking up and resizing",
    "`take` and `gather` move ids outside of their range to the nearest one inside; the runtime refuses inputs that hold such ids.",
    builtinTable("tables"),
    "### Pooling",
    "Over one, two or three axes after N and C.",
    builtinTable("pooling"),
    "### Regions of images",
    functionTable("vision.dlm"),
    "### Convolutions and products",
    "What the layers of these names are made of, with the weights as an argument.",
    builtinTable("convolution"),
    builtinTable("products"),
    "### New tensors and random numbers",
    "Random numbers depend on the seed, the step and the place of the call: see [Randomness](language.md#randomness-and-reproducibility).",
    builtinTable("creation"),
    "### Constants and lists",
    "They run while compiling. `min`, `max`, `sum`, `abs` and the elementwise functions that take numbers belong to them as well.",
    builtinTable("constants"),
    "### Derivatives and parameters",
    builtinTable("training"),
    "## Initial values",
    "What follows `=` in a `param` or `state`, and the `init` of layers that have it. A number, `zeros` and `ones` do as " +
      "well. fan_in is the extent of axis 1, fan_out that of axis 0, both times the extents of all further axes.",
    builtinTable("initializers", "initial value"),
    "## Optimizers",
    optimizerNote,
    builtinTable("optimizers", "optimizer"),
    "## Schedules",
    scheduleNote,
    builtinTable("schedules", "schedule"),
    "## Models",
    'The library of models: `import { ResNet50 } from "std/resnet.dlm"`. Sizes are those of the defaults, with a batch of ' +
      "1; parameters are those of prediction; multiply-adds are those of convolutions and matrix products.",
    zooTable(),
  );

const contents =
  "[Layers](#layers) · [Losses](#losses) · [Functions](#functions) · [Initial values](#initial-values) · " +
  "[Optimizers](#optimizers) · [Schedules](#schedules) · [Models](#models)";

const optimizerNote =
  "`p` is a parameter, `g` its gradient after clipping and noise, `t` the number of this update, 1 for the first; other " +
  "letters are what the optimizer remembers, at first 0; `b1, b2` are `betas`. `lr` is a number or a schedule. Formulas and " +
  "defaults are PyTorch's; lion is as in its paper (Chen et al. 2023).";
const scheduleNote = "`t` counts the updates made so far, 0 for the first.";
