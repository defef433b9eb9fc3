"""Golden values of the whole examples: examples/{logistic,mlp,lenet,tiny-resnet}.dlm written again in PyTorch.

    python3 test/golden/torch_examples.py            writes test/examples/goldens/<example>.json

Needs PyTorch and NumPy (Debian: python3-torch). Read by test/examples/*.test.ts.

Weights, images and labels are no part of the files. Both sides make them from integer hashes of a tensor's name and an
element's index (below `hashes`; test/examples/formula.ts), rounded once from double to f32, so they are equal bit for bit.
Everything here is then computed in double: the goldens are what f32 arithmetic approximates. The script computes all of it
in f32 too and refuses to write goldens that PyTorch's own f32 does not reach: a tie or a kink would be too near.

For every variant (hyper-parameters of the model, dropout off):
  logits       prediction of batch 0 from the initial weights, running statistics as given by the formula
  evaluation   loss and accuracy of the same
  loss, gradients, states      one training step on batch 0: loss, all gradients, running statistics after it
  losses, norms, parameters, states3   three steps on batches 0, 1, 2 with the optimizer of the train block
  evaluation3  loss and accuracy on batch 0 after them

A tensor of at most 48 elements is written as it is, `values`. Of a larger one: 24 values (at `positions`), the root mean
square, the mean, and its projection sum(sign[i] * v[i]) / sqrt(n) on hashed signs, which sees every element.
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch
from torch import nn

BATCH, CLASSES, STEPS = 4, 10, 3
WHOLE, SAMPLES = 48, 24
TOLERANCE = 1e-4


# ---- the formula ------------------------------------------------------------------------------------------------------


def hashes(name, count):
    """One word of 32 bits per element: FNV-1a of the name, the index mixed in, finished as in MurmurHash3."""
    start = 0x811C9DC5
    for byte in name.encode():
        start = (start ^ byte) * 0x01000193 & 0xFFFFFFFF
    mask = np.uint64(0xFFFFFFFF)
    h = (np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B9) & mask) ^ np.uint64(start)
    h = (h ^ h >> np.uint64(16)) * np.uint64(0x85EBCA6B) & mask
    h = (h ^ h >> np.uint64(13)) * np.uint64(0xC2B2AE35) & mask
    return h ^ h >> np.uint64(16)


def spread(name, shape, center, radius):
    """Evenly in center - radius .. center + radius, as f32."""
    unit = hashes(name, math.prod(shape)).astype(np.float64) / 2.0**31 - 1.0
    return (center + unit * radius).astype(np.float32).reshape(shape)


def initial(name, shape):
    """A parameter or state. Weights have the variance of He's initialisation."""
    if name.endswith("running_var"):
        return spread(name, shape, 1.0, 0.5)
    if name.endswith(("running_mean", "bias")):
        return spread(name, shape, 0.0, 0.25)
    if len(shape) == 1:
        return spread(name, shape, 1.0, 0.5)
    return spread(name, shape, 0.0, math.sqrt(6.0 / math.prod(shape[1:])))


def batch(k):
    image = spread(f"image.{k}", (BATCH, 1, 28, 28), 0.5, 0.5)
    return image, (hashes(f"label.{k}", BATCH) % np.uint64(CLASSES)).astype(np.int64)


# ---- the models, with the parameter names of the examples -------------------------------------------------------------


class Logistic(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, CLASSES)

    def forward(self, image):
        return self.fc(image.flatten(1))


class MLP(nn.Module):
    def __init__(self, widths):
        super().__init__()
        sizes = [784, *widths]
        for i in range(len(widths)):
            self.add_module(f"fc{i + 1}", nn.Linear(sizes[i], sizes[i + 1]))
        self.hidden = len(widths)
        self.head = nn.Linear(sizes[-1], CLASSES)

    def forward(self, image):
        x = image.flatten(1)
        for i in range(self.hidden):
            x = torch.relu(getattr(self, f"fc{i + 1}")(x))
        return self.head(x)


