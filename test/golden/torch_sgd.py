"""Golden values for the training step: an MLP trained by torch.optim.SGD and torch.optim.lr_scheduler.StepLR.

    python3 test/golden/torch_sgd.py > test/compiler/training/goldens/sgd.json

Needs PyTorch (Debian: python3-torch; any version since 1.10 gives the same to about 1e-7). The file holds the data, the
initial parameters and, for every variant of the optimizer, the losses of all steps, the final parameters, their momentum
buffers and the learning rates. Read by test/compiler/training/step.test.ts.
"""
import json

import torch

STEPS = 6
VARIANTS = [
    dict(name="plain", lr=0.1),
    dict(name="weight_decay", lr=0.1, weight_decay=0.05),
    dict(name="momentum", lr=0.05, momentum=0.9),
    dict(name="dampening", lr=0.05, momentum=0.9, dampening=0.3),
    dict(name="nesterov", lr=0.05, momentum=0.9, nesterov=True),
    dict(name="step_decay", lr=0.2, every=2, factor=0.3),
    dict(name="clip_value", lr=0.3, clip_value=0.02),
    dict(name="clip_norm", lr=0.3, clip_norm=0.1),
    dict(name="clip_norm_above", lr=0.1, clip_norm=1000.0),
    dict(name="everything", lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.01, every=3, factor=0.5, clip_value=0.1, clip_norm=0.2),
]


def numbers(t):
    return [float(f"{v:.9g}") for v in t.detach().flatten().tolist()]


def train(initial, x, target, name, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, every=None, factor=None, clip_value=None, clip_norm=None):
    params = {k: v.clone().requires_grad_() for k, v in initial.items()}
    ps = list(params.values())
    opt = torch.optim.SGD(ps, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov)
    schedule = torch.optim.lr_scheduler.StepLR(opt, every, factor) if every else None
    losses, rates = [], []
    for step in range(STEPS):
        h = torch.relu(x[step] @ params["fc1.weight"].T + params["fc1.bias"])
        y = h @ params["fc2.weight"].T + params["fc2.bias"]
        loss = ((y - target[step]) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        if clip_value is not None:
            torch.nn.utils.clip_grad_value_(ps, clip_value)
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(ps, clip_norm)
        rates.append(opt.param_groups[0]["lr"])
        losses.append(loss)
        opt.step()
        if schedule:
            schedule.step()
    out = dict(
        optimizer=dict(lr=lr, momentum=momentum, dampening=dampening, weightDecay=weight_decay, nesterov=nesterov, every=every, factor=factor),
        clipValue=clip_value,
        clipNorm=clip_norm,
        losses=numbers(torch.stack(losses)),
        rates=rates,
        params={k: numbers(v) for k, v in params.items()},
        momentum={k: numbers(opt.state[v]["momentum_buffer"]) for k, v in params.items()} if momentum else {},
    )
    return out


def main():
    torch.manual_seed(7)
    initial = {
        "fc1.weight": torch.randn(5, 3) * 0.6,
        "fc1.bias": torch.randn(5) * 0.1,
        "fc2.weight": torch.randn(2, 5) * 0.6,
        "fc2.bias": torch.randn(2) * 0.1,
    }
    x, target = torch.randn(STEPS, 4, 3), torch.randn(STEPS, 4, 2)
    golden = dict(
        steps=STEPS,
        x=[numbers(v) for v in x],
        target=[numbers(v) for v in target],
        initial={k: dict(shape=list(v.shape), values=numbers(v)) for k, v in initial.items()},
        variants={v["name"]: train(initial, x, target, **v) for v in VARIANTS},
    )
    print(json.dumps(golden, indent=None, separators=(",", ":")).replace('},"', '},\n"').replace('],"', '],\n"'))


main()
