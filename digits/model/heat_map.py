"""The number reader's heat map: its classes, its geometry, and the form in which the network sees an image.

digits.composition writes such maps as targets, number_network answers with them, and number_reader reads them. Each place of a
map stands for STRIDE x STRIDE pixels of the network's input. It says how likely the centre of a digit, a mark or other ink is
there, and how large that is.
"""

import cv2
import numpy as np

from digits.common.config import MARKS, NUM_CLASSES

# The classes: 0 to 9 for the digits, then the marks in the order of MARKS, then ink that is neither.
POINT, COMMA, MINUS, SLASH, COLON = range(NUM_CLASSES, NUM_CLASSES + len(MARKS))
OTHER_INK = NUM_CLASSES + len(MARKS)
CLASS_COUNT = OTHER_INK + 1
CHARACTERS = "".join(map(str, range(NUM_CLASSES))) + MARKS  # in the order of the classes; other ink has none
CLASS_NAMES = [*CHARACTERS, "other ink"]  # as cards name the classes
BOX_VALUES = 4  # log width and log height in units of BOX_UNIT; the centre's offset to the right and down, in places
OUTPUT_COUNT = CLASS_COUNT + BOX_VALUES  # values at each place of the network's answer: a logit for each class, then the box
# A target has the same values, with Gaussians from 0 to 1 in place of the logits, and two more.
HAS_BOX = OUTPUT_COUNT  # 1 where the target's box is to be learned, else 0
LOSS_WEIGHT = OUTPUT_COUNT + 1  # weight of the place in the loss of the classes: 0 where any answer is right, else 1
TARGET_COUNT = OUTPUT_COUNT + 2
# A place is a centre where the target reaches this: the centre is 1, the place beside it at most 0.9988, in float16 0.9990.
MIN_CENTRE = 0.9995

# Pixels of the input from one place to the next: the network halves its input twice; a narrow digit, 12 wide, has three places.
STRIDE = 4
BOX_UNIT = 16.0  # pixels: about the shortest digit, so that the logarithms of all sizes lie near 0
SIDE_MULTIPLE = 8  # pixels: the network halves its input three times, so its sides are multiples of this
# Pixels, heights of the digits that the network learns: a little more than an octave, so that an image pyramid with a step of
# 1.5 shows each digit at two scales or more within them.
MIN_DIGIT_HEIGHT, MAX_DIGIT_HEIGHT = 16.0, 39.0

NEIGHBOURHOOD_SIZE = 49  # pixels: a quarter more than the tallest digit, so that some paper is always within
MIN_STD = 4.0  # grey levels: that of a noisy sensor, so that blank paper is not stretched to full contrast
MAX_DEVIATION = 4.0  # standard deviations: a black desk beside white paper reaches it, and more adds no information


def normalise(grey: np.ndarray) -> np.ndarray:
    """Return the image with a local mean of 0 and a local standard deviation of about 1, (height, width) float32, -4 to 4.

    grey: (height, width) uint8 or float32, 0 to 255. Local contrast normalisation (Jarrett et al. 2009) with a box as the
    neighbourhood: the time that box filters take does not depend on its size.
    """
    image = grey.astype(np.float32)
    size = (NEIGHBOURHOOD_SIZE, NEIGHBOURHOOD_SIZE)
    centred = image - cv2.blur(image, size, borderType=cv2.BORDER_REFLECT)
    variance = cv2.blur(centred * centred, size, borderType=cv2.BORDER_REFLECT)
    return np.clip(centred / np.sqrt(variance + MIN_STD**2), -MAX_DEVIATION, MAX_DEVIATION)
