"""Golden values of the standard library: functions, losses and layers of the prelude against PyTorch, in double.

    python3 test/golden/torch_prelude.py            writes test/compiler/goldens/prelude.json

Needs PyTorch and NumPy (Debian: python3-torch). Read by test/compiler/prelude.test.ts, which says each case in the language.
A case has its inputs and parameters by name, the result y, and the gradients of sum(y * w) by inputs and parameters in f32.
"""
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(7)
cases = {}


def floats(*shape, low=-2.0, high=2.0):
    return torch.tensor(np.round(rng.uniform(low, high, shape), 3))


def ints(high, *shape):
    return torch.tensor(rng.integers(0, high, shape))


def told(t):
    data = [float(v) for v in t.reshape(-1)]
    return {"dtype": "f32" if t.is_floating_point() else "i32", "shape": list(t.shape), "data": data}


def case(name, f, **inputs):
    leaves = {k.replace("__", "."): v.clone().requires_grad_(v.is_floating_point() and "running" not in k) for k, v in inputs.items()}
    y = f(**{k: leaves[k.replace("__", ".")] for k in inputs})
    w = floats(*y.shape)
    wanted = [k for k, v in leaves.items() if v.requires_grad]
    grads = torch.autograd.grad((y * w).sum(), [leaves[k] for k in wanted], allow_unused=True) if y.requires_grad else []
    cases[name] = {
        "inputs": {k: told(v) for k, v in leaves.items()},
        "w": told(w),
        "y": told(y),
        "gradients": {k: told(g) for k, g in zip(wanted, grads) if g is not None},
    }


x = torch.cat([floats(3, 5), torch.tensor([[0.0, 7.0, -7.0, 30.0, -30.0]])])
case("relu6", lambda x: F.relu6(x), x=x)
case("leaky_relu", lambda x: F.leaky_relu(x, 0.1), x=x)
case("elu", lambda x: F.elu(x, 1.5), x=x)
case("selu", lambda x: F.selu(x), x=x)
case("gelu", lambda x: F.gelu(x), x=x)
case("gelu tanh", lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))), x=x)
case("silu", lambda x: F.silu(x), x=x)
case("log_sigmoid", lambda x: F.logsigmoid(x), x=x)
case("softplus", lambda x: torch.logaddexp(2 * x, torch.zeros_like(x)) / 2, x=x)
case("softsign", lambda x: F.softsign(x), x=x)
case("hard_swish", lambda x: F.hardswish(x), x=floats(4, 5, low=-5, high=5))
case("softmax", lambda x: F.softmax(x, -1), x=floats(3, 4))
case("softmax axis", lambda x: F.softmax(x, 1), x=floats(2, 3, 4))
case("log_softmax", lambda x: F.log_softmax(x, 1), x=floats(2, 3, 4))
case("glu", lambda x: F.glu(x, 1), x=floats(2, 6, 3))
case("clamp", lambda x: x.clamp(-1, 0.5), x=floats(4, 5))
case("lrn", lambda x: F.local_response_norm(x, 4, alpha=0.5, beta=0.75, k=2.0), x=floats(2, 7, 3, 3))

case("var", lambda x: x.var(dim=(0, 2)), x=floats(3, 4, 5))
case("std", lambda x: x.std(dim=1, unbiased=False, keepdim=True), x=floats(3, 4))
case("norm", lambda x: x.norm(dim=1), x=floats(3, 4))
case("norm 1", lambda x: x.norm(p=1, dim=1), x=floats(3, 4))
case("norm 3", lambda x: x.norm(p=3, dim=1), x=floats(3, 4))
case("norm inf", lambda x: x.norm(p=float("inf"), dim=1), x=floats(3, 4))

