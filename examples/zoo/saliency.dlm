## Looking into a classifier with `grad`, which is an expression like any other (Simonyan, Vedaldi and Zisserman 2013, "Deep
## Inside Convolutional Networks"). Both use ResNet-18's weights: --weights net=resnet18.safetensors.
import { ResNet18 } from "./resnet.dlm"

## Which pixels matter for the winning class: the size of the score's derivative, the largest over the channels.
model Saliency(
  image: f32[N, 3, H = 224, W = 224],
  depths = [2, 2, 2, 2],
  widths = [64, 128, 256, 512],
  classes = 1000,
) -> map: f32[N, H, W], logits {
  logits = image |> net: ResNet18(depths=depths, widths=widths, classes=classes)
  map = max(abs(grad(sum(max(logits, axis=1)), image)), axis=1)
}

## Fine-tuning, for a task of one's own.
train Saliency {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = sgd(lr=1e-3, momentum=0.9)
}

## What the network looks for: a picture that it finds most `unit`. The picture is the only parameter that is trained, so
## there is no data; training is the whole use, and the result is the parameter `image` in the saved weights.
model ActivationMaximisation(size = 224) -> picture {
  param image: f32[1, 3, size, size] = normal(0.01)
  picture = image
}

const unit = 130
const depths = [2, 2, 2, 2]
const widths = [64, 128, 256, 512]
const classes = 1000

## The penalty keeps the picture in range.
train ActivationMaximisation {
  use net = ResNet18(depths=depths, widths=widths, classes=classes)
  freeze "net.*"
  score = net(picture, training=false)[0, unit]
  loss = 1e-4 * sum(picture ** 2) - score
  metric score = score
  optimizer = adam(lr=0.05)
}
