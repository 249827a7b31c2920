"""A first neural network with Keras, trained twice: with Keras's own loss and with fastloss's.

    pip install 'fastloss[keras]' tensorflow-cpu scikit-learn
    KERAS_BACKEND=tensorflow python examples/keras_binary.py

The same seed, data and model; the two histories agree to rounding, on each backend: torch,
tensorflow and jax.
"""

import keras
import numpy as np
from sklearn.datasets import load_breast_cancer

import fastloss.keras

X, y = load_breast_cancer(return_X_y=True)
X = ((X - X.mean(0)) / X.std(0)).astype("float32")


def train(loss: keras.losses.Loss) -> dict[str, list[float]]:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Input((X.shape[1],)),
            keras.layers.Dense(10, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(loss=loss, optimizer=keras.optimizers.Adam(), metrics=["accuracy"])
    history: dict[str, list[float]] = model.fit(X, y, epochs=10, batch_size=32, verbose=0).history
    return history


def main() -> None:
    theirs = train(keras.losses.BinaryCrossentropy())
    ours = train(fastloss.keras.BinaryCrossentropy())
    print(f"backend {keras.config.backend()}")
    print("epoch  keras: loss  accuracy  fastloss: loss  accuracy")
    for epoch, row in enumerate(
        zip(theirs["loss"], theirs["accuracy"], ours["loss"], ours["accuracy"], strict=True), 1
    ):
        print("{:5}  {:11.6f}  {:8.4f}  {:14.6f}  {:8.4f}".format(epoch, *row))
    difference = max(np.abs(np.subtract(theirs[key], ours[key])).max() for key in theirs)
    print(f"largest difference {difference:.1e}")


if __name__ == "__main__":
    main()