class LeNet(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels[0], 5, padding=2)
        self.conv2 = nn.Conv2d(channels[0], channels[1], 5, padding=2)
        self.fc1 = nn.Linear(channels[1] * 7 * 7, hidden)
        self.fc2 = nn.Linear(hidden, CLASSES)

    def forward(self, image):
        x = torch.max_pool2d(torch.relu(self.conv1(image)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


class Block(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or inputs != channels:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (self.downsample(x) if self.downsample else x))


class TinyResNet(nn.Module):
    def __init__(self, widths, depth):
        super().__init__()
        self.conv1 = nn.Conv2d(1, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.stages = len(widths)
        inputs = widths[0]
        for i, width in enumerate(widths):
            blocks = []
            for j in range(depth):
                blocks.append(Block(inputs, width, 2 if j == 0 and i > 0 else 1))
                inputs = width
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, CLASSES)

    def forward(self, image):
        x = torch.relu(self.bn1(self.conv1(image)))
        for i in range(self.stages):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.fc(x.mean((2, 3)))


# ---- the train blocks -------------------------------------------------------------------------------------------------

EXAMPLES = {
    "logistic": dict(
        model=Logistic,
        variants={"default": {}},
        sgd=dict(lr=0.1, momentum=0.9),
    ),
    "mlp": dict(
        model=MLP,
        variants={"small": dict(widths=[24, 16]), "default": dict(widths=[256, 128])},
        sgd=dict(lr=0.05, momentum=0.9, weight_decay=1e-4),
    ),
    "lenet": dict(
        model=LeNet,
        variants={"tiny": dict(channels=[2, 3], hidden=10), "small": dict(channels=[6, 16], hidden=20), "default": dict(channels=[32, 64], hidden=512)},
        sgd=dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4),
        step_decay=dict(step_size=500, gamma=0.5),
        clip_norm=5.0,
        off=dict(drop=0.0),
    ),
    "tiny-resnet": dict(
        model=TinyResNet,
        variants={"tiny": dict(widths=[2, 3], depth=1), "small": dict(widths=[4, 6], depth=1), "default": dict(widths=[16, 32], depth=2)},
        sgd=dict(lr=0.05, momentum=0.9, weight_decay=5e-4),
    ),
}


# ---- running ----------------------------------------------------------------------------------------------------------


def build(example, settings, dtype):
    model = example["model"](**settings).to(dtype)
    for name, tensor in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensor.copy_(torch.from_numpy(initial(name, tuple(tensor.shape))))
    return model


def tensors(pairs):
    return {name: t.detach().clone().double().numpy() for name, t in pairs if not name.endswith("num_batches_tracked")}


def loss_of(model, k, dtype):
    image, label = batch(k)
    logits = model(torch.from_numpy(image).to(dtype))
    return logits, nn.functional.cross_entropy(logits, torch.from_numpy(label)), torch.from_numpy(label)


def evaluate(model, dtype):
    logits, loss, label = loss_of(model.eval(), 0, dtype)
    accuracy = (logits.argmax(1) == label).double().mean()
    return logits, tensors([("loss", loss), ("accuracy", accuracy)])


def predict(example, settings, dtype):
    logits, evaluation = evaluate(build(example, settings, dtype), dtype)
    return dict(logits=tensors([("logits", logits)]), evaluation=evaluation)


def gradient(example, settings, dtype):
    model = build(example, settings, dtype).train()
    _, loss, _ = loss_of(model, 0, dtype)
    loss.backward()
    return dict(
        loss=tensors([("loss", loss)]),
        gradients=tensors((name, p.grad) for name, p in model.named_parameters()),
        states=tensors(model.named_buffers()),
    )


def train(example, settings, dtype):
    model = build(example, settings, dtype).train()
    optimizer = torch.optim.SGD(model.parameters(), **example["sgd"])
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, **example["step_decay"]) if "step_decay" in example else None
    losses, norms = [], []
    for k in range(STEPS):
        _, loss, _ = loss_of(model, k, dtype)
        optimizer.zero_grad()
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(model.parameters(), example.get("clip_norm", math.inf)))
        optimizer.step()
        if schedule:
            schedule.step()
        losses.append(loss)
    return dict(
        losses=tensors([("losses", torch.stack(losses))]),
        norms=tensors([("norms", torch.stack(norms))]),
        parameters=tensors(model.named_parameters()),
        states3=tensors(model.named_buffers()),
        evaluation3=evaluate(model, dtype)[1],
    )


def run(example, settings, dtype):
    return {k: v for part in (predict, gradient, train) for k, v in part(example, settings, dtype).items()}


# ---- agreement and writing --------------------------------------------------------------------------------------------


def rms(a):
    return float(np.sqrt(np.mean(np.square(a))))


def disagreement(single, double, floor):
    """max|a - b| / max(rms(b), floor): agreement to e is a result of at most e."""
    return max(float(np.max(np.abs(single[k] - b))) / max(rms(b), floor) for k, b in double.items()) if double else 0.0


def number(x, digits=9):
    return float(f"{x:.{digits}g}")


def summary(name, a):
    v = a.flatten()
    if v.size <= WHOLE:
        return dict(values=[number(x) for x in v])
    positions = (hashes(f"positions.{name}", SAMPLES) % np.uint64(v.size)).astype(np.int64)
    signs = 1.0 - 2.0 * (hashes(f"signs.{name}", v.size) >> np.uint64(31)).astype(np.float64)
    projection = np.dot(signs, v) / math.sqrt(v.size)
    return dict(rms=number(rms(v)), mean=number(v.mean()), projection=number(projection), values=[number(x) for x in v[positions]])


def golden(title, example, settings):
    double, single = run(example, settings, torch.float64), run(example, settings, torch.float32)
    largest = max(rms(g) for g in double["gradients"].values())
    for part in double:
        e = disagreement(single[part], double[part], 1e-3 * largest if part == "gradients" else 1e-30)
        if e > TOLERANCE / 2:
            sys.exit(f"{title}: f32 is {e:.1e} away from double in {part}: choose other numbers")
        print(f"{title} {part}: f32 is {e:.1e} away", file=sys.stderr)
    print(f"{title} losses {double['losses']['losses']}, accuracy {double['evaluation3']['accuracy']}, norms {double['norms']['norms']}", file=sys.stderr)
    parts = {part: {name: summary(name, a) for name, a in named.items()} for part, named in double.items()}
    return dict(set={k: json.dumps(v) for k, v in {**settings, **example.get("off", {})}.items()}, **parts)


def main():
    folder = pathlib.Path(__file__).resolve().parent.parent / "examples" / "goldens"
    folder.mkdir(parents=True, exist_ok=True)
    for name, example in EXAMPLES.items():
        variants = {v: golden(f"{name} {v}", example, settings) for v, settings in example["variants"].items()}
        text = json.dumps(dict(example=name, batch=BATCH, steps=STEPS, variants=variants), separators=(",", ":"))
        (folder / f"{name}.json").write_text(text.replace('},"', '},\n"') + "\n")


if __name__ == "__main__":
    main()
