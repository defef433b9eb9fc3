## U-Net (Ronneberger et al. 2015) labels every pixel: a path down that sees more and more of the picture, a path up that
## restores the resolution, and at each level the maps from the way down beside those from the way up.
##
## As most implementations do, convolutions are padded (the paper's lose a border) and batch normalised.

layer DoubleConv(x: f32[N, C, H, W], out: int) {
  return x |> conv1: Conv2d(out, kernel=3, padding=1, bias=false) |> bn1: BatchNorm |> relu
           |> conv2: Conv2d(out, kernel=3, padding=1, bias=false) |> bn2: BatchNorm |> relu
}

## Twice the size by a transposed convolution, the skipped maps beside it, two convolutions.
layer Up(x: f32[N, C, H, W], skip: f32[N, S, H2, W2]) {
  grown = x |> grow: ConvTranspose2d(S, kernel=2, stride=2)
  return concat([skip, grown], axis=1) |> double: DoubleConv(S)
}

model UNet(image: f32[N, 3, H = 256, W = 256], classes = 2, widths = [64, 128, 256, 512, 1024]) -> logits {
  halvings = len(widths) - 1
  assert H % 2 ** halvings == 0 && W % 2 ** halvings == 0, "UNet halves the image " + str(halvings) + " times"
  x = image
  skips = []
  for i, width in enumerate(widths[:-1]) {
    x = x |> down{i + 1}: DoubleConv(width)
    skips += [x]
    x = max_pool(x, 2)
  }
  x = x |> bottom: DoubleConv(widths[-1])
  for i in reversed(range(halvings)) { x = x |> up{i + 1}: Up(skips[i]) }
  logits = x |> head: Conv2d(classes, kernel=1)
}

## Cross-entropy of pixels plus the Dice loss of class 1, which small objects do not get lost in.
train UNet {
  input mask: i32[N, H, W]
  wanted = cast(mask == 1, f32)
  found = softmax(logits, axis=1)[:, 1]
  dice = 2 * sum(found * wanted) / (sum(found) + sum(wanted) + 1e-6)
  loss = cross_entropy(logits, mask) + 1 - dice
  metric dice = dice
  metric accuracy = mean(argmax(logits, axis=1) == mask)
  optimizer = adam(lr=1e-3)
}
