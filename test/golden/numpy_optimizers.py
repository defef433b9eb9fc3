"""Golden values for optimizers that PyTorch does not have, on the data of torch_optimizers.py, in double precision.

    python3 test/golden/numpy_optimizers.py > test/compiler/training/goldens/more-optimizers.json

Lion: X. Chen et al., "Symbolic Discovery of Optimization Algorithms" (2023), algorithm 2. Read by
test/compiler/training/optimizers.test.ts.
"""
import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "compiler/training/goldens"
data = json.loads((FOLDER / "optimizers.json").read_text())


def gradients(p, x, target):
    """The loss of the MLP and its derivative by every parameter."""
    before = x @ p["fc1.weight"].T + p["fc1.bias"]
    h = np.maximum(before, 0)
    distance = h @ p["fc2.weight"].T + p["fc2.bias"] - target
    dy = 2 * distance / distance.size
    dh = (dy @ p["fc2.weight"]) * (before > 0)
    grads = {"fc1.weight": dh.T @ x, "fc1.bias": dh.sum(0), "fc2.weight": dy.T @ h, "fc2.bias": dy.sum(0)}
    return (distance**2).mean(), grads


def lion(lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
    memory = {}

    def step(name, p, g):
        m = memory.get(name, np.zeros_like(p))
        direction = np.sign(betas[0] * m + (1 - betas[0]) * g)
        memory[name] = betas[1] * m + (1 - betas[1]) * g
        return p - lr * (direction + weight_decay * p)

    return step


VARIANTS = [
    ("lion()", lion()),
    ("lion(0.01, betas=(0.8, 0.9), weight_decay=0.5)", lion(lr=0.01, betas=(0.8, 0.9), weight_decay=0.5)),
]


def numbers(a):
    return [float(f"{v:.9g}") for v in np.asarray(a).flatten().tolist()]


def train(text, step):
    p = {k: np.array(v["values"]).reshape(v["shape"]) for k, v in data["initial"].items()}
    losses = []
    for x, target in zip(data["x"], data["target"]):
        loss, grads = gradients(p, np.array(x).reshape(4, 3), np.array(target).reshape(4, 2))
        losses.append(loss)
        p = {k: step(k, v, grads[k]) for k, v in p.items()}
    return dict(optimizer=text, losses=numbers(losses), params={k: numbers(v) for k, v in p.items()})


print(json.dumps([train(*v) for v in VARIANTS], separators=(",", ":")).replace("},{", "},\n{"))
