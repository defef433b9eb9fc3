"""Golden values of models of the zoo, small versions: examples/zoo/*.dlm against torchvision and PyTorch.

    python3 test/golden/torch_zoo.py [MODEL...]      writes test/zoo/goldens/<model>.json

Needs PyTorch, torchvision and NumPy (Debian: python3-torch, python3-torchvision). Read by test/zoo/goldens.test.ts.

Weights and inputs come from the integer hashes of torch_examples.py, whose way of summarising tensors this is too, with 16
values of each. Blocks are torchvision's where it has the model; whole networks are put together anew where torchvision's
constructor fixes widths. Computed in double; refused where PyTorch's own f32 is too far away.

For every model, without dropout:
  outputs                      prediction from the initial weights and running statistics
  loss, gradients, states      one training step: loss, all gradients, states after it
"""
import json
import math
import pathlib
import sys

import numpy as np
import torch
import torch_examples as formula
import torchvision.models as zoo
from torch import nn
from torch.nn import functional as F
from torchvision.models.googlenet import BasicConv2d, Inception, InceptionAux
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.vgg import make_layers

formula.WHOLE = formula.SAMPLES = 16
CLASSES = 10


def label(count):
    return dict(shape=[count], below=CLASSES)


def picture(size, count=4, draw=0):
    """`draw` numbers the choices until none was near a kink of the loss."""
    return dict(shape=[count, 3, size, size], draw=draw)


def classify(model, image, label):
    logits = model(image)
    return dict(logits=logits), F.cross_entropy(logits, label)


# ---- models -----------------------------------------------------------------------------------------------------------


def resnet(block, depths, widths):
    m = zoo.ResNet(block, depths, num_classes=CLASSES)
    m.inplanes = widths[0]
    m.conv1 = nn.Conv2d(3, widths[0], 7, stride=2, padding=3, bias=False)
    m.bn1 = nn.BatchNorm2d(widths[0])
    for i, width in enumerate(widths):
        setattr(m, f"layer{i + 1}", m._make_layer(block, width, depths[i], stride=1 if i == 0 else 2))
    m.fc = nn.Linear(widths[-1] * block.expansion, CLASSES)
    return m


class SmallVGG(zoo.VGG):
    def __init__(self, plan, hidden):
        nn.Module.__init__(self)
        self.features = make_layers(["M" if step == "pool" else step for step in plan])
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        sizes = [49 * [s for s in plan if s != "pool"][-1], hidden, hidden, CLASSES]
        self.classifier = nn.Sequential()
        for i in range(3):
            self.classifier.add_module(str(3 * i), nn.Linear(sizes[i], sizes[i + 1]))
            if i < 2:
                self.classifier.add_module(str(3 * i + 1), nn.ReLU())


SMALL_INCEPTION = [
    [["3a", 64, [96, 128], [16, 32], 32]],
    [["4a", 64, [64, 96], [16, 48], 48], ["4d", 64, [64, 96], [24, 32], 64]],
    [["5a", 48, [64, 80], [16, 48], 48]],
]


class SmallGoogLeNet(zoo.GoogLeNet):
    def __init__(self, width):
        nn.Module.__init__(self)
        self.transform_input, self.aux_logits = False, True

        def c(n):
            return int(n * width)

        self.conv1 = BasicConv2d(3, c(64), kernel_size=7, stride=2, padding=3)
        self.conv2 = BasicConv2d(c(64), c(64), kernel_size=1)
        self.conv3 = BasicConv2d(c(64), c(192), kernel_size=3, padding=1)
        for i, size in [(1, 3), (2, 3), (3, 3), (4, 2)]:
            setattr(self, f"maxpool{i}", nn.MaxPool2d(size, stride=2, ceil_mode=True))
        for name in ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]:
            setattr(self, f"inception{name}", nn.Identity())
        inputs = 192
        for name, one, (r3, c3), (r5, c5), pool in sum(SMALL_INCEPTION, []):
            setattr(self, f"inception{name}", Inception(c(inputs), *map(c, [one, r3, c3, r5, c5, pool])))
            inputs = one + c3 + c5 + pool
            if name in ["4a", "4d"]:
                setattr(self, f"aux{'4a 4d'.split().index(name) + 1}", self.head(c, inputs))
        self.avgpool, self.dropout = nn.AdaptiveAvgPool2d(1), nn.Identity()
        self.fc = nn.Linear(c(inputs), CLASSES)

    def head(self, c, inputs):
        aux = InceptionAux(c(inputs), CLASSES, dropout=0.0)
        aux.conv = BasicConv2d(c(inputs), c(128), kernel_size=1)
        aux.fc1, aux.fc2 = nn.Linear(16 * c(128), c(1024)), nn.Linear(c(1024), CLASSES)
        return aux


def classify_with_heads(model, image, label):
    if not model.training:
        return classify(model, image, label)
    out = model(image)
    loss = F.cross_entropy(out.logits, label)
    return {}, loss + 0.3 * (F.cross_entropy(out.aux_logits1, label) + F.cross_entropy(out.aux_logits2, label))


class DoubleConv(nn.Module):
    def __init__(self, inputs, out):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)

    def forward(self, x):
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))


