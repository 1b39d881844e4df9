"""The line reader's network: a text line -> which symbol each of its columns shows, or none.

It is trained with connectionist temporal classification (CTC; Graves et al. 2006), so no place of a symbol has to be known.
Keras' built-in layers alone, so any program that reads Keras' files reads it. Importing this imports Keras, which takes seconds.
"""

from typing import Any

from digits.model.line_image import COLUMN_STRIDE, LINE_HEIGHT, NO_SYMBOL, PADDING
from digits.model.network import keras, layers  # from there, because it starts TensorFlow quietly and with its settings
from digits.model.number_network import convolution, normalised

# Set by hand, together, and measured as a whole: benchmarks/results/whole_numbers.json, 777 images.
DROPOUT_RATE = 0.1  # fraction of the last features hidden while learning


def build(seed: int) -> keras.Model:
    """Return the untrained network: (N, 32, width, 1) -> (N, width / 2, 17), float32.

    The input is a line as line_image returns it, the width a multiple of COLUMN_STRIDE; the output, for each column, a logit for
    each class of heat_map and one for no symbol. The height is halved until one row is left, the width once, so that there is a
    column between two narrow digits. Two residual connections (He et al. 2016). The numbers of channels were set by hand and
    measured as a whole (benchmarks/results/whole_numbers.json, 777 images). seed: of the initial weights.
    """
    keras.utils.set_random_seed(seed)
    image = keras.Input((LINE_HEIGHT, None, 1), name="line")
    x = convolution(image, 24, 5, "stem", strides=COLUMN_STRIDE)
    x = convolution(x, 48, 3, "half", strides=(2, 1))
    x = convolution(x, 64, 3, "half2")
    x = convolution(x, 96, 3, "quarter", strides=(2, 1))
    x = layers.Add(name="quarter2_add")([x, convolution(x, 96, 3, "quarter2")])
    x = layers.ZeroPadding2D(((0, 0), (1, 1)), name="pad")(x)
    x = layers.Conv2D(112, (LINE_HEIGHT // 8, 3), use_bias=False, name="collapse")(x)  # all rows together
    x = normalised(x, "collapse")
    x = layers.Add(name="columns_add")([x, convolution(x, 112, (1, 5), "columns")])
    x = layers.Dropout(DROPOUT_RATE, name="dropout")(x)
    x = layers.Conv2D(NO_SYMBOL + 1, 1, name="classes")(x)
    return keras.Model(image, layers.Reshape((-1, NO_SYMBOL + 1), name="columns_of_logits")(x), name="line_reader")


def loss(target: Any, answer: Any) -> Any:
    """Return the CTC loss of a batch, the mean of its rows: one number.

    target: (N, length) int32, the classes of a row's symbols from left to right, then PADDING. answer: (N, columns, 17) float32,
    of the network.
    """
    ops = keras.ops
    lengths = ops.sum(ops.cast(target != PADDING, "int32"), axis=-1)
    columns = ops.full((ops.shape(answer)[0],), ops.shape(answer)[1], dtype="int32")
    symbols = ops.where(target == PADDING, 0, ops.cast(target, "int32"))
    return ops.mean(ops.ctc_loss(symbols, answer, lengths, columns, mask_index=NO_SYMBOL))


def exact_rows(target: Any, answer: Any) -> Any:
    """Return the fraction of the rows in a batch whose most probable symbols are the right ones: one number.

    target, answer: as in loss.
    """
    ops = keras.ops
    rows, columns = ops.shape(answer)[0], ops.shape(answer)[1]
    lengths = ops.full((rows,), columns, dtype="int32")
    decoded = ops.ctc_decode(answer, lengths, strategy="greedy", mask_index=NO_SYMBOL)[0][0]
    padded = ops.full((rows, columns), PADDING, dtype="int32")
    length = ops.shape(target)[1]
    padded = ops.concatenate([ops.cast(target, "int32"), padded[:, length:]], axis=1)
    return ops.mean(ops.cast(ops.all(decoded == padded, axis=-1), "float32"))
