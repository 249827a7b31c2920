"""The TensorFlow adapter: every loss, eagerly and inside tf.function."""

import dataclasses
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import Case, default_cases, sample, sample_weight
from conftest import framework
from test_examples import run_page

tf = framework("tensorflow")
adapter = framework("fastloss.tensorflow")

CASES = default_cases()
by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
by_way = pytest.mark.parametrize("way", ["eager", "graph", "unknown_shapes"])


def compiled(function: Any, way: str, *arguments: Any) -> Any:
    """The function as it is, inside tf.function, or there without sizes of arrays."""
    if way == "eager":
        return function
    signature = None
    if way == "unknown_shapes":
        signature = [tf.TensorSpec([None] * x.ndim, x.dtype) for x in arguments]
    return tf.function(function, input_signature=signature)


def differentiate(loss: Any, way: str, *arguments: Any) -> tuple[Any, Any]:
    def function(prediction: Any, *others: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(prediction)
            value = loss(prediction, *others)
        return value, tape.gradient(value, prediction)

    value, gradient = compiled(function, way, *arguments)(*map(tf.constant, arguments))
    return value.numpy(), gradient.numpy()


def assert_same(found: Any, expected: Any) -> None:
    """The same bits, but where subnormals occur: TensorFlow's own threads make zeros of them."""
    near = 0 if expected.dtype.kind == "V" else 1e3 * float(np.finfo(expected.dtype).tiny)
    np.testing.assert_allclose(found, expected, rtol=0, atol=near)


@by_way
@by_case
def test_values_and_gradients(case: Case, way: str) -> None:
    loss = case.loss()
    arguments = (*sample(case, np.float32), sample_weight(200))
    value, gradient = differentiate(adapter.Loss(loss), way, *arguments)
    expected, expected_gradient = loss.value_and_grad(*arguments)
    assert value == np.float32(expected)
    assert_same(gradient, expected_gradient)


@pytest.mark.parametrize("way", ["eager", "graph"])
@by_case
def test_losses_one_by_one(case: Case, way: str) -> None:
    loss = case.loss(reduction="none")
    prediction, target = sample(case, np.float32)
    values, gradient = differentiate(adapter.Loss(loss), way, prediction, target)
    expected, expected_gradient = loss.value_and_grad(prediction, target)
    assert_same(values, expected)
    assert_same(gradient, expected_gradient)


@by_case
def test_shapes_are_known_in_a_graph(case: Case) -> None:
    prediction, target = sample(case, np.float32)
    loss = adapter.Loss(case.loss(reduction="none"))
    specs = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in (prediction, target)]
    found = tf.function(loss).get_concrete_function(*specs).structured_outputs
    expected = loss.loss(prediction, target).shape
    assert found.shape.as_list() == [None, *expected[1:]]
    whole = tf.function(adapter.Loss(case.loss())).get_concrete_function(*specs)
    assert whole.structured_outputs.shape.as_list() == []


@by_way
@by_case
def test_second_derivatives(case: Case, way: str) -> None:
    loss = case.loss()
    prediction, target = sample(case, np.float64)
    if not case.exact_hessian:
        pytest.skip("the loss trains with another curvature")
    v = np.random.default_rng(3).normal(size=prediction.shape)

    def function(prediction: Any, target: Any, v: Any) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(prediction)
            with tf.GradientTape() as inner:
                inner.watch(prediction)
                value = adapter.Loss(loss)(prediction, target)
            gradient = inner.gradient(value, prediction)
        return outer.gradient(gradient, prediction, v)

    found = compiled(function, way, prediction, target, v)(
        *map(tf.constant, (prediction, target, v))
    )
    assert_same(found, loss.hvp(prediction, target, v))


def test_third_derivatives_are_an_error() -> None:
    x = tf.constant([0.5])
    with tf.GradientTape() as third:
        third.watch(x)
        with tf.GradientTape() as second:
            second.watch(x)
            with tf.GradientTape() as first:
                first.watch(x)
                value = adapter.Loss("logistic")(x, [1.0])
            gradient = first.gradient(value, x)
        curvature = second.gradient(gradient, x)
    with pytest.raises(NotImplementedError, match="third derivative"):
        third.gradient(curvature, x)


