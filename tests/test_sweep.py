"""A grid of hyper-parameters in one pass gives the bits of separate calls."""

import functools
import itertools

import numpy as np
import pytest

import fastloss as fl
from cases import REDUCTIONS, Case, default_cases, fields, sample, sample_weight, valid_values
from fastloss import kernels
from fastloss.kernels import driver

DTYPES = [np.float16, np.float32, np.float64]


def grid_of(case: Case) -> dict[str, list]:
    """Two values or more of each hyper-parameter, but for those that change what arrays mean."""
    grid = {}
    for name, default in fields(case.loss_class).items():
        numeric = not next(f for f in case.loss_class._fields if f.name == name).choices
        if numeric and name not in ("axis", "ignore_index"):
            same = [  # whose targets are no others
                value
                for value in valid_values(case.loss_class, name)
                if case.loss_class(**{name: value}).target_domain == case.loss().target_domain
            ]
            grid[name] = [default, *same[:2]]
    return dict(itertools.islice(grid.items(), 3))


def separate(grid, cls, prediction, target, weight=None, **options):
    values = [
        cls(**dict(zip(grid, point, strict=True))).value(prediction, target, weight, **options)
        for point in itertools.product(*grid.values())
    ]
    shape = tuple(len(values) for values in grid.values())
    return np.array(values).reshape(shape + np.shape(values[0]))


def assert_same_bits(swept, expected):
    assert swept.dtype == expected.dtype
    assert swept.shape == expected.shape
    assert swept.tobytes() == expected.tobytes()


@pytest.mark.parametrize("case", default_cases(), ids=lambda case: case.id)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_bits_of_separate_calls(case, reduction):
    grid = grid_of(case)
    for n, dtype, weighted in itertools.product((7, 200, 20_000), DTYPES, (False, True)):
        if n > 200 and (weighted or dtype == np.float16):
            continue
        prediction, target = sample(case, dtype, n)
        weight = sample_weight(n) if weighted else None
        found = fl.sweep(case.loss_class, prediction, target, weight, reduction=reduction, **grid)
        expected = separate(grid, case.loss_class, prediction, target, weight, reduction=reduction)
        assert_same_bits(found.values, expected)


def test_one_pass_serves_losses_of_numbers():
    losses = [fl.Huber(1.0), fl.Huber(2.0)]
    assert driver.sweep(losses, [1.0], [0.0], None, None).tolist() == [0.5, 0.5]
    # And only them.
    assert driver.sweep([fl.CrossEntropy()], [[1.0, 0.0]], [0], None, None) is None


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_threads(threads, reduction):
    random = np.random.default_rng(0)
    prediction, target = random.normal(size=(2, 100_003)).astype(np.float32)
    weight = random.uniform(size=100_003)
    grid = {"gamma": [0.0, 0.5, 2.0], "alpha": [None, 0.25]}
    target = (target > 0).astype(np.float32)
    with kernels.force_threads():
        found = fl.sweep(
            "focal", prediction, target, weight, reduction=reduction, n_threads=threads, **grid
        )
    expected = separate(grid, fl.Focal, prediction, target, weight, reduction=reduction)
    assert_same_bits(found.values, expected)


def layouts(array):
    yield array
    yield np.asfortranarray(array)
    yield np.repeat(array, 2, axis=1)[:, ::2]
    yield array[::-1, ::-1][::-1, ::-1]
    yield array.astype(array.dtype.newbyteorder())
    read_only = array.copy()
    read_only.flags.writeable = False
    yield read_only


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_layouts(reduction):
    random = np.random.default_rng(0)
    prediction, target = random.normal(size=(2, 67, 41))
    grid = {"delta": [0.5, 1.0, 3.0]}
    for p, t in itertools.product(layouts(prediction), layouts(target.astype(np.float32))):
        found = fl.sweep(fl.Huber, p, t, target[:, 0] ** 2, reduction=reduction, **grid)
        expected = separate(grid, fl.Huber, p, t, target[:, 0] ** 2, reduction=reduction)
        assert_same_bits(found.values, expected)


@pytest.mark.parametrize("target_type", [bool, np.int8, np.uint16, np.int64, np.float16])
def test_targets_of_any_type(target_type):
    prediction = np.linspace(-3, 3, 1001, dtype=np.float32)
    target = (prediction > 0).astype(target_type)
    found = fl.sweep("focal", prediction, target, gamma=[0, 2])
    assert_same_bits(found.values, separate({"gamma": [0, 2]}, fl.Focal, prediction, target))


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    prediction = np.linspace(-3, 3, 1001).astype(ml_dtypes.bfloat16)
    grid = {"delta": [0.5, 2.0]}
    for reduction in REDUCTIONS:
        found = fl.sweep("huber", prediction, 0 * prediction, reduction=reduction, **grid)
        expected = separate(grid, fl.Huber, prediction, 0 * prediction, reduction=reduction)
        assert_same_bits(found.values, expected)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (2, 3)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_shapes(shape, reduction):
    prediction, target = np.full(shape, 2.0), np.full(shape, 0.5)
    grid = {"delta": [0.5, 1.0]}
    found = fl.sweep("huber", prediction, target, reduction=reduction, **grid)
    expected = separate(grid, fl.Huber, prediction, target, reduction=reduction)
    assert found.values.shape == (2, *(shape if reduction == "none" else ()))
    assert np.array_equal(found.values, expected, equal_nan=True)


def test_nan_stays_where_it_is():
    found = fl.sweep("huber", [np.nan, 1.0], [0.0, 0.0], reduction="none", delta=[1.0, 2.0])
    assert np.isnan(found.values).tolist() == [[True, False], [True, False]]


