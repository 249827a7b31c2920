"""The Keras adapter on one backend, KERAS_BACKEND: test_keras.py runs this once for each."""

import inspect
import pathlib
import re
import sys
from typing import Any

import keras
import numpy as np
import pytest

import fastloss as fl
import fastloss.keras as adapter
from cases import Case, default_cases, sample
from conftest import framework, table_of_missing
from test_examples import examples, run, run_page

ROOT = pathlib.Path(__file__).parent.parent
BACKEND = keras.config.backend()
NAMES = sorted(cls.__name__ for cls in adapter.NAMED if hasattr(keras.losses, cls.__name__))
MISSING = {
    "`Circle`": "compares all pairs of a batch",
    "`CosineSimilarity`": "of two vectors, which no loss here is",
    "`CTC`": "sums over alignments of sequences",
    "`Dice`, `Tversky`": "quotients of sums over whole images: no sum of losses",
    "functions and strings, such as `mean_squared_error`": "a loss here is an object",
}
random = np.random.default_rng(0)


def value_and_grad(
    loss: Any, y_true: Any, y_pred: Any, weight: Any = None, compiled: bool = False
) -> tuple[Any, Any]:
    """What a training step computes, compiled or not."""
    if BACKEND == "torch":
        import torch

        prediction = torch.tensor(y_pred, requires_grad=True)
        weight = None if weight is None else torch.tensor(weight)
        value = loss(torch.tensor(y_true), prediction, weight)
        value.sum().backward()
        return value.detach().numpy(), prediction.grad.numpy()
    if BACKEND == "jax":
        import jax

        def function(prediction: Any, y_true: Any, weight: Any) -> tuple[Any, Any]:
            value = loss(y_true, prediction, weight)
            return value.sum(), value

        derivative = jax.grad(function, has_aux=True)
        gradient, value = (jax.jit(derivative) if compiled else derivative)(y_pred, y_true, weight)
        return np.asarray(value), np.asarray(gradient)
    import tensorflow as tf

    def step(prediction: Any, y_true: Any, weight: Any = None) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(prediction)
            value = loss(y_true, prediction, weight)
        return value, tape.gradient(value, prediction)

    arguments = [tf.constant(x) for x in (y_pred, y_true, weight) if x is not None]
    if compiled:
        signature = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in arguments]
        step = tf.function(step, input_signature=signature)
    value, gradient = step(*arguments)
    return value.numpy(), gradient.numpy()


def simplex(shape: tuple[int, ...]) -> Any:
    return random.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(np.float32)


def arguments(name: str, options: dict[str, Any], shape: tuple[int, ...]) -> tuple[Any, Any]:
    """A target and a prediction that Keras's loss of this name takes."""
    y_pred = random.normal(size=shape).astype(np.float32)
    y_true = random.normal(size=shape).astype(np.float32)
    if name in ("MeanSquaredLogarithmicError", "Poisson"):
        y_pred, y_true = abs(y_pred) + 0.1, random.poisson(2.0, shape).astype(np.float32)
    if "Binary" in name:
        y_true = random.integers(0, 2, shape)
        if not options.get("from_logits"):
            y_pred = (1 / (1 + np.exp(-3 * y_pred))).astype(np.float32)
    if "Categorical" in name or name == "KLDivergence":
        axis = options.get("axis", -1)
        labels = random.integers(0, shape[axis], shape[:-1])
        if name.startswith("Sparse") or "Generalized" in name:
            y_true = labels
        elif name == "CategoricalHinge":
            y_true = np.eye(shape[-1], dtype=np.float32)[labels]
        else:
            y_true = simplex(shape)
        if not options.get("from_logits") and name != "CategoricalHinge":
            y_pred = 0.9 * simplex(shape) + np.float32(0.1 / shape[-1])
    if name in ("Hinge", "SquaredHinge"):
        y_true = random.choice(options.get("labels", (0, 1)), shape).astype(np.int32)
    return y_true, y_pred


OPTIONS: dict[str, list[dict[str, Any]]] = {
    "Huber": [{"delta": 0.5}],
    "BinaryCrossentropy": [
        {"from_logits": True},
        {"label_smoothing": 0.2},
        {"from_logits": True, "label_smoothing": 0.2},
        {"axis": 1},
        {"dtype": "float64"},
    ],
    "BinaryFocalCrossentropy": [
        {"from_logits": True, "gamma": 1.5},
        {"apply_class_balancing": True, "alpha": 0.3, "label_smoothing": 0.1},
    ],
    "CategoricalCrossentropy": [
        {"from_logits": True},
        {"label_smoothing": 0.2},
        {"from_logits": True, "label_smoothing": 0.2},
    ],
    "CategoricalFocalCrossentropy": [
        {"from_logits": True, "gamma": 1.5, "alpha": 1.0},
        {"label_smoothing": 0.2, "alpha": [0.5, 1.0, 2.0]},
    ],
    "CategoricalGeneralizedCrossEntropy": [{"q": 0.9}],
    "SparseCategoricalCrossentropy": [
        {"from_logits": True},
        {"ignore_class": 1},
        {"from_logits": True, "ignore_class": 1},
    ],
    "Hinge": [{"labels": (-1, 1)}],
    "SquaredHinge": [{"labels": (-1, 1)}],
}
CASES = [(name, options) for name in NAMES for options in ({}, *OPTIONS.get(name, []))]
REDUCTIONS = ["sum_over_batch_size", "sum", "mean_with_sample_weight", None]