class UNet(nn.Module):
    def __init__(self, widths, classes):
        super().__init__()
        self.levels = len(widths) - 1
        inputs = 3
        for i in range(self.levels):
            self.add_module(f"down{i + 1}", DoubleConv(inputs, widths[i]))
            up = nn.Module()
            up.grow = nn.ConvTranspose2d(widths[i + 1], widths[i], 2, stride=2)
            up.double = DoubleConv(2 * widths[i], widths[i])
            self.add_module(f"up{i + 1}", up)
            inputs = widths[i]
        self.bottom = DoubleConv(inputs, widths[-1])
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        skips = []
        for i in range(self.levels):
            skips.append(getattr(self, f"down{i + 1}")(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for i in reversed(range(self.levels)):
            up = getattr(self, f"up{i + 1}")
            x = up._modules["double"](torch.cat([skips[i], up.grow(x)], 1))
        return self.head(x)


def segment(model, image, mask):
    logits = model(image)
    found, wanted = logits.softmax(1)[:, 1], (mask == 1).to(logits.dtype)
    dice = 2 * (found * wanted).sum() / (found.sum() + wanted.sum() + 1e-6)
    return dict(logits=logits), F.cross_entropy(logits, mask) + 1 - dice


class Conv1D(nn.Module):
    def __init__(self, inputs, out):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(inputs, out)), nn.Parameter(torch.empty(out))

    def forward(self, x):
        return x @ self.weight + self.bias


class GPTBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = nn.Module(), nn.Module()
        self.attn.c_attn, self.attn.c_proj = Conv1D(width, 3 * width), Conv1D(width, width)
        self.mlp.c_fc, self.mlp.c_proj = Conv1D(width, 4 * width), Conv1D(4 * width, width)

    def attend(self, x):
        n, t, d = x.shape
        q, k, v = (y.view(n, t, self.heads, -1).transpose(1, 2) for y in self.attn.c_attn(x).split(d, 2))
        scores = q @ k.transpose(2, 3) / math.sqrt(d // self.heads)
        scores = scores.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), -math.inf)
        return self.attn.c_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, d))

    def forward(self, x):
        x = x + self.attend(self.ln_1(x))
        return x + self.mlp.c_proj(F.gelu(self.mlp.c_fc(self.ln_2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self, vocab, context, width, depth, heads):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.h = nn.Sequential(*(GPTBlock(width, heads) for _ in range(depth)))
        self.ln_f = nn.LayerNorm(width)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        return self.ln_f(self.h(x)) @ self.wte.weight.T


def continue_text(model, ids, next):
    logits = model(ids)
    return dict(logits=logits), F.cross_entropy(logits.flatten(0, 1), next.flatten())


class CharLSTM(nn.Module):
    """States h and c are carried along in training; predicting starts from zeros."""

    def __init__(self, rows, width, hidden, layers):
        super().__init__()
        self.net = nn.Module()
        self.net.embed = nn.Embedding(96, width)
        self.net.rnn = nn.LSTM(width, hidden, layers, batch_first=True)
        self.net.head = nn.Linear(hidden, 96)
        self.register_buffer("h", torch.empty(layers, rows, hidden))
        self.register_buffer("c", torch.empty(layers, rows, hidden))

    def forward(self, ids):
        x = self.net.embed(ids)
        y, (h, c) = self.net.rnn(x, (self.h.clone(), self.c.clone()) if self.training else None)
        if self.training:
            self.h.copy_(h.detach())
            self.c.copy_(c.detach())
        return self.net.head(y)


class Word2Vec(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.embedding, self.context_embedding = nn.Embedding(vocab, dim), nn.Embedding(vocab, dim)


def tell_neighbours(model, center, context, noise):
    vector = model.embedding(center)
    near = (vector * model.context_embedding(context)).sum(1)
    far = torch.einsum("nd,nkd->nk", vector, model.context_embedding(noise))
    return dict(vector=vector), -(F.logsigmoid(near) + F.logsigmoid(-far).sum(1)).mean()


# ---- small versions ---------------------------------------------------------------------------------------------------

SMALL_MOBILE = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 1, 1]]
MODELS = {
    "ResNet18": dict(
        file="resnet", model=lambda: resnet(BasicBlock, [1, 2, 1, 1], [4, 6, 8, 10]), run=classify,
        set=dict(depths=[1, 2, 1, 1], widths=[4, 6, 8, 10], classes=CLASSES), inputs=dict(image=picture(64), label=label(4)),
    ),
    "ResNet50": dict(
        file="resnet", model=lambda: resnet(Bottleneck, [1, 2, 1, 1], [4, 6, 8, 8]), run=classify,
        set=dict(depths=[1, 2, 1, 1], widths=[4, 6, 8, 8], classes=CLASSES), inputs=dict(image=picture(64), label=label(4)),
    ),
    "VGG11": dict(
        file="vgg", model=lambda: SmallVGG([6, "pool", 8, 10, "pool"], 20), run=classify,
        set=dict(plan=[6, "pool", 8, 10, "pool"], hidden=20, drop=0.0, classes=CLASSES), inputs=dict(image=picture(32), label=label(4)),
    ),
    "GoogLeNet": dict(
        file="googlenet", model=lambda: SmallGoogLeNet(0.125), run=classify_with_heads,
        set=dict(modules=SMALL_INCEPTION, width=0.125, drop=0.0, aux_drop=0.0, classes=CLASSES), inputs=dict(image=picture(48, draw=17), label=label(4)),
    ),
    "MobileNetV2": dict(
        file="mobilenet", run=classify,
        model=lambda: zoo.MobileNetV2(num_classes=CLASSES, width_mult=0.5, inverted_residual_setting=SMALL_MOBILE, dropout=0.0),
        set=dict(width=0.5, blocks=SMALL_MOBILE, drop=0.0, classes=CLASSES), inputs=dict(image=picture(32, draw=8), label=label(4)),
    ),
    "DenseNet121": dict(
        file="densenet", model=lambda: zoo.DenseNet(4, (2, 3, 2), 8, bn_size=2, num_classes=CLASSES), run=classify,
        set=dict(growth=4, depths=[2, 3, 2], bottleneck=2, classes=CLASSES), inputs=dict(image=picture(48), label=label(4)),
    ),
    "UNet": dict(
        file="unet", model=lambda: UNet([4, 6, 8], 3), run=segment,
        set=dict(widths=[4, 6, 8], classes=3), inputs=dict(image=picture(24, 2), mask=dict(shape=[2, 24, 24], below=3)),
    ),
    "GPT": dict(
        file="gpt", model=lambda: GPT(50, 16, 24, 2, 3), run=continue_text,
        set=dict(vocab=50, context=16, width=24, depth=2, heads=3, drop=0.0),
        inputs=dict(ids=dict(shape=[3, 12], below=50), next=dict(shape=[3, 12], below=50)),
    ),
    "CharLSTM": dict(
        file="char-rnn", model=lambda: CharLSTM(3, 8, 12, 2), run=continue_text, set=dict(width=8, hidden=12, layers=2, drop=0.0),
        inputs=dict(ids=dict(shape=[3, 10], below=96), next=dict(shape=[3, 10], below=96)),
    ),
    "Word2Vec": dict(
        file="word2vec", block="drawn", model=lambda: Word2Vec(30, 12), run=tell_neighbours, set=dict(vocab=30, dim=12),
        inputs=dict(center=dict(shape=[8], below=30), context=dict(shape=[8], below=30), noise=dict(shape=[8, 4], below=30)),
    ),
}


# Which axes of inputs are the models' open dimensions.
OPEN = dict(image={"N": 0, "H": 2, "W": 3}, ids={"N": 0, "T": 1}, center={"N": 0}, noise={"K": 1})


# ---- running ----------------------------------------------------------------------------------------------------------


def make(name, spec):
    """Integers below a bound, or numbers in 0..1."""
    name = f"{name}.{spec.get('draw', 0)}"
    if "below" not in spec:
        return formula.spread(name, spec["shape"], 0.5, 0.5)
    return (formula.hashes(name, math.prod(spec["shape"])) % np.uint64(spec["below"])).astype(np.int64).reshape(spec["shape"])


def feed(case, dtype):
    made = {k: torch.from_numpy(make(k, spec)) for k, spec in case["inputs"].items()}
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in made.items()}


