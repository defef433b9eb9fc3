## Neural style (Gatys, Ecker and Bethge 2015, "A Neural Algorithm of Artistic Style"): a picture is painted so that VGG sees
## the content of one picture and the style of another: style is which features occur together, wherever they are.
##
## The picture is a parameter, trained from random values, or from the content picture given as weights (`picture`). VGG's
## weights: --weights vgg=vgg16.safetensors.
import { Features, vgg16 } from "./vgg.dlm"

## The picture that is painted: a parameter, and so the result of training.
model Style(height = 256, width = 256) -> image {
  param picture: f32[1, 3, height, width] = uniform(0.0, 1.0)
  image = picture
}

## How much the channels of a feature map agree with each other, over all places.
fn gram(maps: f32[N, C, H, W]) {
  m = reshape(maps, [N, C, H * W])
  return m @ transpose(m) / (C * H * W)
}

## Convolutions up to the fourth stage, and the weight of each stage's style.
const plan = vgg16[:13]
const weights = [1.0, 0.8, 0.5, 0.3]

train Style {
  input content: f32[1, 3, height, width]
  input style: f32[1, 3, height, width]
  use vgg.features as see = Features(plan + ["pool"])
  freeze "vgg.*"
  _, mine = see(image)
  _, theirs = see(style)
  _, wanted = see(content)
  style_loss = sum([w * mse(gram(a), gram(b)) for w, a, b in zip(weights, mine, theirs)])
  content_loss = mse(mine[-1], wanted[-1])
  smooth = mean(abs(image[:, :, 1:] - image[:, :, :-1])) + mean(abs(image[..., 1:] - image[..., :-1]))
  loss = content_loss + 1e4 * style_loss + 1e-2 * smooth
  metric style_loss = style_loss
  metric content_loss = content_loss
  optimizer = adam(lr=0.02)
}
