"""The optimizer: Muon for convolutions, Adam for the rest."""

import math

import keras

UPDATE_SIZE = 0.2  # root mean square of an update's entries, for a learning rate of 1: about Adam's (Liu et al. 2025)


class Muon(keras.optimizers.Muon):
    """Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"), for convolutions.

    Each step moves a layer's weights by their momentum, made orthogonal: so all directions learn at one pace, rare ones too.
    Keras' own Muon does so for matrices alone. Here a convolution's kernel (height, width, channels in, channels out) counts
    as a matrix, from all that one output sees to the channels of that output. Everything else, such as normalisations and
    dense layers, learns by Adam, without weight decay. learning_rate: a float, or a keras LearningRateSchedule.
    """

    def __init__(self, learning_rate):
        super().__init__(learning_rate, weight_decay=None, adam_weight_decay=0.0)

    def _should_use_adamw(self, variable):
        """Keras asks this of each variable. Only convolutions' kernels have four axes."""
        return len(variable.shape) != 4

    def _muon_update_step(self, gradient, variable, lr, m):
        """Keras calls this for each kernel, with the learning rate and the momentum so far, a variable like the kernel."""
        self.assign_add(m, gradient + m * (self.momentum - 1))
        ahead = keras.ops.reshape(gradient + self.momentum * m, (-1, variable.shape[-1]))  # Nesterov's momentum
        update = self.zeropower_via_newtonschulz5(ahead, self.ns_steps)
        size = UPDATE_SIZE * math.sqrt(max(update.shape))
        self.assign_sub(variable, lr * size * keras.ops.reshape(update, variable.shape))
