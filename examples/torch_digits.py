"""Handwritten digits in PyTorch, once with its own loss and once with fastloss's.

    pip install 'fastloss[torch,demo]'
    python examples/torch_digits.py

The two programs differ in where `cross_entropy` comes from, and in nothing else.
"""

from collections.abc import Callable

import torch
from sklearn.datasets import load_digits
from torch import Tensor

import fastloss.torch


def train(cross_entropy: Callable[..., Tensor]) -> list[float]:
    """Return the loss of each epoch."""
    torch.manual_seed(0)
    inputs, labels = (torch.from_numpy(array) for array in load_digits(return_X_y=True))
    inputs = inputs.float() / 16
    network = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    history = []
    for _ in range(10):
        total = 0.0
        for rows in torch.randperm(len(inputs)).split(32):
            loss = cross_entropy(network(inputs[rows]), labels[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        history.append(total / len(inputs))
    return history


def main() -> None:
    """Train twice and compare."""
    theirs = train(torch.nn.functional.cross_entropy)
    ours = train(fastloss.torch.cross_entropy)
    print("epoch   PyTorch   fastloss")
    for epoch, (a, b) in enumerate(zip(theirs, ours, strict=True), 1):
        print(f"{epoch:5}   {a:7.5f}   {b:8.5f}")
    difference = max(abs(a - b) / a for a, b in zip(theirs, ours, strict=True))
    assert difference < 1e-3, difference
    print(f"the same to {difference:.0e}")


if __name__ == "__main__":
    main()
