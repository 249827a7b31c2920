"""Class, reference and kernel agree; a loss is found by any name, and is a proper value."""

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import (
    Case,
    cases,
    default_cases,
    fields,
    outside,
    sample,
    valid_values,
    wrong_values,
)
from fastloss import kernels, reference
from fastloss.losses.custom import Custom

LOSSES = fl.losses()
every_loss = pytest.mark.parametrize("cls", LOSSES, ids=[cls.__name__ for cls in LOSSES])
CASES = cases()
all_cases = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def family(thing: Any) -> str:
    return str(thing.__module__).rpartition(".")[2]


def test_losses_are_public() -> None:
    assert isinstance(LOSSES, tuple)
    assert len(set(LOSSES)) == len(LOSSES) >= 10
    for cls in LOSSES:
        assert getattr(fl, cls.__name__) is cls
        assert cls.__name__ in fl.__all__


def test_no_loss_is_left_out() -> None:
    found = set()
    for module in pkgutil.iter_modules(
        importlib.import_module("fastloss.losses").__path__, "fastloss.losses."
    ):
        for thing in vars(importlib.import_module(module.name)).values():
            if (
                isinstance(thing, type)
                and issubclass(thing, fl.Loss)
                and not thing.__name__.startswith("_")
            ):
                found.add(thing)
    # What users make is theirs to list.
    assert {cls for cls in found if not issubclass(cls, Custom)} - {fl.Loss} == set(LOSSES)


def test_losses_are_in_order_of_family() -> None:
    families = [family(cls) for cls in LOSSES]
    assert families == sorted(families, key=families.index)
    assert list(dict.fromkeys(families)) == [
        "regression", "count", "binary", "multiclass", "margin", "divergence", "distribution",
    ]  # fmt: skip


@every_loss
def test_the_reference_agrees(cls: Any) -> None:
    function = getattr(reference, snake(cls.__name__))
    assert function.__name__ in reference.__all__
    assert family(function) == family(cls)
    assert inspect.isgeneratorfunction(function)
    prediction, target, *rest = inspect.signature(function).parameters.values()
    assert (prediction.name, target.name) == ("prediction", "target")
    assert {parameter.kind for parameter in rest} <= {inspect.Parameter.KEYWORD_ONLY}
    own = {name: default for name, default in fields(cls).items() if name != "reduction"}
    assert {parameter.name: parameter.default for parameter in rest} == own
    assert [parameter.name for parameter in rest] == list(own)


def test_every_reference_is_of_a_loss() -> None:
    names = {snake(cls.__name__) for cls in LOSSES}
    assert set(reference.__all__) == names | {"evaluate", "hvp"}


@every_loss
@pytest.mark.parametrize("level", kernels.levels())
def test_the_kernel_agrees(cls: Any, level: str) -> None:
    with kernels.use_level(level):
        formula = kernels.active().formulas[cls.kernel]
    assert cls.kernel == snake(cls.__name__) or cls.kernel in {c.kernel for c in LOSSES} - {cls}
    if cls._of_numbers is fl.Loss._of_numbers and "offsets" not in cls.targets:
        assert formula["family"] == family(cls)


def test_every_kernel_is_of_a_loss() -> None:
    assert set(kernels.active().formulas) == {case.loss()._kernel() for case in cases()}


@every_loss
def test_the_signature_is_of_fields(cls: Any) -> None:
    parameters = inspect.signature(cls).parameters
    assert {name: parameter.default for name, parameter in parameters.items()} == fields(cls)
    assert parameters["reduction"].kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters["reduction"].default == "mean"
    for field in dataclasses.fields(cls):
        assert field.type, field.name
    with pytest.raises(TypeError):
        cls(*[valid_values(cls, name)[0] for name in fields(cls) if name != "reduction"], "sum")
    with pytest.raises(TypeError, match="surprise"):
        cls(surprise=1)


