## Knowledge distillation (Hinton, Vinyals and Dean 2015): a small student learns from the softened scores of a large teacher,
## which say more than labels: what a picture resembles besides. Teacher and student run in one training step; the teacher is
## no part of the saved model. Its weights: --weights teacher=resnet34.safetensors.
import { ResNet34 } from "./resnet.dlm"

model Student(image: f32[N, 3, H = 224, W = 224], widths = [32, 64, 128], classes = 1000) -> logits {
  x = image
  for i, width in enumerate(widths) {
    x = x |> conv{i + 1}: Conv2d(width, kernel=5, stride=2, padding=2, bias=false) |> bn{i + 1}: BatchNorm
          |> relu
  }
  logits = x |> global_avg_pool |> flatten |> fc: Linear(classes)
}

const temperature = 4.0
## The share of the loss that is the teacher's.
const share = 0.9
const depths = [3, 4, 6, 3]
const teacher_widths = [64, 128, 256, 512]

train distill: Student {
  input label: i32[N]
  use teacher = ResNet34(depths=depths, widths=teacher_widths, classes=classes)
  freeze "teacher.*"
  wisdom = softmax(teacher(image, training=false) / temperature)
  hard = cross_entropy(logits, label)
  soft = soft_target_cross_entropy(logits, wisdom, temperature=temperature)
  loss = (1 - share) * hard + share * soft
  metric accuracy = mean(argmax(logits) == label)
  optimizer = adam(lr=1e-3)
}

## The student alone, to compare with.
train alone: Student {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  metric accuracy = mean(argmax(logits) == label)
  optimizer = adam(lr=1e-3)
}