case("pad reflect", lambda x: F.pad(x, (2, 1, 1, 2), mode="reflect"), x=floats(1, 2, 4, 5))
case("pad edge", lambda x: F.pad(x, (2, 1, 1, 2), mode="replicate"), x=floats(1, 2, 4, 5))
case("pad constant", lambda x: F.pad(x, (2, 1), value=3.0), x=floats(2, 3))
case("roll", lambda x: x.roll((1, -2), (0, 1)), x=floats(3, 5))
case("flip", lambda x: x.flip(1, 2), x=floats(2, 3, 4))
case("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), x=floats(2, 8, 2, 3))
case("upsample nearest", lambda x: F.interpolate(x, scale_factor=3, mode="nearest"), x=floats(1, 2, 2, 3))
case("upsample nearest 1.5", lambda x: F.interpolate(x, scale_factor=1.5, mode="nearest", recompute_scale_factor=False), x=floats(1, 2, 4, 6))
case("upsample bilinear", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), x=floats(1, 2, 3, 4))
case("upsample bilinear 1.5", lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear", align_corners=False, recompute_scale_factor=False), x=floats(1, 2, 4, 6))
case("gather", lambda x, ids: x.gather(1, ids), x=floats(3, 4), ids=ints(4, 3, 2))
case("gather 0", lambda x, ids: x.gather(0, ids), x=floats(3, 4, 2), ids=ints(3, 2, 4, 1))
case("take", lambda x, ids: x[ids], x=floats(5, 3), ids=ints(5, 2, 4))
case("take axis", lambda x, ids: x[:, :, ids], x=floats(2, 3, 5), ids=ints(5, 4))
case("split", lambda x: x.split([1, 3, 2], 1)[1] * x.chunk(2, 1)[0], x=floats(2, 6))
case("stack", lambda x: torch.stack(x.unbind(1), -1), x=floats(2, 3, 4))
case("einsum", lambda a, b: torch.einsum("nd,nkd->nk", a, b), a=floats(3, 4), b=floats(3, 2, 4))
case("einsum sum", lambda a, b: torch.einsum("abc,cd->db", a, b), a=floats(2, 3, 4), b=floats(4, 5))
case("einsum three", lambda a, b, c: torch.einsum("ij,jk,ikl->il", a, b, c), a=floats(2, 3), b=floats(3, 4), c=floats(2, 4, 2))
case("matmul vectors", lambda a, b: a @ b, a=floats(4), b=floats(2, 4, 3))

image = floats(2, 3, 7, 8)
case("max_pool", lambda x: F.max_pool2d(x, 3, 2, 1), x=image)
case("max_pool ceil", lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), x=image)
case("max_pool ceil far", lambda x: F.max_pool2d(x, 2, 5, ceil_mode=True), x=image)
case("avg_pool", lambda x: F.avg_pool2d(x, 3, 2, 1), x=image)
case("avg_pool without padding", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), x=image)
case("avg_pool ceil", lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), x=image)
case("avg_pool ceil without padding", lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), x=image)
case("avg_pool 1-d", lambda x: F.avg_pool1d(x, 3, 2), x=floats(2, 3, 8))
case("adaptive_avg_pool", lambda x: F.adaptive_avg_pool2d(x, (3, 5)), x=image)
case("adaptive_avg_pool even", lambda x: F.adaptive_avg_pool2d(x, (1, 4)), x=image)
case("adaptive_avg_pool 1-d", lambda x: F.adaptive_avg_pool1d(x, 3), x=floats(2, 3, 8))

volume = floats(2, 2, 4, 5, 6)
case("max_pool 1-d", lambda x: F.max_pool1d(x, 3, 2, 1), x=floats(2, 3, 8))
case("max_pool 3-d", lambda x: F.max_pool3d(x, (2, 3, 2), (2, 1, 2), (1, 1, 0)), x=volume)
case("min_pool", lambda x: -F.max_pool2d(-x, 3, 2, 1), x=image)
case("avg_pool 3-d", lambda x: F.avg_pool3d(x, 2, ceil_mode=True, padding=(0, 1, 0)), x=volume)
case("adaptive_avg_pool 3-d", lambda x: F.adaptive_avg_pool3d(x, (2, 3, 4)), x=volume)