def run(case, dtype):
    model = formula.build(dict(model=case["model"]), {}, dtype)
    inputs = feed(case, dtype)
    with torch.no_grad():
        outputs, _ = case["run"](model.eval(), **inputs)
    _, loss = case["run"](model.train(), **inputs)
    loss.backward()
    return dict(
        outputs=formula.tensors(outputs.items()),
        loss=formula.tensors([("loss", loss)]),
        gradients=formula.tensors((name, p.grad) for name, p in model.named_parameters()),
        states=formula.tensors(model.named_buffers()),
    )


def golden(name, case):
    double, single = run(case, torch.float64), run(case, torch.float32)
    largest = max(formula.rms(g) for g in double["gradients"].values())
    for part in double:
        e = formula.disagreement(single[part], double[part], 1e-3 * largest if part == "gradients" else 1e-30)
        print(f"{name} {part}: f32 is {e:.1e} away", file=sys.stderr)
        if e > formula.TOLERANCE / 2:
            sys.exit(f"{name}: choose other numbers")
    parts = {part: {k: formula.summary(k, a) for k, a in named.items()} for part, named in double.items()}
    settings = {k: json.dumps(v) for k, v in case["set"].items()}
    dims = {d: spec["shape"][axis] for k, spec in case["inputs"].items() for d, axis in OPEN.get(k, {}).items()}
    about = dict(file=case["file"], model=name, block=case.get("block"), set=settings, dims=dims, inputs=case["inputs"])
    return dict(**about, **parts)


def main():
    folder = pathlib.Path(__file__).resolve().parent.parent / "zoo" / "goldens"
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or MODELS:
        text = json.dumps(golden(name, MODELS[name]), separators=(",", ":"))
        (folder / f"{name}.json").write_text(text.replace('},"', '},\n"') + "\n")


if __name__ == "__main__":
    main()
