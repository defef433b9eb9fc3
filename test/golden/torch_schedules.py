"""Golden values for learning-rate schedules, from torch.optim.lr_scheduler over 10,000 updates; closed forms where PyTorch
has no such schedule.

    python3 test/golden/torch_schedules.py > test/compiler/training/goldens/schedules.json

Needs PyTorch 1.13 (Debian: python3-torch). For every variant: the schedule as it is written in the language, and the
learning rates at the update counts of `at`. Read by test/compiler/training/schedules.test.ts.
"""
import json
import math

import torch
from torch.optim import lr_scheduler as s

LAST = 10_000
AT = sorted(set([*range(0, 12), *range(95, 106), 299, 300, 301, 499, 500, 501, 999, 1000, 1001, 1009, 1010, 1500, 2099, 2100, 2101, 2998, 2999, 3000, 4000, 5000, 6999, 7000, 8999, 9000, 9001, 9498, 9499, 9500, *range(9995, 10_000)]))


def cosine(lr, to, steps):
    return lambda t: to + (lr - to) * (1 + math.cos(math.pi * min(t, steps) / steps)) / 2


VARIANTS = [
    ("0.1", 0.1, lambda o: s.ConstantLR(o, 1, 1)),
    ("constant(0.1)", 0.1, lambda o: s.ConstantLR(o, 1, 1)),
    ("step_decay(0.05, every=500, factor=0.5)", 0.05, lambda o: s.StepLR(o, 500, 0.5)),
    ("step_decay(1, every=30)", 1, lambda o: s.StepLR(o, 30)),
    ("exponential_decay(0.1, factor=0.9995)", 0.1, lambda o: s.ExponentialLR(o, 0.9995)),
    ("exponential_decay(0.1, factor=0.5, every=1000)", 1, lambda o: s.LambdaLR(o, lambda t: 0.1 * 0.5 ** (t / 1000))),
    ("inverse_time(0.1, rate=0.5, every=100)", 1, lambda o: s.LambdaLR(o, lambda t: 0.1 / (1 + 0.5 * t / 100))),
    ("inverse_sqrt(0.1)", 1, lambda o: s.LambdaLR(o, lambda t: 0.1 / math.sqrt(1 + t))),
    ("linear_warmup(0.1, steps=500) |> then(inverse_sqrt(0.1, steps=500))", 1, lambda o: s.LambdaLR(o, lambda t: 0.1 * min(t / 500, math.sqrt(500 / max(t, 1))))),
    ("cosine(0.1, steps=10000)", 0.1, lambda o: s.CosineAnnealingLR(o, 10000)),
    ("cosine(0.1, steps=10000, to=1e-4)", 0.1, lambda o: s.CosineAnnealingLR(o, 10000, 1e-4)),
    ("cosine(0.1, steps=1000, to=0.01)", 1, lambda o: s.LambdaLR(o, cosine(0.1, 0.01, 1000))),
    ("cosine(0.1, steps=300, restarts=true)", 0.1, lambda o: s.CosineAnnealingWarmRestarts(o, 300)),
    ("cosine(0.1, steps=100, to=1e-3, restarts=true, growth=2)", 0.1, lambda o: s.CosineAnnealingWarmRestarts(o, 100, 2, 1e-3)),
    ("linear_warmup(0.1, steps=500, from=0.01)", 0.1, lambda o: s.LinearLR(o, 0.1, 1, 500)),
    ("linear_warmup(0.1, steps=500) |> then(cosine(0.1, steps=9000))", 1, lambda o: s.LambdaLR(o, lambda t: 0.1 * t / 500 if t < 500 else cosine(0.1, 0, 9000)(t - 500))),
    ("linear_warmup(0.1, steps=1000, from=0.05) |> then(exponential_decay(0.1, 0.999))", 0.1, lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.5, 1, 1000), s.ExponentialLR(o, 0.999)], [1000])),
    ("linear_warmup(0.1, steps=100) |> then(0.1, after=300) |> then(step_decay(0.05, every=1000), after=1000)", 1, lambda o: s.LambdaLR(o, lambda t: 0.1 * min(t, 100) / 100 if t < 300 else 0.1 if t < 1000 else 0.05 * 0.1 ** ((t - 1000) // 1000))),
    ("one_cycle(0.1, steps=10000)", 0.1, lambda o: s.OneCycleLR(o, 0.1, 10000)),
    ("one_cycle(0.2, steps=10000, pct_start=0.25003, div_factor=10, final_div_factor=100)", 0.2, lambda o: s.OneCycleLR(o, 0.2, 10000, pct_start=0.25003, div_factor=10, final_div_factor=100)),
]


def rates(make, lr):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    schedule = make(optimizer)
    values = []
    for _ in range(LAST):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(values) < LAST:
            schedule.step()
    return [float(f"{values[t]:.12g}") for t in AT]


golden = dict(at=AT, variants=[dict(schedule=text, rates=rates(make, lr)) for text, lr, make in VARIANTS])
print(json.dumps(golden, separators=(",", ":")).replace("},{", "},\n{"))