def unpooled(pool, unpool, size, *how, **more):
    def f(x):
        y, indices = pool(x, *how, return_indices=True, **more)
        return unpool(y * y, indices, *how, output_size=x.shape if size else None)

    return f


case("max_unpool", unpooled(F.max_pool2d, F.max_unpool2d, False, 2), x=floats(2, 2, 4, 6))
case("max_unpool size", unpooled(F.max_pool2d, F.max_unpool2d, True, (2, 3), 3, (0, 1)), x=floats(2, 2, 6, 8))
case("max_unpool 1-d", unpooled(F.max_pool1d, F.max_unpool1d, True, 2), x=floats(2, 2, 7))
case("max_unpool 3-d", unpooled(F.max_pool3d, F.max_unpool3d, True, 2), x=floats(1, 2, 4, 5, 4))
case("max_unpool ceil", unpooled(F.max_pool2d, F.max_unpool2d, True, 3, 3, ceil_mode=True), x=floats(1, 2, 7, 8))


def roi_pool(x, boxes, rows, columns, scale):
    """torchvision.ops.roi_pool, cell by cell."""
    height, width = x.shape[2:]
    pooled = []
    for box in boxes.tolist():
        x1, y1, x2, y2 = [int(np.floor(v * scale + 0.5)) for v in box[1:]]
        across, down = max(x2 - x1 + 1, 1) / columns, max(y2 - y1 + 1, 1) / rows
        for i in range(rows):
            top, bottom = [min(max(int(v) + y1, 0), height) for v in (np.floor(i * down), np.ceil((i + 1) * down))]
            for j in range(columns):
                left, right = [min(max(int(v) + x1, 0), width) for v in (np.floor(j * across), np.ceil((j + 1) * across))]
                cell = x[int(box[0]), :, top:bottom, left:right].reshape(x.shape[1], -1)
                pooled.append(cell.amax(1) if cell.shape[1] else torch.zeros(x.shape[1]))
    return torch.stack(pooled).reshape(len(boxes), rows, columns, -1).permute(0, 3, 1, 2)


def bilinear(plane, y, x):
    height, width = plane.shape[1:]
    if y < -1 or y > height or x < -1 or x > width:
        return torch.zeros(plane.shape[0])
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    v, h = y - top, x - left
    upper = plane[:, top, left] * (1 - h) + plane[:, top, right] * h
    return upper * (1 - v) + (plane[:, bottom, left] * (1 - h) + plane[:, bottom, right] * h) * v


def roi_align(x, boxes, rows, columns, scale, samples, aligned):
    """torchvision.ops.roi_align, sample by sample."""
    pooled = []
    for box in boxes.tolist():
        x1, y1, x2, y2 = [v * scale - (0.5 if aligned else 0) for v in box[1:]]
        width, height = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
        for i in range(rows):
            for j in range(columns):
                points = [
                    bilinear(x[int(box[0])], y1 + height / rows * (i + (p + 0.5) / samples), x1 + width / columns * (j + (q + 0.5) / samples))
                    for p in range(samples)
                    for q in range(samples)
                ]
                pooled.append(sum(points) / samples**2)
    return torch.stack(pooled).reshape(len(boxes), rows, columns, -1).permute(0, 3, 1, 2)


