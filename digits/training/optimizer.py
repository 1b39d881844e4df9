"""The optimizer: Muon for convolutions, Adam for the rest."""

import math

from digits.model.network import keras  # from there, because it starts TensorFlow quietly and with its settings

# Root mean square of an update's entries, for a learning rate of 1: about that of Adam (Liu et al. 2025, "Muon is scalable
# for LLM training", who measured 0.2 to 0.4).
UPDATE_RMS = 0.2


class Muon(keras.optimizers.Muon):
    """Muon for the kernels of convolutions (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks").

    Each step moves the weights of a layer by their momentum, made orthogonal: so all directions are learned at the same rate,
    rare ones too. Keras' own Muon does so for matrices only. Here the kernel of a convolution, (height, width, channels in,
    channels out), counts as a matrix of (height * width * channels in, channels out). Everything else, such as
    normalisations and dense layers, is learned by Adam. There is no weight decay.

    learning_rate: a float, or a keras LearningRateSchedule.
    """

    def __init__(self, learning_rate: float | keras.optimizers.schedules.LearningRateSchedule) -> None:
        super().__init__(learning_rate, weight_decay=None, adam_weight_decay=None)

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the momentum of each variable, and the velocity of each that Adam updates. Keras calls it."""
        if self.built:
            return
        keras.optimizers.Optimizer.build(self, variables)  # instead of Muon's own, which gives convolutions to Adam
        self.momentums, self.adam_velocities = [], []
        for variable in variables:
            self.momentums.append(self.add_variable_from_reference(variable, name="momentum"))
            adam = not _is_kernel(variable)
            self.adam_velocities.append(self.add_variable_from_reference(variable, name="velocity") if adam else None)

    def update_step(self, gradient: keras.KerasTensor, variable: keras.Variable, learning_rate: keras.KerasTensor) -> None:
        """Update a variable and its momentum. Keras calls it for each variable in each step."""
        if not _is_kernel(variable):
            super().update_step(gradient, variable, learning_rate)  # Adam, because the variable has a velocity
            return
        momentum = self.momentums[self._get_variable_index(variable)]  # as each of Keras' optimizers looks it up
        self.assign_add(momentum, gradient + momentum * (self.momentum - 1))
        lookahead = gradient + self.momentum * momentum  # Nesterov's momentum
        matrix = keras.ops.reshape(lookahead, (-1, variable.shape[-1]))
        update = self.zeropower_via_newtonschulz5(matrix, self.ns_steps)
        scale = UPDATE_RMS * math.sqrt(max(update.shape))
        self.assign_sub(variable, learning_rate * scale * keras.ops.reshape(update, variable.shape))


def _is_kernel(variable: keras.Variable) -> bool:
    """Return whether a variable is the kernel of a convolution: nothing else here has four axes."""
    return len(variable.shape) == 4
