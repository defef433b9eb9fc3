## Training steps that every library can be asked for: plain SGD with momentum, a constant rate, no dropout.
import { ResNet20 } from "std/resnet.dlm"

## Convolutions of 5x5 and two linear layers, as in the first tutorial of most libraries.
model LeNet(image: f32[N, 1, 28, 28]) -> logits {
  x = image |> conv1: Conv2d(32, kernel=5, padding=2) |> relu |> max_pool(2)
  x = x |> conv2: Conv2d(64, kernel=5, padding=2) |> relu |> max_pool(2)
  logits = x |> flatten |> fc1: Linear(512) |> relu |> fc2: Linear(10)
}

model MLP(x: f32[N, 784]) -> logits {
  logits = x |> fc1: Linear(512) |> relu |> fc2: Linear(512) |> relu |> fc3: Linear(10)
}

## The residual network of 20 layers for pictures of 32x32, with batch normalisation.
model SmallResNet(image: f32[N, 3, 32, 32]) -> logits {
  logits = image |> _: ResNet20
}

const recipe = sgd(lr=0.01, momentum=0.9)

train LeNet {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  optimizer = recipe
}

train MLP {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  optimizer = recipe
}

train SmallResNet {
  input label: i32[N]
  loss = cross_entropy(logits, label)
  optimizer = recipe
}