features = floats(2, 3, 6, 7)
boxes = torch.tensor([[0, 1.0, 2.0, 9.0, 8.0], [1, -3.0, 0.0, 4.5, 30.0], [1, 11.0, 9.0, 12.0, 10.0], [0, 20.0, 3.0, 25.0, 6.0]])
case("roi_pool", lambda x, boxes: roi_pool(x, boxes, 3, 2, 0.5) + 0 * boxes.sum(), x=features, boxes=boxes)
case("roi_pool one image", lambda x, boxes: roi_pool(x, boxes, 2, 2, 1.0) + 0 * boxes.sum(), x=features[:1], boxes=boxes[[0, 3]])
case("roi_align", lambda x, boxes: roi_align(x, boxes, 3, 2, 0.5, 2, False) + 0 * boxes.sum(), x=features, boxes=boxes)
case("roi_align aligned", lambda x, boxes: roi_align(x, boxes, 2, 3, 0.4, 3, True) + 0 * boxes.sum(), x=features[:1], boxes=boxes[[0, 3]])

scores, labels = floats(4, 5), ints(5, 4)
case("cross_entropy", lambda x, t: F.cross_entropy(x, t), x=scores, t=labels)
case("cross_entropy smoothing", lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1), x=scores, t=labels)
case("cross_entropy image", lambda x, t: F.cross_entropy(x, t, reduction="sum"), x=floats(2, 5, 3, 3), t=ints(5, 2, 3, 3))
case("cross_entropy last", lambda x, t: F.cross_entropy(x.transpose(1, 2), t, reduction="none"), x=floats(2, 3, 5), t=ints(5, 2, 3))
case("nll", lambda x, t: F.nll_loss(x, t), x=scores, t=labels)
a, b = floats(3, 4), floats(3, 4)
case("mse", lambda a, b: F.mse_loss(a, b), a=a, b=b)
case("l1_loss", lambda a, b: F.l1_loss(a, b), a=a, b=b)
case("huber", lambda a, b: F.huber_loss(a, b, delta=0.7), a=a, b=b)
case("smooth_l1", lambda a, b: F.smooth_l1_loss(a, b, beta=0.7, reduction="none"), a=a, b=b)
case("bce_with_logits", lambda a, b: F.binary_cross_entropy_with_logits(a, b), a=torch.cat([a, torch.zeros(1, 4)]), b=floats(4, 4, low=0.0, high=1.0))
case("kl_div", lambda a, b: F.kl_div(F.log_softmax(a, 1), F.softmax(b, 1), reduction="sum"), a=a, b=b)
case("triplet", lambda a, b, c: F.triplet_margin_loss(a, b, c, margin=0.5), a=a, b=b, c=floats(3, 4))

drawn, bias = ints(6, 4, 3), floats(6)
noise = F.softmax(floats(6), 0)


def sampled(x, weight, bias, t, drawn, expected):
    ids = torch.cat([t[:, None], drawn], 1)
    scores = torch.einsum("nd,nkd->nk", x, weight[ids]) + bias[ids] - expected(ids)
    return -(F.logsigmoid(scores[:, 0]) + F.logsigmoid(-scores[:, 1:]).sum(1)).mean()


words = dict(x=floats(4, 5), weight=floats(6, 5), bias=bias, t=ints(6, 4), drawn=drawn)
case("negative_sampling", lambda x, weight, bias, t, drawn: sampled(x, weight, bias, t, drawn, lambda ids: 0), **words)
case("nce", lambda x, weight, bias, t, drawn: sampled(x, weight, bias, t, drawn, lambda ids: np.log(3 / 6)), **words)
case("nce noise", lambda noise, **w: sampled(**w, expected=lambda ids: torch.log(3 * noise[ids])), noise=noise, **words)
case("soft_target_cross_entropy", lambda a, b: 9 * -(F.softmax(b / 3, 1) * F.log_softmax(a / 3, 1)).sum(1).mean(), a=a, b=b)

case("Linear", lambda x, l__weight, l__bias: F.linear(x, l__weight, l__bias), x=floats(2, 3, 4), l__weight=floats(5, 4), l__bias=floats(5))
case("Conv1d", lambda x, l__weight, l__bias: F.conv1d(x, l__weight, l__bias, 2, 3, 2, 2),
     x=floats(2, 4, 9), l__weight=floats(6, 2, 3), l__bias=floats(6))