@pytest.mark.parametrize("loss", [fl.CrossEntropy(axis=1), fl.Huber()], ids=["classes", "numbers"])
def test_shapes_that_only_the_run_tells(loss: fl.Loss) -> None:
    """Each value's gradient meets its own row, where shapes would broadcast too."""
    random = np.random.default_rng(0)
    each = adapter.Loss(dataclasses.replace(loss, reduction="none"))
    for shape in ((3,), (4, 4), (3, 3, 3)):
        x = tf.constant(random.normal(size=shape))
        rows = shape[:1] + shape[2:] if len(shape) > 1 else ()
        y = tf.zeros(rows, tf.int32) if loss.class_axis == "always" else tf.zeros_like(x)
        upstream = tf.reshape(tf.range(tf.size(y), dtype=x.dtype), y.shape)

        def gradient(x: Any, y: Any, upstream: Any = upstream) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = tf.reduce_sum(each(x, y) * upstream)
            return tape.gradient(value, x)

        unknown = [tf.TensorSpec(None, x.dtype), tf.TensorSpec(None, y.dtype)]
        graph = tf.function(gradient, input_signature=unknown)
        np.testing.assert_array_equal(graph(x, y), gradient(x, y))


@pytest.mark.parametrize("way", ["eager", "graph"])
def test_a_scaled_loss_keeps_the_gradients_of_float16(way: str) -> None:
    logits, labels = tf.zeros((2000, 2000), tf.float16), tf.zeros(2000, tf.int32)
    loss = adapter.Loss("cross_entropy")

    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(x, labels) * 2.0**12
        assert value.dtype == tf.float16
        return tape.gradient(value, x)

    np.testing.assert_allclose(compiled(gradient, way)(logits)[:, 1:], 2.0**12 / 2000**2, rtol=1e-3)


def test_a_tape_outside_of_the_graph() -> None:
    loss = adapter.Loss("logistic")
    graph = tf.function(loss)
    x, y = tf.constant([0.5, -2.0]), tf.constant([1.0, 0.0])
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = graph(x, y)
        gradient = tape.gradient(value, x)
    np.testing.assert_array_equal(gradient, loss.loss.grad(x.numpy(), y.numpy()))
    found = outer.gradient(gradient, x)
    np.testing.assert_array_equal(found, loss.loss.hvp(x.numpy(), y.numpy(), np.ones(2)))