def test_hyper_parameters_that_are_arrays():
    prediction, target = np.zeros((4, 2)), np.ones((4, 2))
    weights = [[1.0, 2.0], [3.0, 1.0]]
    found = fl.sweep("binary_cross_entropy", prediction, target, pos_weight=weights)
    assert found.parameters == {"pos_weight": ((1.0, 2.0), (3.0, 1.0))}
    expected = [fl.BinaryCrossEntropy(pos_weight=w)(prediction, target) for w in weights]
    assert found.values.tolist() == expected


def test_grid():
    found = fl.sweep("focal", [0.0, 2.0], [1, 0], gamma=np.array([0, 1, 2]), alpha=(None, 0.25))
    assert found.parameters == {"gamma": (0.0, 1.0, 2.0), "alpha": (None, 0.25)}
    assert found.values.shape == (3, 2)
    assert len(found.losses) == 6
    points = list(found)
    assert points[3] == ({"gamma": 1.0, "alpha": 0.25}, found.values[1, 1])
    assert found.losses[3] == fl.Focal(gamma=1.0, alpha=0.25)
    assert found.best == found.losses[int(found.values.argmin())]


def test_what_is_no_list_is_fixed():
    found = fl.sweep("focal", [0.0], [1], gamma=[0.0, 2.0], alpha=0.25)
    assert list(found.parameters) == ["gamma"]
    assert all(loss.alpha == 0.25 for loss in found.losses)
    found = fl.sweep("huber", [0.0], [1], delta=2)
    assert found.values.shape == ()
    assert list(found) == [({}, 0.5)]
    assert found.best == fl.Huber(delta=2)


def test_names_bring_their_parameters():
    found = fl.sweep("sigmoid_focal_loss", [0.0], [1], gamma=[1, 2])
    assert found.losses == (fl.Focal(1, 0.25), fl.Focal(2, 0.25))


def test_losses_of_several_reductions():
    """The bits of separate calls; the first loss's reduction is not the others'."""

    def make(delta, reduction):
        return fl.Huber(delta, reduction="sum" if delta < 2 else reduction)

    found = fl.sweep(make, [1.0, 2.0], [4.0, 5.0], delta=[1.0, 3.0])
    assert found.values.tolist() == [5.0, 4.5]


def test_best_ignores_nan():
    found = fl.sweep("huber", [1.0], [0.0], delta=[1.0, 2.0, 0.5])
    assert found.best == fl.Huber(0.5)
    with pytest.raises(ValueError, match="every value is NaN"):
        _ = fl.sweep("huber", [], [], delta=[1.0, 2.0]).best
    with pytest.raises(ValueError, match="reduction='none'"):
        _ = fl.sweep("huber", [1.0, 2.0], [0.0, 0.0], reduction="none", delta=[1.0, 2.0]).best


@pytest.mark.parametrize(
    ("error", "told", "arguments", "options"),
    [
        (ValueError, "delta must be in", ([1.0], [1.0]), {"delta": [1.0, -1.0]}),
        (ValueError, "at least one value", ([1.0], [1.0]), {"delta": []}),
        (TypeError, "delta must be", ([1.0], [1.0]), {"delta": np.array(2.0)}),
        (TypeError, "gamma", ([1.0], [1.0]), {"gamma": [1.0]}),
        (ValueError, "prediction's shape", ([1.0], [1.0, 2.0]), {"delta": [1.0]}),
        (ValueError, "weight must have shape", ([1.0], [1.0], [1.0, 2.0]), {"delta": [1.0]}),
        (TypeError, "prediction must hold real", ([1j], [1.0]), {"delta": [1.0]}),
        (ValueError, "reduction must be", ([1.0], [1.0]), {"reduction": "max"}),
        (ValueError, "n_threads must be", ([1.0], [1.0]), {"n_threads": 0}),
    ],
)
def test_errors(error, told, arguments, options):
    with pytest.raises(error, match=told):
        fl.sweep(fl.Huber, *arguments, **options)


def test_wrong_probabilities_are_found():
    with pytest.raises(ValueError, match="prediction must hold probabilities"):
        fl.sweep("log_loss", [0.5, 1.5], [1, 0], eps=[0.0, 0.1])
    with pytest.raises(IndexError, match="label 3"):
        fl.sweep("log_loss", [[0.5, 0.5]], [3], eps=[0.0, 0.1])


def residual_over_c(c: float, reduction: str) -> fl.Loss:
    return fl.custom(lambda p, y: np.abs(p - y) / c, check=False, reduction=reduction)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_losses_of_your_own(reduction):
    formula = functools.partial(fl.custom, "c**2 / 2 * log1p(((p - y) / c)**2)", check=False)
    random = np.random.default_rng(0)
    prediction, target = random.normal(size=(2, 1000))
    for make in (formula, residual_over_c):
        found = fl.sweep(make, prediction, target, c=[0.5, 2.0], reduction=reduction)
        assert found.parameters == {"c": (0.5, 2.0)}
        for value, loss in zip(found.values, found.losses, strict=True):
            np.testing.assert_array_equal(value, loss.value(prediction, target))


def test_errors_of_functions_are_raised():
    def make(c: float, reduction: str) -> fl.Loss:
        return fl.custom(lambda p, y: {}[c], check=False, reduction=reduction)

    with pytest.raises(KeyError):
        fl.sweep(make, [1.0], [1.0], c=[1.0])


def test_what_is_no_loss():
    with pytest.raises(TypeError, match="must be the class or the name of a loss"):
        fl.sweep(fl.Huber(), [1.0], [1.0])
    with pytest.raises(ValueError, match="unknown loss"):
        fl.sweep("hubert", [1.0], [1.0])