case("Conv2d", lambda x, l__weight, l__bias: F.conv2d(x, l__weight, l__bias, (2, 1), (1, 2), (1, 2), 3),
     x=floats(2, 3, 7, 8), l__weight=floats(6, 1, 3, 2), l__bias=floats(6))
case("Conv2d same", lambda x, l__weight: F.conv2d(x, l__weight, None, padding="same"), x=floats(1, 2, 5, 6), l__weight=floats(3, 2, 3, 5))
case("Conv2d depthwise", lambda x, l__weight, l__bias: F.conv2d(x, l__weight, l__bias, 2, 1, 1, 3),
     x=floats(2, 3, 5, 6), l__weight=floats(6, 1, 3, 3), l__bias=floats(6))
case("Conv3d", lambda x, l__weight, l__bias: F.conv3d(x, l__weight, l__bias, (2, 1, 1), (1, 0, 1), (1, 2, 1), 2),
     x=floats(1, 4, 4, 5, 4), l__weight=floats(6, 2, 2, 2, 3), l__bias=floats(6))
case("ConvTranspose2d dilation", lambda x, l__weight: F.conv_transpose2d(x, l__weight, None, 2, 1, 1, 1, 2),
     x=floats(1, 2, 3, 4), l__weight=floats(2, 3, 3, 3))


def locally_connected(x, l__weight, l__bias):
    patches = F.unfold(x, (3, 2), stride=(2, 1)).reshape(2, 2, 6, 2, 4)
    return torch.einsum("ncpij,ocpij->noij", patches, l__weight) + l__bias


case("LocallyConnected2d", locally_connected, x=floats(2, 2, 5, 5), l__weight=floats(3, 2, 6, 2, 4), l__bias=floats(3, 2, 4))
case("RMSNorm", lambda x, l__weight: x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * l__weight, x=floats(2, 3, 4), l__weight=floats(4))
case("Maxout", lambda x, l__linear__weight, l__linear__bias: F.linear(x, l__linear__weight, l__linear__bias).reshape(2, 3, 3, 2).amax(-1),
     x=floats(2, 3, 4), l__linear__weight=floats(6, 4), l__linear__bias=floats(6))
case("ConvTranspose2d", lambda x, l__weight, l__bias: F.conv_transpose2d(x, l__weight, l__bias, (2, 3), (1, 0), (1, 2), 2, (1, 1)),
     x=floats(2, 4, 3, 4), l__weight=floats(4, 3, 3, 2), l__bias=floats(6))
case("BatchNorm predicting", lambda x, l__running_mean, l__running_var, l__weight, l__bias: F.batch_norm(x, l__running_mean, l__running_var, l__weight, l__bias),
     x=floats(2, 3, 4), l__running_mean=floats(3), l__running_var=floats(3, low=0.5), l__weight=floats(3), l__bias=floats(3))
case("BatchNorm training", lambda x, l__weight, l__bias: F.batch_norm(x, None, None, l__weight, l__bias, training=True),
     x=floats(2, 3, 4), l__weight=floats(3), l__bias=floats(3))
case("LayerNorm", lambda x, l__weight, l__bias: F.layer_norm(x, (4,), l__weight, l__bias), x=floats(2, 3, 4), l__weight=floats(4), l__bias=floats(4))
case("LayerNorm 2", lambda x, l__weight, l__bias: F.layer_norm(x, (3, 4), l__weight, l__bias),
     x=floats(2, 3, 4), l__weight=floats(3, 4), l__bias=floats(3, 4))
case("GroupNorm", lambda x, l__weight, l__bias: F.group_norm(x, 2, l__weight, l__bias), x=floats(2, 6, 3), l__weight=floats(6), l__bias=floats(6))
case("InstanceNorm", lambda x: F.instance_norm(x), x=floats(2, 3, 4, 2))
case("Embedding", lambda ids, l__weight: F.embedding(ids, l__weight), ids=ints(5, 2, 3), l__weight=floats(5, 4))
case("PReLU", lambda x, l__weight: F.prelu(x, l__weight), x=floats(2, 3, 4), l__weight=floats(3))