@every_loss
def test_every_parameter_is_varied(cls: Any) -> None:
    assert all(valid_values(cls, name) for name in fields(cls))


@every_loss
def test_the_facts_of_a_loss(cls: Any) -> None:
    for low, high in (cls.prediction_domain, cls.target_domain):
        assert low < high
    assert cls.targets
    assert cls.__doc__
    for name in fields(cls):
        assert re.search(rf"\b{name}\b", cls.__doc__) or name == "reduction"


USE = """
import numpy as np
import fastloss as fl
losses: list[fl.Loss] = [{calls}]
value: float | np.ndarray = fl.Huber(delta=1.5, reduction="sum")(np.ones(3), [1, 2, 3])
fl.CrossEntropy(class_weight=[1.0, 2.0])
fl.BinaryCrossEntropy(pos_weight=np.ones(3))
fl.Huber(beta=1.5)  # type: ignore[call-arg]
"""


def test_type_checkers_see_every_loss(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    script = tmp_path / "use.py"
    script.write_text(USE.format(calls=", ".join(f"fl.{cls.__name__}()" for cls in LOSSES)))
    root = Path(str(fl.__file__)).parent.parent
    if root.name == "site-packages":  # found there by its py.typed
        root = tmp_path
    options = ["--config-file=", "--warn-unused-ignores", "--cache-dir", str(tmp_path / "cache")]
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(script)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout


# Names.


@every_loss
def test_get_knows_its_own_names(cls: Any) -> None:
    assert fl.get(snake(cls.__name__)) == cls()
    assert fl.get(cls.__name__) == cls()
    for parameter in fields(cls):
        value = valid_values(cls, parameter)[0]
        found = fl.get(snake(cls.__name__), **{parameter: value})
        assert found == cls(**{parameter: value})


@every_loss
def test_aliases(cls: Any) -> None:
    for name, preset in cls.aliases.items():
        assert fl.get(name) == cls(**preset)
        for parameter in fields(cls):
            value = valid_values(cls, parameter)[0]
            assert fl.get(name, **{parameter: value}) == cls(**{**preset, parameter: value})


def test_no_name_means_two_losses() -> None:
    names = [name for cls in LOSSES for name in (snake(cls.__name__), *cls.aliases)]
    assert len(names) == len(set(names))


# As Keras, PyTorch, scikit-learn, XGBoost and LightGBM spell them, meaning what they mean there:
# Keras's cross entropies take probabilities.
PEERS = {
    "mse": "SquaredError",
    "mean_squared_error": "SquaredError",
    "mse_loss": "SquaredError",
    "squared_error": "SquaredError",
    "reg:squarederror": "SquaredError",
    "regression": "SquaredError",
    "l2": "SquaredError",
    "mae": "AbsoluteError",
    "mean_absolute_error": "AbsoluteError",
    "l1_loss": "AbsoluteError",
    "absolute_error": "AbsoluteError",
    "reg:absoluteerror": "AbsoluteError",
    "regression_l1": "AbsoluteError",
    "l1": "AbsoluteError",
    "huber": "Huber",
    "huber_loss": "Huber",
    "log_cosh": "LogCosh",
    "logcosh": "LogCosh",
    "pinball_loss": "Pinball",
    "quantile": "Pinball",
    "reg:quantileerror": "Pinball",
    "poisson": "Poisson",
    "poisson_nll_loss": "Poisson",
    "count:poisson": "Poisson",
    "binary_crossentropy": "LogLoss",
    "binary_cross_entropy_with_logits": "BinaryCrossEntropy",
    "binary:logistic": "BinaryCrossEntropy",
    "binary": "BinaryCrossEntropy",
    "log_loss": "LogLoss",
    "sigmoid_focal_loss": "Focal",
    "cross_entropy": "CrossEntropy",
    "sparse_categorical_crossentropy": "LogLoss",
    "multi:softprob": "CrossEntropy",
    "multi:softmax": "CrossEntropy",
    "multiclass": "CrossEntropy",
}


@pytest.mark.parametrize("name", PEERS)
def test_names_of_the_peers(name: str) -> None:
    assert type(fl.get(name)).__name__ == PEERS[name]


@pytest.mark.parametrize(
    ("typo", "near"),
    [("hubber", "huber"), ("cross_entrpy", "cross_entropy"), ("mean_sqared_error", "mean_squared")],
)
def test_an_unknown_name_lists_the_near_ones(typo: str, near: str) -> None:
    with pytest.raises(ValueError, match=rf"{typo}(.|\n)*{near}"):
        fl.get(typo)


def test_an_unknown_parameter_lists_those_that_there_are() -> None:
    with pytest.raises(TypeError, match="huber has no parameter 'gamma'; it has delta, hessian,"):
        fl.get("huber", gamma=2.0)


def test_a_name_that_is_like_none() -> None:
    with pytest.raises(ValueError, match="zzzzzz"):
        fl.get("zzzzzz")
    with pytest.raises(ValueError, match="''"):
        fl.get("")
    wrong: Any
    for wrong in (None, 3, b"huber"):
        with pytest.raises((TypeError, ValueError)):
            fl.get(wrong)
    with pytest.raises(TypeError, match="surprise"):
        fl.get("huber", surprise=1)


# A loss is a value.


@all_cases
def test_repr(case: Case) -> None:
    loss = case.loss()
    assert eval(repr(loss), vars(fl)) == loss
    assert repr(loss).startswith(case.loss_class.__name__ + "(")


def test_repr_as_documented() -> None:
    assert repr(fl.Huber(delta=1.5)) == "Huber(delta=1.5)"
    assert "sum" in repr(fl.Huber(reduction="sum"))


@cache
def losses_of_cases() -> list[fl.Loss]:
    return [case.loss() for case in CASES]


@all_cases
def test_equality_and_hash(case: Case) -> None:
    loss = case.loss()
    assert loss == case.loss()
    assert hash(loss) == hash(case.loss())
    assert loss != case.loss(reduction="none")
    assert loss != repr(loss)
    equal = [other for other in losses_of_cases() if other == loss]
    assert all(repr(other) == repr(loss) for other in equal)
    assert len({loss, case.loss()}) == 1


@all_cases
def test_copies(case: Case) -> None:
    loss = case.loss(reduction="sum")
    data = sample(case, np.float32, 10)
    copies = [copy.copy(loss), copy.deepcopy(loss), dataclasses.replace(loss)]
    copies += [pickle.loads(pickle.dumps(loss, protocol)) for protocol in range(2, 6)]
    for other in copies:
        assert other == loss
        assert type(other) is type(loss)
        assert other(*data) == loss(*data)
    changed = dataclasses.replace(loss, reduction="mean")
    assert changed == case.loss(reduction="mean")
    assert changed(*data) == case.loss(reduction="mean")(*data)


@all_cases
def test_immutable(case: Case) -> None:
    loss = case.loss()
    for name in fields(case.loss_class):
        with pytest.raises(AttributeError):
            setattr(loss, name, getattr(loss, name))
        with pytest.raises(AttributeError):
            delattr(loss, name)
    with pytest.raises((AttributeError, TypeError)):
        loss.surprise = 1


def test_array_parameters_are_copied_and_hashable() -> None:
    weight = np.array([1.0, 2.0])
    loss = fl.CrossEntropy(class_weight=weight)
    before = loss(np.eye(2), [0, 1])
    weight[:] = 0
    assert loss(np.eye(2), [0, 1]) == before
    assert loss == fl.CrossEntropy(class_weight=[1, 2]) == fl.CrossEntropy(class_weight=(1.0, 2.0))
    assert hash(loss) == hash(fl.CrossEntropy(class_weight=[1, 2]))
    assert loss != fl.CrossEntropy(class_weight=[1, 3])
    pos = np.array([1.0, 2.0])
    binary = fl.BinaryCrossEntropy(pos_weight=pos)
    assert binary == fl.BinaryCrossEntropy(pos_weight=[1.0, 2.0])
    assert hash(binary) == hash(fl.BinaryCrossEntropy(pos_weight=[1.0, 2.0]))
    assert pickle.loads(pickle.dumps(binary)) == binary


# Values that no loss takes, by parameter, but for numbers in the interval of the loss's own.
NAN, INF = np.nan, np.inf
WRONG: dict[str, tuple[Any, ...]] = {
    "half": ("yes", None),
    "delta": (0, -1.0, NAN, INF, "1", None, [1.0]),
    "quantile": (-0.1, 1.5, NAN, INF, "0.5", None, [0.1, 1.5], [], [[0.5]]),
    "level": (-0.1, 1.5, NAN, INF, "0.5", None, [0.1, 1.5], [], [[0.5]]),
    "pos_weight": (-1.0, NAN, INF, "1", None, [1.0, -1.0], 1j),
    "label_smoothing": (-0.1, 1.1, NAN, "0.1", None),
    "eps": (-1e-9, 0.5, 1.0, NAN, "0"),
    "gamma": (-0.5, NAN, INF, "2", None),
    "alpha": (-0.1, 1.1, NAN, "0.25"),
    "class_weight": (
        "balanced",
        [1.0, -1.0],
        [1.0, NAN],
        [1.0, INF],
        [[1.0, 2.0]],
        1.0,
        [],
        np.array(1.0),
        [1.0, [2.0, 3.0]],
    ),
    "ignore_index": (0.5, "none", NAN, 2**63),
    "empty": ("none", None, 0, "NAN"),
    "axis": (0.5, "1", None),
    "reduction": ("average", None, "batchmean", 1),
}


@every_loss
def test_wrong_parameters_are_named(cls: Any) -> None:
    for field in cls._fields:
        name = field.name
        never = [
            x for x in WRONG.get(name, ()) if outside(field, x) or not isinstance(x, (int, float))
        ]
        for value in (*wrong_values(cls, name), *never):
            with pytest.raises((ValueError, TypeError), match=name):
                cls(**{name: value})
            with pytest.raises((ValueError, TypeError), match=name):
                dataclasses.replace(cls(), **{name: value})


@every_loss
def test_any_number_makes_a_loss_or_an_error_that_names_it(cls: Any) -> None:
    """Squares and gamma functions of a hyper-parameter may be more than a float holds."""
    for field in cls._fields:
        for value in (1e-320, 1e-200, 1e200, 1e308, -(2**63), 2**62):
            try:
                said = repr(pickle.loads(pickle.dumps(cls(**{field.name: value}))))
            except (ValueError, TypeError) as error:
                said = str(error)
            assert field.name in said or field.name in ("reduction", "hessian")


@every_loss
def test_numpy_scalars_are_numbers(cls: Any) -> None:
    for name, default in fields(cls).items():
        if isinstance(default, float):
            value = valid_values(cls, name)[-1]
            for scalar in (np.float64(value), np.float32(value)):
                assert cls(**{name: scalar}) == cls(**{name: value})
        elif type(default) is int:
            assert cls(**{name: np.int8(1)}) == cls(**{name: 1})


@pytest.mark.parametrize("case", default_cases(), ids=[case.id for case in default_cases()])
def test_losses_work_through_joblib_style_pickles_at_every_level(case: Case) -> None:
    """A pickle holds parameters alone, so it moves between machines of different levels."""
    data = sample(case, np.float64, 50)
    for level in kernels.levels():
        with kernels.use_level(level):
            text = pickle.dumps(case.loss())
        assert level.encode() not in text
        assert pickle.loads(text)(*data) == case.loss()(*data)