def test_what_comes_after_the_loss() -> None:
    """A derivative is multiplied by what a caller makes of the value, of whatever order."""
    x, y = tf.constant([0.5, -2.0], tf.float64), tf.constant([1.0, 0.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = 3.0 * tf.square(adapter.Loss("logistic")(x, y))
        gradient = tape.gradient(value, x)
    loss = fl.get("logistic")
    value_, gradient_ = loss.value_and_grad(x.numpy(), y.numpy())
    np.testing.assert_allclose(gradient, 6 * value_ * gradient_, rtol=1e-14)
    expected = 6 * gradient_ * gradient_.sum()
    expected += 6 * value_ * loss.hvp(x.numpy(), y.numpy(), np.ones(2))
    np.testing.assert_allclose(outer.gradient(gradient, x), expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("way", ["eager", "graph"])
def test_dtypes(dtype: str, way: str) -> None:
    x = tf.cast(tf.constant([0.5, -2.0, 4.0]), dtype).numpy()
    y = np.array([1, 0, 1], np.int8)
    value, gradient = differentiate(adapter.Loss("logistic"), way, x, y)
    expected, expected_gradient = fl.get("logistic").value_and_grad(x, y)
    assert value.dtype == gradient.dtype == x.dtype
    assert value == np.asarray(expected, x.dtype)
    assert_same(gradient, expected_gradient)


@pytest.mark.parametrize("way", ["eager", "graph"])
def test_nothing_is_copied(way: str) -> None:
    x = tf.zeros((512, 512))
    at: list[int] = []

    def function(array: Any) -> Any:
        at.append(array.__array_interface__["data"][0])
        return np.float32(0)

    compiled(lambda x: adapter._compute(function, [x], [()])[0], way)(x)
    assert at == [x._numpy().__array_interface__["data"][0]]


def test_variables_and_lists() -> None:
    x = tf.Variable([0.5, -2.0])
    with tf.GradientTape() as tape:
        value = adapter.Loss("squared_error")(x, [1, 0], [1.0, 3.0])
    np.testing.assert_array_equal(tape.gradient(value, x), [-0.25, -3.0])


def test_wrong_arguments() -> None:
    for made in (tf.ragged.constant([[1.0], [2.0, 3.0]]), tf.sparse.from_dense(tf.ones(3))):
        with pytest.raises(TypeError, match=r"must be dense, got a (Ragged|Sparse)"):
            adapter.Loss("huber")(made, tf.ones(3))
    loss = adapter.Loss("cross_entropy")
    with pytest.raises(TypeError, match="prediction must be a floating-point tensor, got int32"):
        loss(tf.constant([[1, 2]]), [0])
    with pytest.raises(IndexError, match="label 2"):
        loss(tf.constant([[1.0, 2.0]]), [2])
    with pytest.raises(tf.errors.OpError, match="label 2 at position 0"):
        tf.function(loss)(tf.constant([[1.0, 2.0]]), tf.constant([2]))
    y = tf.constant([1.0])
    with tf.GradientTape() as tape:
        tape.watch(y)
        with pytest.raises(ValueError, match=r"tf\.stop_gradient"):
            adapter.Loss("logistic")(tf.constant([1.0]), y)
    with pytest.raises(TypeError, match="delta is for a loss given by its name"):
        adapter.Loss(fl.Huber(), delta=1.0)
    with pytest.raises(TypeError, match="loss must be a loss of fastloss or its name"):
        adapter.Loss(3)


LOGITS = np.random.default_rng(5).normal(size=(64, 7)).astype(np.float32)
SOFT = np.random.default_rng(6).dirichlet(np.ones(7), 64).astype(np.float32)
LABELS = np.random.default_rng(7).integers(0, 7, 64)


@pytest.mark.parametrize(
    ("name", "labels", "more"),
    [
        ("sigmoid_cross_entropy_with_logits", SOFT, {}),
        ("weighted_cross_entropy_with_logits", SOFT, {"pos_weight": 2.5}),
        ("weighted_cross_entropy_with_logits", SOFT, {"pos_weight": np.arange(7.0)}),
        ("softmax_cross_entropy_with_logits", SOFT, {}),
        ("softmax_cross_entropy_with_logits", SOFT / SOFT.sum(0), {"axis": 0}),
        ("sparse_softmax_cross_entropy_with_logits", LABELS, {}),
    ],
)
@pytest.mark.parametrize("way", ["eager", "graph"])
def test_tensorflows_own(name: str, labels: Any, more: dict[str, Any], way: str) -> None:
    def ours(logits: Any) -> Any:
        return getattr(adapter, name)(labels=labels, logits=logits, **more)

    def theirs(logits: Any) -> Any:
        return getattr(tf.nn, name)(labels=labels, logits=logits, **more)

    value, gradient = differentiate(ours, way, LOGITS)
    expected, expected_gradient = differentiate(theirs, way, LOGITS)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("way", ["eager", "graph"])
def test_beside_tensorflows_threads(way: str) -> None:
    """Large calls from TensorFlow's threads, which are not Python's, end and are right."""
    x = np.random.default_rng(0).normal(size=2**21).astype(np.float32)
    y = np.zeros_like(x)

    def step(x: Any, y: Any) -> Any:
        return [adapter.Loss("logistic")(x * k, y) for k in range(1, 7)]

    found = compiled(step, way)(tf.constant(x), tf.constant(y))
    loss = fl.get("logistic")
    assert [v.numpy() for v in found] == [
        np.float32(loss(x * np.float32(k), y)) for k in range(1, 7)
    ]


def test_page() -> None:
    run_page("docs/tensorflow.md")
