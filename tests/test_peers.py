"""Losses agree with PyTorch's, Keras's, optax's and scikit-learn's but for known differences."""

import functools
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import differences
import fastloss as fl
import peers
from cases import DTYPES, Array
from conftest import framework

DOCS = Path(__file__).parent.parent / "docs"
ROWS = list(peers.every_row())
every_row = pytest.mark.parametrize(
    ("peer", "row"), ROWS, ids=[f"{peer}-{row}" for peer, row in ROWS]
)
both_types = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def close(theirs: Array, ours: Array, dtype: Any, axis: int | None = None) -> None:
    """Within the rounding of a peer that computes in the dtype, at the size of the whole array."""
    eps = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(theirs, ours, rtol=eps, atol=eps * max(1, float(abs(ours).max())))


@both_types
@every_row
def test_values_and_gradients(peer: str, row: peers.Row, dtype: Any) -> None:
    framework(peer)
    if peer == "keras" and dtype == np.float64:
        pytest.skip("Keras has constants and clips of float32")
    loss = row.loss()
    prediction, target = row.data(dtype)
    exact, given = prediction.astype(np.float64), target
    values, gradient = peers.VALUES[peer](row, prediction, target)
    ours = loss.value(exact, given, reduction="none")
    if peer == "sklearn":
        # Without the terms that no prediction changes.
        ours = ours - _constant(loss, row, exact, given) + 0
        values = values - _constant_of(row, prediction, target)
    close(np.asarray(values).reshape(ours.shape), ours, dtype)
    if gradient is not None:
        close(gradient, loss.grad(exact, given, reduction="sum"), dtype)


def _reference(prediction: Array) -> Array:
    """A prediction like the first, in every row."""
    return np.broadcast_to(prediction[:1], prediction.shape).copy()


def _constant(loss: Any, row: peers.Row, prediction: Array, target: Array) -> Array:
    found: Array = loss.value(_reference(prediction), target, reduction="none")
    return found


def _constant_of(row: peers.Row, prediction: Array, target: Array) -> Array:
    return peers.sklearn_values(row, _reference(prediction), target)[0]


@both_types
@pytest.mark.parametrize("row", peers.SKLEARN, ids=str)
def test_hessians_of_scikit_learn(row: peers.Row, dtype: Any) -> None:
    framework("sklearn")
    loss = row.loss()
    prediction, target = row.data(dtype)
    theirs = peers.sklearn_hessian(row, prediction, target)
    ours = loss.grad_and_hess(prediction.astype(np.float64), target, reduction="sum")[1]
    close(theirs, ours, dtype)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("row", peers.TORCH, ids=str)
def test_reductions_of_torch(row: peers.Row, reduction: str) -> None:
    torch = framework("torch")
    loss = row.loss()
    prediction, target = row.data(np.float64)
    options = dict(row.options)
    for name in ("weight", "pos_weight"):
        if name in options:
            options[name] = torch.tensor(options[name], dtype=torch.float64)
    function = getattr(torch.nn.functional, row.name)
    if row.name == "kl_div":
        reduction = {"mean": "batchmean"}.get(reduction, reduction)
    call = row.call if row.call is peers.with_variance else None
    x, t = torch.from_numpy(prediction).requires_grad_(), torch.from_numpy(target)
    arguments = (function, x, t) if call else (x, t)
    value = (call or function)(*arguments, reduction=reduction, **options)
    value.backward()
    reduction = reduction.removeprefix("batch")
    # This one's mean is that of the rows, weighted or not.
    rows = {"denominator": len(target)} if row.name == "multi_margin_loss" else {}
    more = rows if reduction == "mean" else {}
    ours, gradient = loss.value_and_grad(prediction, target, reduction=reduction, **more)
    assert value.item() == pytest.approx(ours, rel=1e-12)
    close(x.grad.numpy(), gradient, np.float64)


def names_of(peer: str) -> set[str]:
    """Every public loss of a peer."""
    if peer == "torch":
        functions = vars(framework("torch.nn.functional"))
        return {n for n in functions if n.endswith(("_loss", "entropy")) or n == "kl_div"}
    if peer == "optax":
        module = framework("optax.losses")
        of_modules = (inspect.isfunction, lambda f: isinstance(f, functools.partial))
        return {
            n for n, f in vars(module).items() if n[0] != "_" and any(is_(f) for is_ in of_modules)
        }
    if peer == "keras":
        found = vars(framework("keras").losses)
        return {n for n, c in found.items() if inspect.isclass(c)}
    found = vars(framework("sklearn._loss"))
    return {n for n, c in found.items() if inspect.isclass(c)}


@pytest.mark.parametrize("peer", peers.TABLES)
def test_every_loss_of_a_peer_is_accounted_for(peer: str) -> None:
    known = {row.name for row in peers.TABLES[peer]} | set(peers.NO_COUNTERPART[peer])
    assert names_of(peer) - known == set()


# --- what is known to differ --------------------------------------------------------------------


@pytest.mark.parametrize("difference", differences.DIFFERENCES, ids=lambda d: d.id)
def test_differences(difference: differences.Difference) -> None:
    """Both sides do what the page says."""
    for package in difference.packages:
        framework(package)
    difference.check()


def test_the_page_is_the_table() -> None:
    assert (DOCS / "differences.md").read_text() == differences.page()
    assert {difference.loss for difference in differences.DIFFERENCES} <= set(fl.__all__)
