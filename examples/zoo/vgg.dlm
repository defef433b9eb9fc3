## VGG (Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition"): nothing but 3x3
## convolutions, doubled in width where a pool halves the image. Configurations A, D and E of the paper.
##
## Parameter names are torchvision's, whose weights load as they are: it counts activations and pools too, so the number of
## a convolution is its place among all modules. Like there, pictures of other sizes are pooled to 7x7 before the classifier.

## Channels of convolutions, and pools between them.
const vgg11 = [64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"]
const vgg16 = [
  64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool",
]
const vgg19 = [
  64, 64, "pool", 128, 128, "pool", 256, 256, 256, 256, "pool", 512, 512, 512, 512, "pool", 512, 512, 512,
  512, "pool",
]

## The convolutional part. Gives its result, and a list of the maps before each pool: features for other tasks.
layer Features(x: f32[N, 3, H, W], plan = vgg16) {
  k = 0
  taps = []
  for step in plan {
    if step == "pool" {
      taps += [x]
      x = max_pool(x, 2)
      k += 1
    } else {
      x = x |> {k}: Conv2d(step, kernel=3, padding=1) |> relu
      k += 2
    }
  }
  return x, taps
}

## Two hidden layers, where nine tenths of the parameters are.
layer Classifier(x: f32[N, C, H, W], hidden: int, drop: float, classes: int) {
  x = x |> adaptive_avg_pool(7) |> flatten
  x = x |> 0: Linear(hidden) |> relu |> dropout(drop) |> 3: Linear(hidden) |> relu |> dropout(drop)
  return x |> 6: Linear(classes)
}

## VGG-11, configuration A.
model VGG11(
  image: f32[N, 3, H = 224, W = 224],
  plan = vgg11,
  hidden = 4096,
  drop = 0.5,
  classes = 1000,
) -> logits {
  maps, _ = image |> features: Features(plan)
  logits = maps |> classifier: Classifier(hidden, drop, classes)
}

## VGG-16, configuration D.
model VGG16(
  image: f32[N, 3, H = 224, W = 224],
  plan = vgg16,
  hidden = 4096,
  drop = 0.5,
  classes = 1000,
) -> logits {
  maps, _ = image |> features: Features(plan)
  logits = maps |> classifier: Classifier(hidden, drop, classes)
}

## VGG-19, configuration E.
model VGG19(
  image: f32[N, 3, H = 224, W = 224],
  plan = vgg19,
  hidden = 4096,
  drop = 0.5,
  classes = 1000,
) -> logits {
  maps, _ = image |> features: Features(plan)
  logits = maps |> classifier: Classifier(hidden, drop, classes)
}

## Batches of 256. The authors lowered the rate by hand, three times in 370,000 updates.
const recipe = sgd(lr=step_decay(0.01, every=100_000), momentum=0.9, weight_decay=5e-4)

train VGG11 {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  metric top5 = mean(in_top_k(logits, label, 5))
  optimizer = recipe
}

train VGG16 {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  metric top5 = mean(in_top_k(logits, label, 5))
  optimizer = recipe
}

train VGG19 {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  metric top5 = mean(in_top_k(logits, label, 5))
  optimizer = recipe
}