def compare(ours: Any, theirs: Any, *data: Any, compiled: bool = False) -> None:
    value, gradient = value_and_grad(ours, *data, compiled=compiled)
    expected, expected_gradient = value_and_grad(theirs, *data, compiled=compiled)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    scale = abs(expected_gradient).max()
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-5, atol=1e-5 * scale)
    # Keras with torch answers in float32 whatever was asked for.
    assert value.dtype in (expected.dtype, ours.dtype)
    assert value.shape == expected.shape


def both(name_: str, options: dict[str, Any], **more: Any) -> tuple[Any, ...]:
    """Our loss and Keras's."""
    options = {key: value for key, value in options.items() if key != "labels"}
    return tuple(getattr(module, name_)(**options, **more) for module in (adapter, keras.losses))


def weights(options: dict[str, Any], shape: tuple[int, ...]) -> Any:
    of_rows = [*shape]
    del of_rows[options.get("axis", -1)]
    return random.uniform(0.1, 2, of_rows).astype(np.float32)


@pytest.mark.parametrize("shape", [(8, 1), (4, 5, 3)], ids=str)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_values_and_gradients_are_kerass(
    name: str, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    if "Categorical" in name and shape[-1] == 1:
        pytest.skip("one class is no choice")
    y_true, y_pred = arguments(name, options, shape)
    for weight in (None, weights(options, shape)):
        for reduction in REDUCTIONS:
            compare(*both(name, options, reduction=reduction), y_true, y_pred, weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_compiled_too(name: str, options: dict[str, Any], weighted: bool) -> None:
    shape = (8, 3, 2) if options.get("axis") == 1 else (8, 3)
    y_true, y_pred = arguments(name, options, shape)
    weight = weights(options, shape) if weighted else None
    compare(*both(name, options), y_true, y_pred, weight, compiled=True)


@pytest.mark.parametrize(
    ("target", "prediction", "weight"),
    [
        ((8,), (8, 1), None),
        ((8, 1), (8,), None),
        ((8,), (8,), None),
        ((8,), (8,), (8,)),
        ((8,), (8, 1), (8,)),
        ((8, 1), (8, 1), (8, 1)),
        ((8, 5), (8, 5, 1), None),
        ((8, 5), (8, 5, 1), (8,)),
        ((8, 5, 1), (8, 5, 1), (8, 5)),
        ((8, 5, 1), (8, 5, 1), (8, 5, 1)),
        ((8, 5, 2), (8, 5, 2), (8, 1)),
        ((8, 2), (8, 2), (1,)),
    ],
    ids=str,
)
def test_shapes(target: Any, prediction: Any, weight: Any) -> None:
    data = [random.normal(size=shape).astype(np.float32) for shape in (target, prediction)]
    weights = None if weight is None else random.uniform(0.1, 2, weight).astype(np.float32)
    for reduction in REDUCTIONS:
        compare(*both("MeanSquaredError", {}, reduction=reduction), *data, weights)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MeanSquaredError", {}),
        ("SparseCategoricalCrossentropy", {"from_logits": True}),
        ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 1}),
    ],
)
def test_masks(name: str, options: dict[str, Any], weighted: bool, reduction: Any) -> None:
    """A mask that comes with the prediction, as an Embedding's does."""
    y_true, y_pred = arguments(name, dict(options), (4, 5, 3))
    mask = random.random((4, 5)) < 0.6
    weight = random.uniform(0.1, 2, (4, 5)).astype(np.float32) if weighted else None
    found = []
    for module in (adapter, keras.losses):
        prediction = keras.ops.convert_to_tensor(y_pred)
        adapter.tensors.set_keras_mask(prediction, keras.ops.convert_to_tensor(mask))
        loss = getattr(module, name)(reduction=reduction, **options)
        found.append(keras.ops.convert_to_numpy(loss(y_true, prediction, weight)))
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)


def test_nothing_left_to_count() -> None:
    loss = adapter.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    assert float(loss([0, 0], np.zeros((2, 3), np.float32))) == 0
    assert float(loss([0, 0], np.zeros((2, 3), np.float32), [1.0, 2.0])) == 0


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_kerass(name: str) -> None:
    """Names and defaults, in order; old Keras lacked one name of one loss."""

    def parameters(cls: Any) -> list[tuple[str, Any]]:
        found = {p.name: p.default for p in inspect.signature(cls).parameters.values()}
        return list({**found, "name": cls().name}.items())

    ours, theirs = (parameters(getattr(module, name)) for module in (adapter, keras.losses))
    added = {"axis"} - dict(theirs).keys() if name.startswith("Sparse") else set()
    assert [p for p in ours if p[0] not in added] == theirs