def of_module(name, module, call, x):
    for v in module.parameters():
        v.data = floats(*v.shape, low=-1, high=1)
    x = x.requires_grad_(True)
    y = call(module, x)
    w = floats(*y.shape)
    leaves = {"x": x, **{f"l.{k}": v for k, v in module.named_parameters()}}
    grads = torch.autograd.grad((y * w).sum(), list(leaves.values()))
    cases[name] = {
        "inputs": {k: told(v) for k, v in leaves.items()},
        "w": told(w),
        "y": told(y),
        "gradients": {k: told(g) for k, g in zip(leaves, grads)},
    }


for kind in ["RNN", "LSTM", "GRU"]:
    of_module(kind, getattr(torch.nn, kind)(3, 4, num_layers=2, batch_first=True), lambda m, x: m(x)[0], floats(2, 3, 3))
for kind in ["RNN", "GRU"]:
    of_module(f"{kind} state", getattr(torch.nn, kind)(3, 4, num_layers=2, batch_first=True), lambda m, x: m(x)[1], floats(2, 3, 3))
of_module("LSTM state", torch.nn.LSTM(3, 4, batch_first=True), lambda m, x: torch.cat(m(x)[1]), floats(2, 3, 3))
mask = torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)
attention = torch.nn.MultiheadAttention(6, 2, batch_first=True)
of_module("MultiHeadAttention", attention, lambda m, x: m(x, x, x, attn_mask=mask, need_weights=False)[0], floats(2, 4, 6))

seen = torch.tensor(rng.random((4, 4)) < 0.6) | torch.eye(4, dtype=torch.bool)
told_mask = lambda m, x: m(x, x[:, :2].repeat(1, 2, 1), x, attn_mask=~seen, need_weights=False)[0]
of_module("MultiHeadAttention mask", torch.nn.MultiheadAttention(6, 3, bias=False, batch_first=True), told_mask, floats(2, 4, 6))
cases["MultiHeadAttention mask"]["inputs"]["seen"] = {"dtype": "i32", "shape": [4, 4], "data": [int(v) for v in seen.reshape(-1)]}

case("clamp crossed", lambda x, a, b: x.clamp(a, b), x=floats(4, 5), a=floats(5), b=floats(4, 1))
case("max_pool dilation", lambda x: F.max_pool2d(x, (3, 2), (2, 1), (1, 1), (2, 3)), x=floats(2, 3, 9, 8))
case("max_pool dilation ceil", lambda x: F.max_pool1d(x, 3, 2, 1, 2, ceil_mode=True), x=floats(2, 3, 10))
case("cumsum", lambda x: x.cumsum(1), x=floats(2, 7, 3))
case("cumsum exclusive", lambda x: x.cumsum(-1) - x, x=floats(2, 6))
case("cumsum reverse", lambda x: x.flip(0).cumsum(0).flip(0), x=floats(5, 2))
case("cumprod", lambda x: x.cumprod(-1), x=floats(3, 6))
case("top_k values", lambda x: x.topk(3, 1)[0], x=floats(2, 6, 3))
case("top_k sorts", lambda x: x.sort(descending=True)[0], x=floats(3, 5))
case("top_k places", lambda x: x.topk(2, 1)[1] * 1.0, x=floats(4, 5))
ids = torch.tensor([[2, 0, 1], [4, 1, 3]])
case("scatter", lambda x, values: x.scatter(0, ids, values), x=floats(5, 4), values=floats(2, 3))
case("scatter axis", lambda x, values: x.scatter(1, ids, values), x=floats(3, 5), values=floats(2, 3))
same = torch.tensor([[2, 0, 2, 2], [1, 1, 3, 0]])
case("scatter add", lambda x, values: x.scatter_add(1, same, values), x=floats(2, 4), values=floats(2, 4))
case("scatter mul", lambda x, values: x.scatter_reduce(1, same, values, "prod"), x=floats(2, 4), values=floats(2, 4))
case("scatter max", lambda x, values: x.scatter_reduce(1, same, values, "amax"), x=floats(2, 4), values=floats(2, 4))
case("scatter min", lambda x, values: x.scatter_reduce(1, same, values, "amin"), x=floats(2, 4), values=floats(2, 4))
case("ConvTranspose1d", lambda x, l__weight, l__bias: F.conv_transpose1d(x, l__weight, l__bias, 3, 1, 2, 2, 2),
     x=floats(2, 4, 5), l__weight=floats(4, 3, 4), l__bias=floats(6))
