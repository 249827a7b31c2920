"""The PyTorch adapter, against PyTorch and against the losses themselves."""

import copy
import inspect
import itertools
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cases
import numpy as np
import pytest
from conftest import framework
from test_examples import examples, run

import fastloss as fl

torch = framework("torch")

import torch.nn.functional as F  # noqa: E402

import fastloss.torch as adapter  # noqa: E402

CASES = cases.default_cases()
FUNCTIONS = [name for name in adapter.__all__ if name != "Loss"]


def by_id(case: Any) -> str:
    return case.id


def tensors(case: cases.Case, dtype: Any, n: int = 7) -> tuple[Any, Any, Any]:
    prediction, target = cases.sample(case, np.float64, n)
    weight = cases.sample_weight(n, np.float64)
    target = torch.from_numpy(target)
    if target.is_floating_point():
        target = target.to(dtype)
    return (
        torch.from_numpy(prediction).to(dtype).requires_grad_(),
        target,
        torch.from_numpy(weight).to(dtype),
    )


def upstream(value: Any) -> Any:
    """Gradients of the value that are neither 1 nor alike."""
    return torch.arange(2, 2 + value.numel(), dtype=value.dtype).reshape(value.shape) / 4


# ---- The module ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", cases.REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_a_module_has_the_numbers_of_its_loss(
    case: cases.Case, dtype: str, reduction: str
) -> None:
    prediction, target, weight = tensors(case, getattr(torch, dtype))
    loss = case.loss(reduction=reduction)
    module = adapter.Loss(loss)
    value = module(prediction, target, weight)
    assert value.dtype == prediction.dtype
    arrays = [adapter._array("x", t) for t in (prediction, target, weight)]
    expected, gradient = loss.value_and_grad(*arrays)
    expected = torch.as_tensor(np.asarray(expected, np.float64)).to(prediction.dtype)
    assert torch.equal(value, expected)
    with torch.no_grad():
        assert torch.equal(module(prediction, target, weight), expected)
    value.sum().backward()
    assert torch.equal(prediction.grad, adapter._tensor(gradient))


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize(
    "case", [case for case in cases.cases() if case.exact_hessian], ids=by_id
)
def test_derivatives(case: cases.Case, reduction: str) -> None:
    if case.parameters.get("reduction", reduction) != reduction:
        pytest.skip("has a reduction")
    prediction, target, weight = tensors(case, torch.float64, 4)
    module = adapter.Loss(case.loss(**({} if "reduction" in case.parameters else {"reduction": reduction})))

    def function(x: Any) -> Any:
        return module(x, target, weight)

    assert torch.autograd.gradcheck(function, prediction)
    assert torch.autograd.gradgradcheck(function, prediction, atol=1e-4)
