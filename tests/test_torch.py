"""The PyTorch adapter, against PyTorch and against the losses themselves."""

import copy
import gc
import inspect
import itertools
import os
import pickle
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import cases
import fastloss as fl
from conftest import framework, table_of_missing
from test_examples import run_page

torch = framework("torch")

import torch.nn.functional as F  # noqa: E402

import fastloss.torch as adapter  # noqa: E402

CASES = cases.default_cases()
FUNCTIONS = [name for name in adapter.__all__ if name != "Loss"]
ROOT = Path(__file__).parent.parent


def by_id(case: Any) -> str:
    return str(case.id)


def tensors(case: cases.Case, dtype: Any, n: int = 7) -> tuple[Any, Any, Any]:
    """Prediction, target and weight; every number exact in the dtype, if not a short one."""
    prediction, target = (torch.from_numpy(x) for x in cases.sample(case, np.float64, n))
    weight = torch.from_numpy(cases.sample_weight(n, np.float64))
    if target.is_floating_point():
        target = target.to(dtype)
    if dtype is torch.bfloat16 and case.kind == "numbers":
        low, high = case.loss().target_domain
        target = target.clamp(low, high)
    return prediction.to(dtype).requires_grad_(), target, weight.to(dtype)


def upstream(value: Any) -> Any:
    """Gradients of a value that are neither 1 nor alike."""
    return torch.arange(2, 2 + value.numel(), dtype=value.dtype).reshape(value.shape) / 4


def fresh(tensor: Any) -> Any:
    return tensor.detach().clone(memory_format=torch.preserve_format).requires_grad_()


# ---- The module ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", cases.REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_a_module_has_the_numbers_of_its_loss(case: cases.Case, dtype: str, reduction: str) -> None:
    prediction, target, weight = tensors(case, getattr(torch, dtype))
    loss = case.loss(reduction=reduction)
    module = adapter.Loss(loss)
    value = module(prediction, target, weight)
    assert value.dtype == prediction.dtype
    arrays = [adapter._array("x", t) for t in (prediction, target, weight)]
    expected, gradient = loss.value_and_grad(*arrays)
    if reduction == "none":
        assert torch.equal(value, adapter._tensor(expected))
    else:
        assert value.item() == torch.tensor(expected, dtype=value.dtype).item()
    with torch.no_grad():
        assert torch.equal(module(prediction, target, weight), value)
    value.sum().backward()
    assert torch.equal(prediction.grad, adapter._tensor(gradient))


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("case", [c for c in cases.cases() if c.exact_hessian], ids=by_id)
def test_derivatives(case: cases.Case, reduction: str) -> None:
    case = case._replace(parameters={**case.parameters, "reduction": reduction})
    prediction, target, weight = tensors(case, torch.float64, 4)
    module = adapter.Loss(case.loss())

    def function(x: Any) -> Any:
        return module(x, target, weight)

    # Of a small residual of a steep loss the second difference has few digits.
    steps = {"eps": 1e-6, "atol": 1e-4, "rtol": 1e-3}
    assert torch.autograd.gradcheck(function, prediction, **steps)
    assert torch.autograd.gradgradcheck(function, prediction, **steps)