def test_which_losses_are_missing() -> None:
    theirs = {name for name in dir(keras.losses) if isinstance(getattr(keras.losses, name), type)}
    known = {
        "Loss",
        *(cls.__name__ for cls in adapter.NAMED),
        *re.findall(r"`(\w+)`", str(MISSING)),
    }
    assert theirs <= known
    page = (ROOT / "docs" / "keras.md").read_text()
    assert table_of_missing("`keras.losses`", MISSING) in page
    assert all(f"`{cls.__name__}`" in page for cls in adapter.NAMED)


def test_page() -> None:
    framework("sklearn")
    run_page("docs/keras.md")


@pytest.mark.parametrize(("name", "options"), CASES)
def test_named_configs(name: str, options: dict[str, Any]) -> None:
    loss, theirs = both(name, options, reduction="sum", name="mine")
    config = loss.get_config()
    assert config.items() >= theirs.get_config().items()
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == config
    assert again.loss == loss.loss
    assert again.dtype == loss.dtype


GENERIC = default_cases()


@pytest.mark.parametrize("case", GENERIC, ids=lambda case: case.id)
def test_every_loss(case: Case) -> None:
    prediction, target = sample(case, np.float32, n=32)
    if not case.of_rows:
        prediction, target = prediction.reshape(8, 4), target.reshape(8, 4)
    loss = adapter.Loss(case.loss())
    value, gradient = value_and_grad(loss, target, prediction)
    expected, expected_gradient = case.loss().value_and_grad(prediction, target)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-6, atol=1e-30)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.loss == loss.loss
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize("case", GENERIC, ids=lambda case: case.id)
def test_every_loss_weighted(case: Case) -> None:
    """Reduced at once, and one by one and then reduced by Keras."""
    prediction, target = sample(case, np.float32, n=32)
    if not case.of_rows:
        prediction, target = prediction.reshape(8, 4), target.reshape(8, 4)
    weight = random.uniform(0.1, 2, len(prediction)).astype(np.float32)
    loss = adapter.Loss(case.loss(), reduction="sum")
    for weights in (None, weight):
        value = float(loss(target, prediction, weights))
        one_by_one = keras.losses.Loss.__call__(loss, target, prediction, weights)
        np.testing.assert_allclose(value, float(one_by_one), rtol=1e-5)


def test_class_weights_are_no_divisor() -> None:
    """A batch's size divides, not the sum of the weights of its classes."""
    loss = adapter.Loss(fl.CrossEntropy(class_weight=[1.0, 3.0]))
    one_by_one = fl.CrossEntropy(class_weight=[1.0, 3.0], reduction="none")
    logits = random.normal(size=(6, 2)).astype(np.float32)
    labels = np.array([0, 1, 1, 0, 1, 1])
    np.testing.assert_allclose(float(loss(labels, logits)), one_by_one(logits, labels).mean(), 1e-6)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="reduction must be an argument of its own"):
        adapter.Loss(fl.Huber(reduction="sum"))
    with pytest.raises(TypeError, match="must be a loss of fastloss"):
        adapter.Loss(keras.losses.Huber())
    with pytest.raises(Exception, match="prediction"):
        float(adapter.BinaryCrossentropy()([[1.0]], [[2.0]]))


@pytest.mark.parametrize(
    "loss",
    [
        adapter.BinaryCrossentropy(label_smoothing=0.1),
        adapter.Loss(fl.Focal(gamma=1.5, alpha=0.25), name="mine"),
        adapter.Loss("pinball", quantile=0.75, reduction="sum"),
    ],
    ids=repr,
)
def test_a_compiled_model_is_saved_and_loaded(loss: Any, tmp_path: pathlib.Path) -> None:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    model.compile(loss=loss, optimizer="sgd", weighted_metrics=[])
    x, y = random.normal(size=(16, 3)), random.integers(0, 2, (16, 1))
    weight = random.uniform(size=16)
    model.fit(x, y, sample_weight=weight, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.loss.get_config() == loss.get_config()
    assert again.loss.loss == loss.loss
    assert again.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    again.fit(x, y, verbose=0)


def test_masked_sequences() -> None:
    """A mask from an Embedding layer reaches the loss in a training step."""
    x = random.integers(0, 4, (16, 6))
    y = random.integers(0, 3, (16, 6))
    histories = []
    for module in (adapter, keras.losses):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.layers.Embedding(4, 5, mask_zero=True), keras.layers.Dense(3)]
        )
        loss = module.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2)
        model.compile(loss=loss, optimizer="sgd")
        histories.append(model.fit(x, y, epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-5)


def test_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    sys.path.insert(0, str(ROOT / "examples"))
    import keras_binary

    keras_binary.main()
    printed = capsys.readouterr().out
    assert f"backend {BACKEND}" in printed
    assert float(printed.split()[-1]) < 1e-5


@pytest.mark.parametrize("test", examples(adapter, "fastloss.keras"), ids=lambda test: test.name)
def test_docstrings(test: Any) -> None:
    run(test)
