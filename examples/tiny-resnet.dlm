## A small residual network: layers of your own, batch normalisation, and shapes that a layer asks about.
##
## When predicting, each convolution, the BatchNorm behind it, the residual addition and the ReLU run as one kernel:
## npx dlm inspect examples/tiny-resnet.dlm --emit kernels
layer Block(x: f32[N, C, H, W], channels: int, stride = 1) {
  y = x |> conv1: Conv2d(channels, kernel=3, stride=stride, padding=1, bias=false) |> bn1: BatchNorm |> relu
        |> conv2: Conv2d(channels, kernel=3, padding=1, bias=false) |> bn2: BatchNorm
  skip = if stride != 1 || C != channels {
    x |> downsample.0: Conv2d(channels, kernel=1, stride=stride, bias=false) |> downsample.1: BatchNorm
  } else { x }
  return relu(y + skip)
}

model TinyResNet(image: f32[N, 1, 28, 28], widths = [16, 32], depth = 2, classes = 10) -> logits {
  x = image |> conv1: Conv2d(widths[0], kernel=3, padding=1, bias=false) |> bn1: BatchNorm |> relu
  for i, width in enumerate(widths) {
    for j in range(depth) {
      x = x |> layer{i + 1}.{j}: Block(width, stride = if j == 0 && i > 0 { 2 } else { 1 })
    }
  }
  logits = x |> global_avg_pool |> flatten |> fc: Linear(classes)
}

train TinyResNet {
  ## The digit in the picture.
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(lr=0.05, momentum=0.9, weight_decay=5e-4)
}
