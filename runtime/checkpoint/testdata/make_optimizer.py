#!/usr/bin/env python3
"""Writes optimizer.pt beside itself, as the T6 reference's trainer saves it: a
torch.save of {"optimizer", "iter_num", "best_val_loss"} after two updates by AdamW of
three parameters. Element i of every gradient is i + 1 in the first update and i + 2 in
the second, so that a test can work out the moments.

Needs PyTorch; the file in version control was made with Debian's 1.13.
"""
import collections
import pathlib

import torch

SHAPES = collections.OrderedDict([("wte.weight", (4, 3)), ("c_qkv.weight", (2, 3)), ("norm", (3,))])


def main():
    parameters = [torch.nn.Parameter(torch.zeros(shape)) for shape in SHAPES.values()]
    optimizer = torch.optim.AdamW(parameters, lr=6e-4, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    for update in range(2):
        for parameter in parameters:
            count = parameter.numel()
            gradient = torch.arange(count, dtype=torch.float32) + (1 + update)
            parameter.grad = gradient.view(parameter.shape)
        optimizer.step()
    checkpoint = {
        "optimizer": optimizer.state_dict(),
        "iter_num": 1000,
        "best_val_loss": torch.tensor(3.25),
    }
    torch.save(checkpoint, pathlib.Path(__file__).parent / "optimizer.pt")


if __name__ == "__main__":
    main()
