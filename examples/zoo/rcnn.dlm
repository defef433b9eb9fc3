## Fast R-CNN (Girshick 2015) finds objects: one pass of convolutions over the picture; then each region of interest, proposed
## from outside, is pooled to 7x7 from the shared maps and gets scores of the classes and, for each class, a correction of its
## box. Names of the layers are the paper's; `features` are VGG-16's, whose weights fit (--weights vgg16.safetensors).
import { Features, vgg16 } from "./vgg.dlm"

## Scores and corrected boxes of proposed regions. A region is a row (image, x1, y1, x2, y2) in pixels of the picture; class 0
## is the background. A box is corrected by shifts of its centre relative to its size, and by logarithms of factors of its
## size.
model FastRCNN(
  image: f32[1, 3, H = 600, W = 800],
  regions: f32[R = 128, 5],
  plan = vgg16[:-1],
  hidden = 4096,
  drop = 0.5,
  classes = 21,
) -> scores: f32[R, classes], boxes: f32[R, classes, 4] {
  halvings = sum([if step == "pool" { 1 } else { 0 } for step in plan])
  maps, _ = image |> features: Features(plan)
  x = roi_pool(maps, regions, size=7, scale=0.5 ** halvings) |> flatten
  x = x |> fc6: Linear(hidden) |> relu |> dropout(drop) |> fc7: Linear(hidden) |> relu |> dropout(drop)
  scores = x |> cls_score: Linear(classes, init=normal(0.01))
  boxes = x |> bbox_pred: Linear(4 * classes, init=normal(0.001)) |> reshape([R, classes, 4])
}

## Pictures come one at a time. Boxes of the background do not count.
train FastRCNN {
  ## The class of each region.
  input label: i32[R]
  ## The correction that would be right.
  input target: f32[R, 4]
  freeze "features.0.*"
  box = sum(boxes * unsqueeze(one_hot(label, classes), 2), axis=1)
  foreground = cast(label > 0, f32)
  box_loss = mean(foreground * sum(smooth_l1(box, target, reduction="none"), axis=1))
  class_loss = cross_entropy(scores, label)
  loss = class_loss + box_loss
  metric class_loss = class_loss
  metric box_loss = box_loss
  metric accuracy = mean(argmax(scores) == label)
  optimizer = sgd(lr=step_decay(0.001, every=30_000), momentum=0.9, weight_decay=5e-4)
}
