"""The optimizer: Muon for convolutions, Adam for the rest."""

import math

import keras

UPDATE_SIZE = 0.2  # root mean square of an update's entries, for a learning rate of 1: about Adam's (Liu et al. 2025)


class Muon(keras.optimizers.Muon):
    """Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"), taught to convolutions.

    Each step moves a layer's weights by its momentum made orthogonal, so that all directions learn at one pace, the rare
    ones too. Keras' own does so for matrices alone. A convolution's kernel (height, width, channels in, channels out) is a
    matrix from all that it sees to its channels. Normalisations and the output layer learn by Adam, without weight decay.
    learning_rate: as keras.optimizers.Optimizer's.
    """

    def __init__(self, learning_rate):
        super().__init__(learning_rate, weight_decay=None, adam_weight_decay=0.0)

    def _should_use_adamw(self, variable):
        return len(variable.shape) != 4

    def _muon_update_step(self, gradient, variable, lr, m):
        self.assign_add(m, gradient + m * (self.momentum - 1))
        ahead = keras.ops.reshape(gradient + self.momentum * m, (-1, variable.shape[-1]))  # Nesterov's momentum
        update = self.zeropower_via_newtonschulz5(ahead, self.ns_steps)
        size = UPDATE_SIZE * math.sqrt(max(update.shape))
        self.assign_sub(variable, lr * size * keras.ops.reshape(update, variable.shape))
