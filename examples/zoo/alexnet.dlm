## AlexNet (Krizhevsky, Sutskever and Hinton 2012): the network that won ImageNet. Two of its ideas have since gone out of
## use: local response normalisation, and groups, which split channels over the two GPUs that it took then.
##
## `AlexNet` is the paper's, with the parameter names of Caffe. Its input is 227x227: the paper's 224 does not give its 55x55
## maps. `AlexNetOneTower` is the later version that torchvision has (Krizhevsky 2014): one tower without normalisation, other
## widths, 224x224 with padding; parameter names as there.
model AlexNet(
  image: f32[N, 3, H = 227, W = 227],
  widths = [96, 256, 384, 384, 256],
  hidden = 4096,
  drop = 0.5,
  classes = 1000,
) -> logits {
  x = image |> conv1: Conv2d(widths[0], kernel=11, stride=4) |> relu |> lrn(5) |> max_pool(3, stride=2)
  x = x |> conv2: Conv2d(widths[1], kernel=5, padding=2, groups=2) |> relu |> lrn(5) |> max_pool(3, stride=2)
  x = x |> conv3: Conv2d(widths[2], kernel=3, padding=1) |> relu
  x = x |> conv4: Conv2d(widths[3], kernel=3, padding=1, groups=2) |> relu
  x = x |> conv5: Conv2d(widths[4], kernel=3, padding=1, groups=2) |> relu |> max_pool(3, stride=2)
  x = x |> flatten |> fc6: Linear(hidden) |> relu |> dropout(drop) |> fc7: Linear(hidden) |> relu
        |> dropout(drop)
  logits = x |> fc8: Linear(classes)
}

## AlexNet in one tower, as torchvision has it.
model AlexNetOneTower(
  image: f32[N, 3, H = 224, W = 224],
  widths = [64, 192, 384, 256, 256],
  hidden = 4096,
  drop = 0.5,
  classes = 1000,
) -> logits {
  x = image |> features.0: Conv2d(widths[0], kernel=11, stride=4, padding=2) |> relu |> max_pool(3, stride=2)
  x = x |> features.3: Conv2d(widths[1], kernel=5, padding=2) |> relu |> max_pool(3, stride=2)
  x = x |> features.6: Conv2d(widths[2], kernel=3, padding=1) |> relu
  x = x |> features.8: Conv2d(widths[3], kernel=3, padding=1) |> relu
  x = x |> features.10: Conv2d(widths[4], kernel=3, padding=1) |> relu |> max_pool(3, stride=2)
  x = x |> adaptive_avg_pool(6) |> flatten |> dropout(drop) |> classifier.1: Linear(hidden) |> relu
  logits = x |> dropout(drop) |> classifier.4: Linear(hidden) |> relu |> classifier.6: Linear(classes)
}

const lr = 0.01

## Batches of 128. Biases learn twice as fast, without decay, as in the authors' own settings.
train AlexNet {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  metric top5 = mean(in_top_k(logits, label, 5))
  optimizer = sgd(lr=step_decay(lr, every=100_000), momentum=0.9, weight_decay=5e-4)
  optimizer "*.bias" = sgd(lr=step_decay(2 * lr, every=100_000), momentum=0.9)
}

train AlexNetOneTower {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric top1 = mean(argmax(logits) == label)
  metric top5 = mean(in_top_k(logits, label, 5))
  optimizer = sgd(lr=step_decay(lr, every=150_000), momentum=0.9, weight_decay=1e-4)
}