case("ConvTranspose3d", lambda x, l__weight, l__bias: F.conv_transpose3d(x, l__weight, l__bias, (2, 1, 2), (1, 0, 1), (1, 0, 0), 1, (1, 2, 1)),
     x=floats(1, 2, 3, 2, 3), l__weight=floats(2, 3, 3, 2, 2), l__bias=floats(3))


def gru_before(x, l__weight_ih_l0, l__weight_hh_l0, l__bias_ih_l0, l__bias_hh_l0):
    """The reset gate scales the state before its matrix."""
    h = torch.zeros(x.shape[0], 4)
    steps = []
    for t in range(x.shape[1]):
        ir, iz, new = (x[:, t] @ l__weight_ih_l0.T + l__bias_ih_l0).chunk(3, -1)
        (wr, wz, wn), (br, bz, bn) = l__weight_hh_l0.chunk(3), l__bias_hh_l0.chunk(3)
        r, z = torch.sigmoid(ir + h @ wr.T + br), torch.sigmoid(iz + h @ wz.T + bz)
        n = torch.tanh(new + (r * h) @ wn.T + bn)
        h = (1 - z) * n + z * h
        steps.append(h)
    return torch.stack(steps, 1)


case("GRU reset before", gru_before, x=floats(2, 3, 3), l__weight_ih_l0=floats(12, 3), l__weight_hh_l0=floats(12, 4),
     l__bias_ih_l0=floats(12), l__bias_hh_l0=floats(12))
# More than a stride, and less than the dilation.
case("ConvTranspose1d output padding", lambda x, l__weight, l__bias: F.conv_transpose1d(x, l__weight, l__bias, 1, 2, 2, 1, 4),
     x=floats(2, 3, 6), l__weight=floats(3, 2, 3), l__bias=floats(2))
case("ConvTranspose2d output padding", lambda x, l__weight: F.conv_transpose2d(x, l__weight, None, 2, (3, 1), (3, 2), 2, 4),
     x=floats(1, 4, 4, 3), l__weight=floats(4, 3, 3, 2))
case("ConvTranspose3d output padding", lambda x, l__weight: F.conv_transpose3d(x, l__weight, None, 1, 1, (2, 0, 1), 1, (3, 1, 2)),
     x=floats(1, 2, 3, 4, 3), l__weight=floats(2, 2, 2, 2, 3))
for name in cases:
    if name.startswith("scatter"):
        told_ids = ids if name in ("scatter", "scatter axis") else same
        cases[name]["inputs"]["ids"] = told(told_ids)

path = pathlib.Path(__file__).parent.parent / "compiler/goldens/prelude.json"
path.parent.mkdir(exist_ok=True)


def rounded(v):
    return {k: rounded(x) for k, x in v.items()} if isinstance(v, dict) else [float(f"{x:.9g}") for x in v] if isinstance(v, list) and v and isinstance(v[0], float) else v


path.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(rounded(v), separators=(',', ':'))}" for k, v in cases.items()) + "\n}\n")
print(len(cases), "cases,", path.stat().st_size, "bytes")
