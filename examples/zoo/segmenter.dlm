## SegNet (Badrinarayanan, Kendall and Cipolla 2015) labels every pixel with convolutions alone. The way up does not learn how
## to grow: max_pool tells where its maxima were, and max_unpool puts values back there, so borders stay sharp for the price of
## an index. The encoder has the convolutions of VGG-16.

layer ConvBN(x: f32[N, C, H, W], out: int) {
  return x |> conv: Conv2d(out, kernel=3, padding=1, bias=false) |> bn: BatchNorm |> relu
}

## A class for every pixel. `widths` and `depths` are of the stages; the decoder mirrors them.
model SegNet(
  image: f32[N, 3, H = 224, W = 224],
  widths = [64, 128, 256, 512, 512],
  depths = [2, 2, 3, 3, 3],
  classes = 21,
) -> logits: f32[N, classes, H, W] {
  x = image
  places = []
  for i, width in enumerate(widths) {
    for j in range(depths[i]) { x = x |> encoder{i + 1}.{j}: ConvBN(width) }
    size = x.shape[2:]
    x, indices = max_pool(x, 2, return_indices=true)
    places += [(indices, size)]
  }
  for i in reversed(range(len(widths))) {
    indices, size = places[i]
    x = max_unpool(x, indices, 2, size=size)
    for j in range(depths[i] - 1) { x = x |> decoder{i + 1}.{j}: ConvBN(widths[i]) }
    if i > 0 { x = x |> decoder{i + 1}.last: ConvBN(widths[i - 1]) }
  }
  logits = x |> head: Conv2d(classes, kernel=3, padding=1)
}

## The metric is the mean over classes of intersection over union, as in Pascal VOC; classes that are absent count as found.
train SegNet {
  ## The class of each pixel.
  input mask: i32[N, H, W]
  loss = cross_entropy(logits, mask)
  guess = argmax(logits, axis=1)
  ious = []
  for c in range(classes) {
    both = sum(cast(guess == c && mask == c, f32))
    either = sum(cast(guess == c || mask == c, f32))
    ious += [(both + 1e-6) / (either + 1e-6)]
  }
  metric accuracy = mean(guess == mask)
  metric iou = sum(ious) / classes
  optimizer = sgd(lr=0.01, momentum=0.9, weight_decay=5e-4)
}
