"""The number reader's network: fully convolutional, an answer for every fourth pixel, as heat_map describes.

Keras' built-in layers alone, so any program that reads Keras' files reads it. Importing this imports Keras, which takes seconds.
"""

from typing import Any

from digits.model.heat_map import BOX_VALUES, CLASS_COUNT, HAS_BOX, LOSS_WEIGHT, MIN_CENTRE, OUTPUT_COUNT
from digits.model.network import keras, layers  # from there, because it starts TensorFlow quietly and with its settings

# Set by hand, together, and measured as a whole: benchmarks/results/whole_numbers.json, 777 images.
INITIAL_LOGIT = -4.0  # of every class: a probability of 0.02, because few places are the centre of something (Lin et al. 2017)
FOCAL_EXPONENT = 2  # of 1 - the probability of the right answer, in the focal loss; alpha of Zhou et al. 2019
PENALTY_EXPONENT = 4  # of 1 - the Gaussian, which reduces the penalty beside a centre; beta of Zhou et al. 2019
BOX_WEIGHT = 0.5  # weight of the boxes' loss; that of the heat maps is 1
CLASS_WEIGHT = 0.5  # weight of the cross-entropy between the classes at the centres


def build(seed: int) -> keras.Model:
    """Return the untrained network: (N, height, width, 1) -> (N, height / 4, width / 4, 20), float32.

    The input is an image as heat_map.normalise returns it, with sides that are multiples of SIDE_MULTIPLE. The output is, for
    each place, a logit for each class and the box. Three levels of resolution: a quarter of the input's, an eighth with a
    dilated convolution and two residual connections (He et al. 2016) for a wide view, and a quarter again, where both meet.
    The numbers of channels were set by hand and measured as a whole (benchmarks/results/whole_numbers.json, 777 images).
    seed: of the initial weights.
    """
    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None, 1), name="image")
    x = convolution(image, 16, 5, "stem1", strides=2)
    x = convolution(x, 32, 3, "stem2", strides=2)
    fine = convolution(x, 48, 3, "fine")
    coarse = convolution(fine, 96, 3, "coarse1", strides=2)
    coarse = convolution(coarse, 96, 3, "coarse2")
    coarse = layers.Add(name="coarse3_add")([coarse, convolution(coarse, 96, 3, "coarse3", dilation=2)])
    coarse = layers.Add(name="coarse4_add")([coarse, convolution(coarse, 96, 3, "coarse4")])
    # Not UpSampling2D: where the sides are not known before, Keras 3.15.1 exports it with an operation that LiteRT lacks.
    coarse = layers.Conv2DTranspose(48, 2, strides=2, use_bias=False, name="enlarge")(coarse)
    coarse = normalised(coarse, "enlarge")
    x = layers.Concatenate(name="merge")([fine, coarse])
    x = convolution(x, 64, 1, "merge1")
    x = convolution(x, 64, 3, "merge2")
    initial = keras.initializers.Constant(INITIAL_LOGIT)
    classes = layers.Conv2D(CLASS_COUNT, 1, bias_initializer=initial, name="classes")(x)
    boxes = layers.Conv2D(BOX_VALUES, 1, name="boxes")(x)
    return keras.Model(image, layers.Concatenate(name="heat_map")([classes, boxes]), name="number_reader")


def convolution(
    x: keras.KerasTensor,
    filters: int,
    kernel_size: int | tuple[int, int],
    name: str,
    strides: int | tuple[int, int] = 1,
    dilation: int = 1,
) -> keras.KerasTensor:
    """Return the feature maps x convolved, normalised and rectified. filters: channels of the result."""
    x = layers.Conv2D(filters, kernel_size, strides=strides, padding="same", use_bias=False, dilation_rate=dilation, name=name)(x)
    return normalised(x, name)


def normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Return the feature maps x after batch normalisation and rectification. name: begins the names of the layers."""
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def loss(target: Any, answer: Any) -> Any:
    """Return the loss of a batch: one number.

    target: (N, h, w, TARGET_COUNT) float32, as digits.composition makes it. answer: (N, h, w, OUTPUT_COUNT) float32, of the
    network. The sum of the penalty-reduced focal loss of the heat maps, the mean absolute error of the boxes (both as in
    CenterNet, Zhou et al. 2019), and the cross-entropy between the classes at the centres: a focal loss alone separates
    classes that look alike too little.
    """
    ops = keras.ops
    heat, box = target[..., :CLASS_COUNT], target[..., CLASS_COUNT:OUTPUT_COUNT]
    has_box, loss_weight = target[..., HAS_BOX], target[..., LOSS_WEIGHT]
    logits = answer[..., :CLASS_COUNT]
    probability = ops.sigmoid(logits)
    centre = ops.cast(heat >= MIN_CENTRE, "float32")
    log_yes, log_no = -ops.softplus(-logits), -ops.softplus(logits)
    beside = (1 - centre) * (1 - heat) ** PENALTY_EXPONENT
    focal = -(centre * (1 - probability) ** FOCAL_EXPONENT * log_yes + beside * probability**FOCAL_EXPONENT * log_no)
    centres = ops.sum(centre) + 1
    heat_loss = ops.sum(focal * loss_weight[..., None]) / centres
    class_loss = -ops.sum(centre * ops.log_softmax(logits, axis=-1)) / centres
    box_loss = ops.sum(ops.abs(answer[..., CLASS_COUNT:] - box) * has_box[..., None]) / (ops.sum(has_box) + 1)
    return heat_loss + BOX_WEIGHT * box_loss + CLASS_WEIGHT * class_loss


def centre_accuracy(target: Any, answer: Any) -> Any:
    """Return the fraction of the symbols in a batch at whose centres the most probable class is the right one: one number.

    target, answer: as in loss.
    """
    ops = keras.ops
    heat = target[..., :CLASS_COUNT]
    centre = ops.cast(ops.max(heat, axis=-1) >= MIN_CENTRE, "float32")
    right = ops.cast(ops.argmax(heat, axis=-1) == ops.argmax(answer[..., :CLASS_COUNT], axis=-1), "float32")
    return ops.sum(centre * right) / ops.maximum(ops.sum(centre), 1)