@pytest.mark.parametrize("case", CASES, ids=by_id)
def test_compiled(case: cases.Case) -> None:
    reduction = ("mean", "none")[CASES.index(case) % 2]
    prediction, target, weight = tensors(case, torch.float32)
    module = adapter.Loss(case.loss(reduction=reduction))

    def function(x: Any, weight: Any) -> Any:
        return module(1.0 * x, target, weight) * 2.0

    torch._dynamo.reset()
    results = []
    for call in (function, torch.compile(function, fullgraph=True, backend="aot_eager")):
        x = fresh(prediction)
        value = call(x, weight)
        value.backward(upstream(value))
        with torch.no_grad():
            assert torch.equal(call(x, weight), value)
        results.append((value, x.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_a_backward_pass_with_any_gradient() -> None:
    x = torch.tensor([0.0, 5.0], requires_grad=True)
    target = torch.zeros(2)
    for reduction, given in (("sum", 2.5), ("sum", 1.0), ("mean", -0.5)):
        value = adapter.Loss("huber", reduction=reduction)(x, target)
        expected = F.huber_loss(fresh(x), target, reduction=reduction)
        (gradient,) = torch.autograd.grad(value * given, x)
        y = fresh(x)
        (expected,) = torch.autograd.grad(F.huber_loss(y, target, reduction=reduction) * given, y)
        assert torch.equal(gradient, expected)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_a_graph_may_be_used_again(factor: float) -> None:
    x = torch.tensor([0.5, 5.0], requires_grad=True)
    value = adapter.huber_loss(x, torch.zeros(2)) * factor
    (first,) = torch.autograd.grad(value, x, retain_graph=True)
    kept = first.clone()
    first.zero_()  # whose it is may write to it
    (second,) = torch.autograd.grad(value, x, retain_graph=True)
    (third,) = torch.autograd.grad(value, x, create_graph=True)
    assert torch.equal(second, kept)
    assert torch.equal(third, kept)
    (fourth,) = torch.autograd.grad(third.sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="no third"):
        fourth.sum().backward()


def test_gradients_accumulate() -> None:
    x = torch.tensor([0.5, 5.0], requires_grad=True)
    for _ in range(3):
        adapter.mse_loss(x, torch.zeros(2)).backward()
    assert torch.equal(x.grad, 3 * x.detach())


def test_modules_are_kept_and_copied() -> None:
    module = adapter.Loss("focal", gamma=3.0)
    again = pickle.loads(pickle.dumps(module))
    assert again.loss == copy.deepcopy(module).loss == fl.Focal(gamma=3.0)
    assert not list(module.parameters())
    assert not module.state_dict()
    with pytest.raises(TypeError, match="gamma is for a loss given by its name"):
        adapter.Loss(fl.Focal(), gamma=3.0)
    with pytest.raises(TypeError, match="loss must be a loss of fastloss or its name"):
        adapter.Loss(F.mse_loss)
    with pytest.raises(TypeError, match="loss must be a loss"):
        adapter.Loss(fl.LinearCrossEntropy())


# ---- Memory, layouts, types, threads ------------------------------------------------------------


class Spy:
    """A loss that notes what it is called with."""

    reduction = "mean"
    class_axis = "none"

    def __init__(self) -> None:
        self.pointers: list[int] = []
        self.n_threads = 0

    def value_and_grad(self, *arrays: Any, **options: Any) -> Any:
        self.n_threads = options["n_threads"]
        value, gradient = fl.SquaredError().value_and_grad(*arrays, **options)
        arrays = (*arrays, gradient)
        self.pointers = [array.ctypes.data for array in arrays if array is not None]
        return value, gradient


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("factor", [1.0, 0.5])
@pytest.mark.parametrize("rows", [4, 2**16])
def test_nothing_is_copied(dtype: str, factor: float, rows: int) -> None:
    x, y, w = (torch.ones(rows, 6, dtype=getattr(torch, dtype))[:, ::2] for _ in range(3))
    x.requires_grad_()
    spy = Spy()
    (adapter._run(spy, None, x, y, w) * factor).backward()
    memory = [tensor.data_ptr() for tensor in (x, y, w, x.grad)]
    assert spy.pointers == memory


def test_no_more_threads_than_torch_has() -> None:
    before = torch.get_num_threads()
    spy = Spy()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            adapter._run(spy, None, torch.ones(3, requires_grad=True), torch.ones(3))
            assert spy.n_threads == count
    finally:
        torch.set_num_threads(before)


def layouts(tensor: Any) -> Iterator[Any]:
    yield torch.complex(tensor, -tensor).conj().imag  # to be negated when it is read
    yield tensor.t().contiguous().t()
    yield torch.stack([tensor, tensor], -1)[..., 1]
    yield torch.cat([tensor, tensor])[: len(tensor)].unflatten(0, (-1, 1)).squeeze(1)
    yield tensor[:1].expand_as(tensor)


def test_any_strides() -> None:
    x, y = torch.randn(6, 5), torch.randn(6, 5)
    labels = torch.stack([torch.randint(0, 5, (6,))] * 2, -1)[..., 0]
    for own, other in ((adapter.mse_loss, F.mse_loss), (adapter.cross_entropy, F.cross_entropy)):
        targets = list(layouts(y)) if own is adapter.mse_loss else [labels]
        for a, b in itertools.product(layouts(x), targets):
            results = []
            for function in (own, other):
                leaf = a.detach().requires_grad_()
                value = function(leaf, b)
                results.append((value, *torch.autograd.grad(value, leaf)))
            torch.testing.assert_close(results[0], results[1])


def test_classes_on_any_axis() -> None:
    logits, labels = torch.randn(2, 5, 3, 4), torch.randint(0, 5, (2, 3, 4))
    for reduction in cases.REDUCTIONS:
        check(
            lambda f, x, reduction=reduction: f(x, labels, reduction=reduction),
            (adapter.cross_entropy, F.cross_entropy),
            logits,
        )
    module = adapter.Loss(fl.CrossEntropy(axis=-1, reduction="none"))
    expected = F.cross_entropy(logits, labels, reduction="none")
    torch.testing.assert_close(module(logits.movedim(1, -1), labels), expected)


def test_empty_and_scalar() -> None:
    x = torch.empty(0, requires_grad=True)
    value = adapter.mse_loss(x, torch.empty(0))
    assert value.isnan()
    value.backward()
    assert x.grad.shape == (0,)
    assert adapter.mse_loss(torch.tensor(3.0), torch.tensor(1.0)).item() == 4
    assert adapter.cross_entropy(torch.zeros(2), torch.tensor(1)).item() == pytest.approx(np.log(2))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_short_types(dtype: str) -> None:
    logits = torch.randn(64, 50).to(getattr(torch, dtype))
    labels = torch.randint(0, 50, (64,))
    wide, short = fresh(logits.float()), fresh(logits)
    expected = F.cross_entropy(wide, labels)
    value = adapter.cross_entropy(short, labels)
    assert value.dtype == logits.dtype
    assert value.item() == expected.to(value.dtype).item()
    expected.backward()
    value.backward()
    rounding = torch.finfo(logits.dtype).eps
    torch.testing.assert_close(short.grad.float(), wide.grad, rtol=rounding, atol=1e-7)


def test_a_scaled_loss_keeps_the_gradients_of_float16() -> None:
    logits, labels = torch.zeros(64, 2000), torch.zeros(64, dtype=torch.int64)
    wide, short = fresh(logits), fresh(logits.half())
    (F.cross_entropy(wide, labels) * 2**12).backward()
    (adapter.cross_entropy(short, labels) * 2**12).backward()
    torch.testing.assert_close(short.grad.float(), wide.grad, rtol=1e-3, atol=0)


def test_autocast_returns_float32() -> None:
    logits, labels = torch.randn(8, 5), torch.randint(0, 5, (8,))
    for compiled in (False, True):
        x = fresh(logits.bfloat16())

        def step(x: Any) -> Any:
            with torch.autocast("cpu"):
                return adapter.cross_entropy(x, labels)

        torch._dynamo.reset()
        call = torch.compile(step, fullgraph=True, backend="aot_eager") if compiled else step
        value = call(x)
        with torch.autocast("cpu"):
            expected = F.cross_entropy(logits.bfloat16(), labels)
        assert value.dtype == expected.dtype == torch.float32
        torch.testing.assert_close(value, expected)
        value.backward()
        assert x.grad.dtype == torch.bfloat16


# ---- PyTorch's functions ------------------------------------------------------------------------


class Call(NamedTuple):
    """A function's arguments, the first of which is derived, and the values of its options."""

    arguments: tuple[Any, ...]
    options: dict[str, tuple[Any, ...]]


def calls() -> dict[str, list[Call]]:
    """Every function of PyTorch that the adapter has, with all its options."""
    torch.manual_seed(0)
    x, y, weight = torch.randn(6, 5), torch.randn(6, 5), torch.rand(6, 5) + 0.1
    signs = torch.randn(6, 5).sign()
    share = torch.rand(6, 5)
    counts = torch.poisson(3 * torch.ones(6, 5))
    labels = torch.tensor([0, 3, 4, 1, -100, 2])
    some = torch.tensor([0, 3, 4, 1, 1, 2])
    lists = torch.tensor(
        [[3, 0, -1, 1, 1], [1, -1, 0, 0, 0], [-1] * 5, [4, 3, 2, 1, 0]] + [[2] * 5] * 2
    )
    lists[4:, 1:] = -1
    per_class = torch.tensor([0.5, 1.0, 0.0, 2.0, 4.0])
    probabilities, logarithms = share.softmax(1), y.log_softmax(1)
    broadcast = (None, weight, per_class, weight[:, :1])
    return {
        "mse_loss": [Call((x, y), {"weight": (None, weight)})],
        "l1_loss": [Call((x, y), {"weight": (None, weight)})],
        "smooth_l1_loss": [Call((x, y), {"beta": (1.0, 0.25, 0.0)})],
        "huber_loss": [Call((x, y), {"delta": (1.0, 0.25), "weight": (None, weight)})],
        "poisson_nll_loss": [
            Call((x, counts), {"log_input": (True,), "full": (False, True)}),
            Call(
                (share, counts),
                {"log_input": (False,), "full": (False, True), "eps": (1e-8, 0.1)},
            ),
        ],
        "nll_loss": [
            Call((logarithms, labels), {"weight": (None, per_class)}),
            Call((logarithms, some), {"weight": (None, per_class), "ignore_index": (1, -1)}),
            Call((logarithms[0], labels[0]), {"weight": (None, per_class)}),
            Call((logarithms[None].mT, labels[None]), {}),
        ],
        "gaussian_nll_loss": [
            Call((x, y, var), {"full": (False, True), "eps": (1e-6, 0.5)})
            for var in (weight, weight[:, :1], weight[:, 0], 0.25)
        ],
        "kl_div": [
            Call((logarithms, probabilities), {"log_target": (False,)}),
            Call((logarithms, x.log_softmax(1)), {"log_target": (True,)}),
            Call((logarithms[0], probabilities[0]), {}),
        ],
        "binary_cross_entropy": [Call((share, share.flip(0)), {"weight": broadcast})],
        "binary_cross_entropy_with_logits": [
            Call((x, share), {"weight": broadcast, "pos_weight": (None, per_class, weight)})
        ],
        "hinge_embedding_loss": [Call((x, signs), {"margin": (1.0, 0.5)})],
        "margin_ranking_loss": [Call((x, y, signs), {"margin": (0, 0.5)})],
        "soft_margin_loss": [Call((x, signs), {})],
        "cross_entropy": [
            Call(
                (x, labels),
                {
                    "weight": (None, per_class),
                    "label_smoothing": (0.0, 0.1),
                    "ignore_index": (-100,),
                },
            ),
            Call((x, some), {"weight": (None, per_class), "ignore_index": (1, -1)}),
            Call((x, probabilities), {"weight": (None, per_class), "label_smoothing": (0.0, 0.1)}),
            Call((x[0], labels[0]), {"weight": (None, per_class)}),
        ],
        "multi_margin_loss": [
            Call((x, some), {"p": (1, 2), "margin": (1.0, 0.5), "weight": (None, per_class)})
        ],
        "multilabel_margin_loss": [Call((x, lists), {}), Call((x[0], lists[0]), {})],
        "multilabel_soft_margin_loss": [Call((x, share), {"weight": (None, per_class)})],
        "linear_cross_entropy": [
            Call(
                (x, y, torch.tensor([0, 3, 5, 1, -100, 2])),
                {
                    "linear_bias": (None, per_class.repeat(2)[:6]),
                    "weight": (None, share[:, 0]),
                    "label_smoothing": (0.0, 0.1),
                },
            ),
            Call((x, y, torch.tensor([0, 3, 5, 1, 0, 2])), {"ignore_index": (None, 3)}),
            Call((x, torch.randn(4, 3, 5), torch.randint(0, 4, (6, 3))), {}),
            Call((x, y[:5], probabilities), {}),
        ],
    }


def combinations() -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    for name, of_function in calls().items():
        for call in of_function:
            reductions = (*cases.REDUCTIONS, "batchmean") if name == "kl_div" else cases.REDUCTIONS
            options = {"reduction": reductions, **call.options}
            for values in itertools.product(*options.values()):
                yield name, call.arguments, dict(zip(options, values, strict=True))


def check(
    call: Callable[[Any, Any], Any], functions: tuple[Any, Any], x: Any, of: float = 20
) -> None:
    """Value and gradient of two functions are the same but for rounding."""
    results = []
    for function in functions:
        leaf = fresh(x)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about "mean" of PyTorch's kl_div
            value = call(function, leaf)
        value.backward(upstream(value))
        results.append((value.detach(), leaf.grad))
    (value, gradient), (expected, of_expected) = results
    assert value.shape == expected.shape
    assert value.dtype == expected.dtype
    for own, other in ((value, expected), (gradient, of_expected)):
        tolerance = of * torch.finfo(x.dtype).eps
        torch.testing.assert_close(
            own, other, rtol=tolerance, atol=tolerance * max(1, float(other.abs().max()))
        )


def cast(x: Any, dtype: Any) -> Any:
    return x.to(dtype) if isinstance(x, torch.Tensor) and x.is_floating_point() else x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, dtype: str) -> None:
    to = getattr(torch, dtype)
    found = 0
    for of, arguments, options in combinations():
        if of != name:
            continue
        found += 1
        first, *rest = (cast(x, to) for x in arguments)
        options = {key: cast(x, to) for key, x in options.items()}
        check(
            lambda f, x, rest=rest, options=options: f(x, *rest, **options),
            (getattr(adapter, name), getattr(F, name)),
            first,
        )
    assert found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_compiled(name: str) -> None:
    """In one graph, with every option that is a tensor."""
    function = getattr(adapter, name)
    for of_function in calls()[name]:
        first, *rest = of_function.arguments
        options = {key: values[-1] for key, values in of_function.options.items()}
        torch._dynamo.reset()
        compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
        for reduction in ("mean", "none"):
            check(
                lambda f, x, rest=rest, options=options, reduction=reduction: f(
                    x, *rest, **options, reduction=reduction
                ),
                (compiled, function),
                first,
            )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures(name: str) -> None:
    own = inspect.signature(getattr(adapter, name)).parameters
    if not hasattr(F, name):
        pytest.skip(f"this PyTorch has no {name}")
    other = inspect.signature(getattr(F, name)).parameters
    assert [(p.name, p.kind, p.default) for p in own.values()] == [
        (p.name, p.kind, p.default) for p in other.values()
    ]


MISSING = {
    "`cosine_embedding_loss`": "of two vectors, which no loss here is",
    "`ctc_loss`": "sums over alignments of sequences",
    "`triplet_margin_loss`, `triplet_margin_with_distance_loss`": "of three vectors",
}


def test_which_functions_are_missing() -> None:
    theirs = {name for name in dir(F) if re.search(r"_loss$|entropy|_div$", name)}
    assert theirs <= {*FUNCTIONS, *re.findall(r"`(\w+)`", str(MISSING))}
    page = (ROOT / "docs" / "torch.md").read_text()
    assert table_of_missing("`torch.nn.functional`", MISSING) in page
    assert all(f"`{name}`" in page for name in FUNCTIONS)


def test_old_arguments() -> None:
    x, y = torch.randn(4), torch.randn(4)
    with pytest.warns(UserWarning, match="size_average"):
        assert adapter.mse_loss(x, y, False) == adapter.mse_loss(x, y, reduction="sum")
    with pytest.warns(UserWarning, match="size_average"):
        assert adapter.mse_loss(x, y, reduce=False).shape == (4,)


def test_both_predictions_of_a_function_have_gradients() -> None:
    x, y, var = torch.randn(6, 5), torch.randn(6, 5), torch.rand(6, 1) + 0.1
    for name, arguments, at in (
        ("margin_ranking_loss", (x, x.flip(0), y.sign()), 1),
        ("gaussian_nll_loss", (x, y, var), 2),
        ("linear_cross_entropy", (x, y, torch.tensor([0, 3, 5, 1, -100, 2])), 1),
    ):
        arguments = list(arguments)

        def call(f: Any, leaf: Any, at: int = at, arguments: Any = arguments) -> Any:
            return f(*arguments[:at], leaf, *arguments[at + 1 :])

        check(call, (getattr(adapter, name), getattr(F, name)), arguments[at])


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_derivatives_of_linear_cross_entropy(reduction: str) -> None:
    torch.manual_seed(0)
    target = torch.tensor([0, 3, 5, 1, -100, 2])
    class_weight = torch.rand(7, dtype=torch.float64)
    leaves = [
        torch.randn(*s, dtype=torch.float64, requires_grad=True) for s in ((6, 4), (7, 4), (7,))
    ]

    def function(hidden: Any, weight: Any, bias: Any) -> Any:
        return adapter.linear_cross_entropy(
            hidden, weight, target, linear_bias=bias, weight=class_weight, label_smoothing=0.1,
            reduction=reduction,
        )  # fmt: skip

    assert torch.autograd.gradcheck(function, leaves)
    assert torch.autograd.gradgradcheck(function, leaves)
    value = function(*leaves).sum()
    first = torch.autograd.grad(value, leaves, retain_graph=True)
    second = torch.autograd.grad(value, leaves)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_a_weight_is_read_at_every_call() -> None:
    x, labels, weight = torch.randn(4, 3), torch.tensor([0, 1, 2, 0]), torch.ones(3)
    for _ in range(3):
        torch.testing.assert_close(
            adapter.cross_entropy(x, labels, weight), F.cross_entropy(x, labels, weight)
        )
        weight.numpy()[1] += 1  # which PyTorch does not count


# ---- Graphs -------------------------------------------------------------------------------------


def test_compiled_training_step() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    inputs, labels, weight = torch.randn(16, 4), torch.randint(0, 3, (16,)), torch.rand(3)
    other = copy.deepcopy(network)

    def step(inputs: Any, labels: Any) -> Any:
        return adapter.cross_entropy(network(inputs), labels, weight, label_smoothing=0.1)

    torch._dynamo.reset()
    step = torch.compile(step, fullgraph=True)
    for size in (16, 12, 10):  # the second makes the batch's length a symbol
        value = step(inputs[:size], labels[:size])
        value.backward()
        expected = F.cross_entropy(other(inputs[:size]), labels[:size], weight, label_smoothing=0.1)
        expected.backward()
        torch.testing.assert_close(value, expected)
    for own, theirs in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(own.grad, theirs.grad)


def test_operators() -> None:
    x = torch.randn(4, 3, requires_grad=True)
    labels, weight, parameter = torch.tensor([0, 1, 2, -100]), torch.rand(4), torch.rand(3)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    for reduction in cases.REDUCTIONS:
        name, held = adapter._register(fl.CrossEntropy(reduction=reduction))
        arguments = (x, labels, weight, parameter, "class_weight", name, None)
        torch.library.opcheck(adapter._evaluate, (*arguments, True), test_utils=tests)
        name, held = adapter._register(fl.LinearCrossEntropy(reduction=reduction))
        wrt = [reduction != "none"] * 2 + [False]
        arguments = (x, torch.randn(5, 3, requires_grad=True), None, labels, torch.rand(5), None)
        torch.library.opcheck(
            adapter._evaluate_linear, (*arguments, name, reduction, wrt), test_utils=tests
        )
        assert held.reduction == reduction


def test_tensors_without_memory() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        logits = torch.randn(8, 5, requires_grad=True)
        value = adapter.cross_entropy(logits, torch.zeros(8, dtype=torch.int64), reduction="none")
        assert value.shape == (8,)
        value.sum().backward()
        assert logits.grad.shape == (8, 5)


def test_names_of_losses() -> None:
    first, second = adapter.Loss(fl.Huber(delta=2.0)), adapter.Loss(fl.Huber(delta=2.0))
    assert first.loss is second.loss
    name = first._name
    assert adapter._register(fl.Huber(delta=2.0, reduction="sum"))[0] != name
    del first
    assert adapter._named(name, None, "") == fl.Huber(delta=2.0)
    with pytest.raises(RuntimeError, match="is not a loss of this process"):
        adapter._named("Huber(delta=12345.0)", None, "")


def test_many_losses_leave_nothing_behind() -> None:
    before = len(adapter._losses)
    for delta in range(1, 500):
        adapter.Loss(fl.Huber(delta=1e3 + delta))
    gc.collect()
    assert len(adapter._losses) <= before
    module = adapter.Loss(fl.Huber(delta=1e4))
    graph = torch.export.export(module, (torch.ones(3), torch.zeros(3))).module()
    del module
    gc.collect()
    assert graph(torch.ones(3), torch.zeros(3)) == 0.5  # what a graph needs is kept


def test_a_module_has_the_loss_that_it_is_given() -> None:
    module, x, y = adapter.Loss("huber"), torch.tensor([5.0]), torch.zeros(1)
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    assert compiled(x, y) == 4.5
    module.loss = fl.Huber(delta=2.0)
    assert compiled(x, y) == module(x, y) == 8.0
    with pytest.raises(TypeError, match="loss must be a loss"):
        module.loss = F.huber_loss


def test_compiled_with_numbers_that_change() -> None:
    """Hyper-parameters are constants of a graph, whatever else is a variable of it."""
    x, y = torch.tensor([5.0, 1.0]), torch.zeros(2)
    torch._dynamo.reset()
    step = torch.compile(adapter.huber_loss, fullgraph=True, dynamic=True, backend="eager")
    for delta in (1.0, 2.0, 3.0):
        assert step(x, y, delta=delta) == F.huber_loss(x, y, delta=delta)
    labels = torch.tensor([1, 0])
    step = torch.compile(adapter.cross_entropy, fullgraph=True, dynamic=True, backend="eager")
    torch.testing.assert_close(step(x.diag(), labels), F.cross_entropy(x.diag(), labels))


def test_a_graph_knows_the_strides_of_expanded_predictions() -> None:
    x, y = torch.randn(1, 3), torch.randn(4, 3)
    name, held = adapter._register(fl.Huber())
    prediction = x.expand(4, -1).detach().requires_grad_()
    arguments = (prediction, y, None, None, "", name, None, True)
    torch.library.opcheck(adapter._evaluate, arguments, test_utils="test_faketensor")
    arguments = (prediction, y, None, None, torch.ones(4, 3), "", name, None)
    torch.library.opcheck(adapter._hessian_product, arguments, test_utils="test_faketensor")
    assert held == fl.Huber()


# ---- Transformations of functions ---------------------------------------------------------------


@pytest.mark.parametrize("reduction", cases.REDUCTIONS)
def test_transformations(reduction: str) -> None:
    """What `torch.func` and forward mode make of PyTorch's function, they make of this one."""
    func = torch.func
    x, v, labels = torch.randn(3, 4, 5).double(), torch.randn(4, 5).double(), torch.arange(12) % 5
    labels, weight = labels.reshape(3, 4), torch.rand(5).double()
    results = []
    for function in (adapter.cross_entropy, F.cross_entropy):

        def value(x: Any, y: Any, function: Any = function) -> Any:
            return function(x, y, weight, reduction=reduction)

        def total(x: Any, y: Any, value: Any = value) -> Any:
            return value(x, y).sin().sum()

        def at(x: Any, total: Any = total) -> Any:
            return total(x, labels[0])

        with torch.autograd.forward_ad.dual_level():
            dual = value(torch.autograd.forward_ad.make_dual(x[0], v), labels[0])
            tangent = torch.autograd.forward_ad.unpack_dual(dual).tangent.clone()
        leaf = x[0].clone().requires_grad_()
        y = value(leaf, labels[0])
        seeds = torch.randn(2, *y.shape, generator=torch.manual_seed(0)).double()
        results.append([
            tangent,
            func.vmap(value)(x, labels),
            func.vmap(value, in_dims=(None, 0))(x[0], labels),
            func.vmap(func.grad(total), in_dims=(1, 0), out_dims=1)(x.movedim(0, 1), labels),
            func.jacrev(value)(x[0], labels[0]),
            func.jacfwd(value)(x[0], labels[0]),
            func.hessian(at)(x[0]),
            func.jacrev(func.jacfwd(at))(x[0]),
            func.jacrev(func.jacrev(at))(x[0]),
            func.jvp(func.grad(at), (x[0],), (v,))[1],
            torch.autograd.grad(y, leaf, seeds, is_grads_batched=True)[0],
            torch.autograd.functional.hessian(at, x[0], vectorize=True),
            torch.autograd.functional.hvp(at, x[0], v)[1],
        ])  # fmt: skip
    for own, theirs in zip(*results, strict=True):
        torch.testing.assert_close(own, theirs)


@pytest.mark.parametrize("reduction", cases.REDUCTIONS)
def test_transformations_of_linear_cross_entropy(reduction: str) -> None:
    leaves = [torch.randn(*shape, dtype=torch.float64) for shape in ((4, 3), (5, 3), (5,))]
    labels = torch.tensor([0, 4, 2, -100])
    results = []
    for function in (
        adapter.linear_cross_entropy,
        lambda x, w, labels, *, linear_bias, reduction: F.cross_entropy(
            F.linear(x, w, linear_bias), labels, reduction=reduction
        ),
    ):

        def value(x: Any, w: Any, b: Any, function: Any = function) -> Any:
            return function(x, w, labels, linear_bias=b, reduction=reduction)

        given = [fresh(leaf) for leaf in leaves]
        y = value(*given)
        seeds = torch.randn(2, *y.shape, generator=torch.manual_seed(0)).double()

        def pulled(seed: Any, y: Any = y, given: Any = given) -> Any:
            return torch.autograd.grad(y, given, seed, retain_graph=True)

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop")
            seen = torch.vmap(pulled)(seeds)
        results.append([
            *seen,
            *torch.autograd.grad(y, given, seeds, retain_graph=True, is_grads_batched=True),
            *torch.autograd.grad(y, given[1:], seeds, is_grads_batched=True, create_graph=True),
            *torch.func.jacrev(value, (0, 1, 2))(*leaves),
            torch.func.jacfwd(value)(*leaves),
            torch.vmap(value, (0, None, None))(torch.stack([leaves[0], -leaves[0]]), *leaves[1:]),
        ])  # fmt: skip
    for own, theirs in zip(*results, strict=True):
        torch.testing.assert_close(own, theirs)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_transformations_in_a_graph(backend: str) -> None:
    """They break the graph, and have the same numbers."""
    func, x, y = torch.func, torch.randn(3), torch.zeros(3)
    forward_ad = torch.autograd.forward_ad

    def value(x: Any) -> Any:
        return adapter.mse_loss(x, y)

    def forward_mode(x: Any) -> Any:
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(value(forward_ad.make_dual(x, x))).tangent.clone()

    def of_linear(weight: Any) -> Any:
        return adapter.linear_cross_entropy(x[None], weight, torch.tensor([1]))

    for call in (
        func.grad(value),
        func.hessian(value),
        lambda x: func.grad(of_linear)(x.outer(x)),
        lambda x: func.vmap(func.grad(value))(torch.stack([x, -x])),
        lambda x: func.jvp(value, (x,), (x,))[1],
        forward_mode,
    ):
        torch._dynamo.reset()
        found = torch.compile(call, backend=backend)(x)
        torch.testing.assert_close(found, call(x))
        assert not found.requires_grad
    torch._dynamo.reset()


def test_what_transformations_cannot() -> None:
    func, x, y = torch.func, torch.randn(3), torch.zeros(3)
    for transform in (func.grad, func.jacfwd):
        third = func.grad(func.grad(func.grad(lambda x: adapter.mse_loss(x, y[0]))))
        if transform is func.jacfwd:
            third = func.jacfwd(func.grad(func.grad(lambda x: adapter.mse_loss(x, y[0]))))
        with pytest.raises(NotImplementedError, match="no third"):
            third(x[0])
    with pytest.raises(NotImplementedError, match="forward mode does not see through"):
        func.jacfwd(func.jacfwd(lambda x: adapter.mse_loss(x, y)))(x)
    with pytest.raises(ValueError, match="target must not require a gradient"):
        func.grad(lambda y: adapter.mse_loss(x, y))(y)
    with pytest.raises(ValueError, match="target and weight must not have a tangent"):
        func.jvp(lambda y: adapter.mse_loss(x, y), (y,), (x,))
    torch._dynamo.reset()
    gradient = torch.compile(func.grad(lambda x: adapter.mse_loss(x, y)), fullgraph=True)
    with pytest.raises(torch._dynamo.exc.Unsupported, match="disable"):
        gradient(x)
    torch._dynamo.reset()


# ---- Errors -------------------------------------------------------------------------------------


def test_errors() -> None:
    x, y = torch.randn(4), torch.randn(4)
    for prediction in (torch.arange(4), [1.0], np.zeros(4), torch.zeros(4, dtype=torch.complex64)):
        with pytest.raises(TypeError, match="prediction must be a tensor of a floating-point type"):
            adapter.mse_loss(prediction, y)
    with pytest.raises(TypeError, match="target must be a tensor, got ndarray"):
        adapter.mse_loss(x, y.numpy())
    with pytest.raises(ValueError, match="target must not require a gradient"):
        adapter.mse_loss(x, fresh(y))
    with pytest.raises(ValueError, match="weight must not require a gradient"):
        adapter.mse_loss(x, y, weight=fresh(y))
    with pytest.raises(ValueError, match="pos_weight must not require a gradient"):
        adapter.binary_cross_entropy_with_logits(x, y, pos_weight=fresh(y))
    with torch.no_grad():
        adapter.mse_loss(x, fresh(y))
    with pytest.raises(ValueError, match="target must have the prediction's shape"):
        adapter.mse_loss(x, y[:, None])
    with pytest.raises(ValueError, match="reduction must be 'mean'"):
        adapter.mse_loss(x, y, reduction="average")
    with pytest.raises(IndexError, match="target holds the label 5 at position 1"):
        adapter.cross_entropy(torch.randn(2, 3), torch.tensor([0, 5]))
    torch._dynamo.reset()
    for call in (adapter.mse_loss, torch.compile(adapter.mse_loss, fullgraph=True)):
        with pytest.raises(Exception, match="prediction must be on the CPU, got a tensor on meta"):
            call(torch.randn(4, device="meta", requires_grad=True), y)
    with pytest.raises(ValueError, match="target must be on the CPU, got a tensor on meta"):
        adapter.mse_loss(x, y.to("meta"))
    with pytest.raises(TypeError, match="target must be a dense tensor"):
        adapter.mse_loss(x, y.to_sparse())
    ragged = torch.nested.nested_tensor([x, x[:2]], layout=torch.jagged)
    with pytest.raises(TypeError, match="must be a dense tensor, got a nested one"):
        adapter.mse_loss(ragged, ragged)
    with pytest.raises(NotImplementedError, match=r"no TorchScript: use torch\.compile"):
        torch.jit.script(adapter.Loss("huber"))


# ---- Beside torch -------------------------------------------------------------------------------

BESIDE = """
import sys
for name in sys.argv[1:]:
    __import__(name)
import numpy, torch, fastloss, fastloss.torch
x = torch.randn(2_000_000, requires_grad=True)
y = torch.randn(2_000_000)
for _ in range(5):
    own = fastloss.torch.huber_loss(x * 1.0, y)
    own.backward()
    gradient, x.grad = x.grad, None
    other = torch.nn.functional.huber_loss(x * 1.0, y)
    other.backward()
    torch.testing.assert_close(own, other)
    torch.testing.assert_close(gradient, x.grad)
    x.grad = None
    fastloss.Huber()(x.detach().numpy(), y.numpy(), n_threads=2)
print("done")
"""


@pytest.mark.parametrize(
    "order", [("torch", "fastloss"), ("fastloss", "torch"), ("fastloss.torch",)]
)
def test_import_order(order: tuple[str, ...]) -> None:
    found = subprocess.run(
        [sys.executable, "-c", BESIDE, *order], capture_output=True, text=True, timeout=600
    )
    assert found.stdout == "done\n", found.stderr


def test_fastloss_does_not_import_torch() -> None:
    script = "import sys, fastloss; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout == "False\n", found.stderr


def test_everything_has_a_docstring() -> None:
    assert all(getattr(adapter, name).__doc__ for name in adapter.__all__)


def test_page() -> None:
    run_page("docs/torch.md")


def test_example() -> None:
    framework("sklearn")
    script = ROOT / "examples" / "torch_digits.py"
    # Threads of PyTorch that wait for each other take long on a machine that is busy.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=600, env=environment
    )
    assert not found.returncode, found.stderr
    assert "the same to" in found.stdout
