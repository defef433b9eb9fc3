"""Golden values for optimizers: an MLP trained for 20 steps by each of torch.optim, in double precision.

    python3 test/golden/torch_optimizers.py > test/compiler/training/goldens/optimizers.json

Needs PyTorch 1.13 (Debian: python3-torch). NAdam is its `foreach` form, which has the published formula; the other one of
1.13 takes mu twice into the product of the next step (mended in PyTorch 2). The file holds the data, the initial parameters
and, for every variant, the optimizer as it is written in the language, the losses of all steps and the final parameters.
Read by test/compiler/training/optimizers.test.ts and numpy_optimizers.py.
"""
import json

import torch
from torch.optim import lr_scheduler, Adadelta, Adagrad, Adam, AdamW, NAdam, RMSprop, Rprop, SGD

STEPS = 20
VARIANTS = [
    ("sgd(0.1)", SGD, dict(lr=0.1)),
    ("sgd(0.05, momentum=0.9, nesterov=true, weight_decay=0.01)", SGD, dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)),
    ("sgd(0.05, momentum=0.9, dampening=0.2)", SGD, dict(lr=0.05, momentum=0.9, dampening=0.2)),
    ("adagrad()", Adagrad, dict()),
    ("adagrad(0.1, lr_decay=0.05, weight_decay=0.02, initial_accumulator_value=0.3, eps=1e-3)", Adagrad, dict(lr=0.1, lr_decay=0.05, weight_decay=0.02, initial_accumulator_value=0.3, eps=1e-3)),
    ("rmsprop()", RMSprop, dict()),
    ("rmsprop(0.02, alpha=0.9, eps=1e-4, momentum=0.8, centered=true, weight_decay=0.01)", RMSprop, dict(lr=0.02, alpha=0.9, eps=1e-4, momentum=0.8, centered=True, weight_decay=0.01)),
    ("adadelta()", Adadelta, dict()),
    ("adadelta(2, rho=0.8, eps=1e-3, weight_decay=0.05)", Adadelta, dict(lr=2, rho=0.8, eps=1e-3, weight_decay=0.05)),
    ("adam()", Adam, dict()),
    ("adam(0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.02)", Adam, dict(lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.02)),
    ("adam(0.1, betas=(0.5, 0.6), amsgrad=true)", Adam, dict(lr=0.1, betas=(0.5, 0.6), amsgrad=True)),
    ("adamw()", AdamW, dict()),
    ("adamw(0.05, betas=(0.85, 0.9), weight_decay=0.3, amsgrad=true)", AdamW, dict(lr=0.05, betas=(0.85, 0.9), weight_decay=0.3, amsgrad=True)),
    ("nadam()", NAdam, dict(foreach=True)),
    ("nadam(0.03, betas=(0.8, 0.9), momentum_decay=0.5, weight_decay=0.02)", NAdam, dict(lr=0.03, betas=(0.8, 0.9), momentum_decay=0.5, weight_decay=0.02, foreach=True)),
    ("rprop()", Rprop, dict()),
    ("rprop(0.03, etas=(0.4, 1.5), step_sizes=(0.01, 0.1))", Rprop, dict(lr=0.03, etas=(0.4, 1.5), step_sizes=(0.01, 0.1))),
    ("adamw(lr=step_decay(0.05, every=6, factor=0.3))", AdamW, dict(lr=0.05, schedule=lambda o: lr_scheduler.StepLR(o, 6, 0.3))),
    ("rmsprop(lr=cosine(0.03, steps=15, to=1e-3) |> then(0.001))", RMSprop, dict(lr=0.03, schedule=lambda o: lr_scheduler.LambdaLR(o, COSINE))),
]
COSINE = lambda t: lr_scheduler.CosineAnnealingLR._get_closed_form_lr(Namespace(last_epoch=min(t, 15), T_max=15, eta_min=1e-3, base_lrs=[0.03]))[0] / 0.03


class Namespace:
    def __init__(self, **values):
        self.__dict__.update(values)


def numbers(t):
    return [float(f"{v:.9g}") for v in t.detach().flatten().tolist()]


def train(initial, x, target, text, optimizer, arguments):
    params = {k: v.clone().requires_grad_() for k, v in initial.items()}
    make = {k: v for k, v in arguments.items() if k != "schedule"}
    opt = optimizer(list(params.values()), **make)
    schedule = arguments["schedule"](opt) if "schedule" in arguments else None
    losses = []
    for step in range(STEPS):
        h = torch.relu(x[step] @ params["fc1.weight"].T + params["fc1.bias"])
        y = h @ params["fc2.weight"].T + params["fc2.bias"]
        loss = ((y - target[step]) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        losses.append(loss)
        opt.step()
        if schedule:
            schedule.step()
    return dict(optimizer=text, losses=numbers(torch.stack(losses)), params={k: numbers(v) for k, v in params.items()})


def main():
    torch.manual_seed(11)
    torch.set_default_dtype(torch.float64)
    rounded = lambda *shape: torch.randn(*shape).float().double()
    initial = {
        "fc1.weight": rounded(5, 3) * 0.5,
        "fc1.bias": rounded(5) * 0.125,
        "fc2.weight": rounded(2, 5) * 0.5,
        "fc2.bias": rounded(2) * 0.125,
    }
    x, target = rounded(STEPS, 4, 3), rounded(STEPS, 4, 2)
    golden = dict(
        steps=STEPS,
        x=[numbers(v) for v in x],
        target=[numbers(v) for v in target],
        initial={k: dict(shape=list(v.shape), values=numbers(v)) for k, v in initial.items()},
        variants=[train(initial, x, target, *v) for v in VARIANTS],
    )
    print(json.dumps(golden, indent=None, separators=(",", ":")).replace('},"', '},\n"').replace('],"', '],\n"').replace("},{", "},\n{"))


main()
