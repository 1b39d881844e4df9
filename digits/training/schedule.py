"""The course of a training: the learning rate in each step, and the two phases of the digit network's.

The first phase learns to read poorly written and poorly shown digits. The second one, with milder augmentation and a lower
learning rate, makes the rest more exact.

The constants were set together, by hand, and measured as a whole: benchmarks/ingredients.py trains without the second phase.
"""

from digits.model.network import keras  # from there, because it starts TensorFlow quietly and with its settings

WARM_UP_FRACTION = 0.2  # of the steps of the first phase, in which the learning rate rises
INITIAL_RATE_FRACTION = 0.05  # of the peak learning rate, with which the first phase begins
SECOND_PHASE_FRACTION = 2 / 7  # of the epochs
SECOND_PHASE_RATE_FRACTION = 0.4  # of the peak learning rate, with which the second phase begins


def second_phase_epochs(epochs: int) -> int:
    """Return how many of the epochs, the last ones, make up the second phase."""
    return round(SECOND_PHASE_FRACTION * epochs)


def warm_up_and_cosine_decay(
    steps: int, warm_up: int, peak: float, initial: float = 0.0, final_fraction: float = 0.0
) -> keras.optimizers.schedules.CosineDecay:
    """Return a learning rate that rises from `initial` to `peak` in the first steps, and falls along a cosine.

    steps: in all. warm_up: steps in which it rises, 1 or more. final_fraction: of the peak, to which it falls.
    """
    decay_steps = max(1, steps - warm_up)
    return keras.optimizers.schedules.CosineDecay(initial, decay_steps, final_fraction, warmup_target=peak, warmup_steps=warm_up)


class CosineWithRestart(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate by step: it rises, falls to zero along a cosine, restarts lower and falls to zero again.

    This is a warm restart (Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with warm restarts").
    first_steps, second_steps: steps in the two phases, 0 or more. peak: the highest learning rate.
    """

    def __init__(self, first_steps: int, second_steps: int, peak: float) -> None:
        warm_up = max(1, round(first_steps * WARM_UP_FRACTION))
        self.first_steps = first_steps
        self.first = warm_up_and_cosine_decay(first_steps, warm_up, peak, initial=peak * INITIAL_RATE_FRACTION)
        self.second = keras.optimizers.schedules.CosineDecay(peak * SECOND_PHASE_RATE_FRACTION, max(1, second_steps))

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """Return the learning rate of a step, counted from 0."""
        in_second = keras.ops.maximum(step - self.first_steps, 0)
        return keras.ops.where(step < self.first_steps, self.first(step), self.second(in_second))
