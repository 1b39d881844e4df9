"""Pages with handwriting that are drawn by code: MNIST's digits with different pens, papers, lights and desks.

    page(write([[digit, digit], [digit]]), ...)     an image of ink on paper, (height, width, 3) uint8 RGB
    CONDITIONS[name](rows, seed)                    the same under one of the named conditions

rows: of each text line its MNIST digits, (28, 28) uint8, white on black. Coverage: (height, width) float32, 0 paper to 1 ink.
"""

import gzip

import cv2
import numpy as np

SIZE = (420, 600)  # height and width of a page, pixels


# ---- ink ------------------------------------------------------------------------------------------------------


def mnist_digits(folder, count):
    """Return the first of MNIST's training digits, (count, 28, 28) uint8, from the folder with its files."""
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        return np.frombuffer(file.read(16 + count * 28 * 28), np.uint8, offset=16).reshape(count, 28, 28)


def pen(digit, height, stroke=None):
    """Return one digit's coverage, cropped to its bounding box. height, stroke (the pen's width; None: MNIST's own): pixels."""
    scale = height / cv2.boundingRect((digit > 127).astype(np.uint8))[3]
    digit = np.pad(digit, 8)  # room for a pen that is wider than MNIST's
    size = [round(len(digit) * scale)] * 2
    if stroke is None:
        large = cv2.resize(digit.astype(np.float32) / 255, size, interpolation=cv2.INTER_CUBIC)
        coverage = 0.5 + (large - 0.5) * scale
    else:
        skeleton = _thin(cv2.resize(digit, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC) > 127)
        distance = cv2.distanceTransform((~skeleton).astype(np.uint8), cv2.DIST_L2, 5) * (scale / 4)
        coverage = 0.5 + stroke / 2 - cv2.resize(distance, size, interpolation=cv2.INTER_CUBIC)
    coverage = np.clip(coverage, 0, 1)
    x, y, width, height = cv2.boundingRect((coverage > 0).astype(np.uint8))
    return coverage[y : y + height, x : x + width].astype(np.float32)


def write(rows, size=SIZE, height=110, stroke=None, slope=0.0):
    """Return the coverage of a page with these text lines in its middle. slope: pixels down for each one across."""
    coverage = np.zeros(size, np.float32)
    gap = round(0.3 * height)
    for i, row in enumerate(rows):
        digits = [pen(digit, height, stroke) for digit in row]
        x = (size[1] - sum(digit.shape[1] + gap for digit in digits) + gap) // 2
        y = size[0] // 2 + round((i - len(rows) / 2) * 1.5 * height + 0.25 * height)
        for digit in digits:
            top = y + round(slope * (x - size[1] / 2))
            place = coverage[top : top + digit.shape[0], x : x + digit.shape[1]]
            np.maximum(place, digit[: place.shape[0], : place.shape[1]], out=place)
            x += digit.shape[1] + gap
    return coverage


def _thin(ink):
    """Return the skeleton of a bool image (Zhang and Suen 1984)."""
    ink = np.pad(ink, 1).astype(np.uint8)
    before = None
    while before is None or (before != ink).any():
        before = ink.copy()
        for half in (0, 1):
            ring = [np.roll(ink, shift, (0, 1)) for shift in
                    ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))]  # fmt: skip
            count = sum(ring)
            turns = sum((ring[i] == 0) & (ring[(i + 1) % 8] == 1) for i in range(8))
            north, east, south, west = ring[::2]
            corner = (east * south * (north | west)) if half == 0 else (north * west * (east | south))
            ink[(ink == 1) & (count >= 2) & (count <= 6) & (turns == 1) & (corner == 0)] = 0
    return ink[1:-1, 1:-1].astype(bool)


def pencil(coverage, seed=0):
    """Return the coverage of a pencil, through which the grain of the paper shows."""
    tooth = np.random.default_rng(seed).normal(0.7, 0.35, coverage.shape).astype(np.float32)
    return coverage * np.clip(cv2.GaussianBlur(tooth, (0, 0), 0.8), 0.15, 1)


# ---- lines: coverage maps -------------------------------------------------------------------------------------


def ruled(size=SIZE, spacing=48, width=2, across=False, offset=20):
    """Return the coverage of horizontal ruled lines; with across=True of a grid. All in pixels."""
    lines = np.zeros(size, np.float32)
    for start in range(width):
        lines[offset + start :: spacing] = 1
        if across:
            lines[:, offset + start :: spacing] = 1
    return lines


def dotted(size=SIZE, spacing=48, width=3, step=10):
    """Return the coverage of horizontal dotted lines, in pixels."""
    lines = ruled(size, spacing, width)
    return lines * (np.arange(size[1]) % step < width)


def cell(size=SIZE, margin=30, width=4):
    """Return the coverage of a form cell's printed border. margin: from there to the page's edges. All in pixels."""
    lines = np.zeros(size, np.float32)
    cv2.rectangle(lines, (margin, margin), (size[1] - margin, size[0] - margin), 1.0, width)
    return lines


def aslant(lines, degrees):
    """Return the lines rotated by some degrees, as on a page that was not held straight."""
    height, width = lines.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(lines, turn, (width, height), borderMode=cv2.BORDER_REFLECT)


def neighbours(size=SIZE, width=9):
    """Return the coverage of strokes that the image's border cuts off, of what is written next to it."""
    strokes = np.zeros(size, np.float32)
    cv2.ellipse(strokes, (size[1] + 25, size[0] // 3), (50, 70), 0, 0, 360, 1.0, width)
    cv2.line(strokes, (size[1] // 4, size[0] + 10), (size[1] // 4 + 30, size[0] - 35), 1.0, width)
    return strokes


# ---- light: factors of brightness, (height, width) float32 ----------------------------------------------------


def gradient(size=SIZE, darkest=0.45):
    """Return light that becomes weaker smoothly from the upper left to the lower right."""
    y, x = np.mgrid[0 : 1 : size[0] * 1j, 0 : 1 : size[1] * 1j]
    return (1 - (1 - darkest) * (0.4 * y + 0.6 * x)).astype(np.float32)


def vignette(size=SIZE, darkest=0.4):
    """Return light that becomes weaker from the middle to the corners."""
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    return (1 - (1 - darkest) * (x * x + y * y) / 2).astype(np.float32)


def phone_shadow(size=SIZE, darkness=0.5, softness=3):
    """Return the shadow of a phone and a hand at the image's border. softness: the width of its edge, pixels."""
    shadow = np.zeros(size, np.float32)
    height, width = size
    outline = [(0.25, 1.1), (0.3, 0.55), (0.62, 0.45), (0.7, 0.8), (1.1, 0.75), (1.1, 1.1)]
    cv2.fillPoly(shadow, [np.array([(x * width, y * height) for x, y in outline], np.int32)], 1.0)
    return 1 - (1 - darkness) * cv2.GaussianBlur(shadow, (0, 0), softness)


def folds(size=SIZE, depth=0.2):
    """Return light on a sheet that was folded twice: each crease has a dark and a bright side."""
    light = np.ones(size, np.float32)
    for axis, length in enumerate(size):
        side = np.arange(length) - 0.47 * length
        crease = depth * np.tanh(side / 3) * np.exp(-np.abs(side) / (0.12 * length))
        light *= 1 - np.expand_dims(crease, 1 - axis).astype(np.float32)
    return light


# ---- the page -------------------------------------------------------------------------------------------------


def page(coverage, paper=(238, 236, 230), ink=(40, 45, 70), lines=None, line_ink=(150, 170, 210), light=1.0,
         grain=3.0, seed=0):  # fmt: skip
    """Return an image, (height, width, 3) uint8 RGB, of ink on lines on paper in this light. grain: its noise, grey levels."""
    pixels = np.broadcast_to(np.float32(paper), (*coverage.shape, 3))
    for layer, colour in ((lines, line_ink), (coverage, ink)):
        if layer is not None:
            pixels = pixels * (1 - layer[..., None]) + np.float32(colour) * layer[..., None]
    pixels = cv2.GaussianBlur(pixels * np.atleast_3d(np.float32(light)), (0, 0), 0.7)
    noise = np.random.default_rng(seed).normal(0, max(grain, 1e-6), coverage.shape).astype(np.float32)
    return np.clip(pixels + noise[..., None], 0, 255).astype(np.uint8)


def on_desk(sheet, desk=(95, 65, 45), texture=12.0, seed=0):
    """Return the sheet in perspective on a desk of streaky wood. sheet: RGB uint8; desk: RGB; texture: grey levels."""
    height, width = sheet.shape[:2]
    streaks = np.random.default_rng(seed).normal(0, texture, (height, width)).astype(np.float32)
    streaks = cv2.GaussianBlur(streaks, (0, 0), sigmaX=25, sigmaY=1.2)
    streaks *= texture / max(float(streaks.std()), 1e-6)
    wood = np.clip(np.float32(desk) + streaks[..., None], 0, 255).astype(np.uint8)
    corners = np.float32([(0, 0), (width, 0), (width, height), (0, height)])
    seen = np.float32(corners * 0.86 + np.float32([(0.12, 0.05), (0.05, 0.1), (0.08, 0.04), (0.04, 0.11)]) * (width, height))
    turn = cv2.getPerspectiveTransform(corners, seen)
    mask = cv2.warpPerspective(np.ones((height, width), np.float32), turn, (width, height), flags=cv2.INTER_LINEAR)
    lying = cv2.warpPerspective(sheet, turn, (width, height), flags=cv2.INTER_LINEAR)
    return np.clip(lying + wood * (1 - mask[..., None]), 0, 255).astype(np.uint8)


def as_jpeg(pixels, quality=35):
    """Return the pixels after JPEG compression of this quality, 1 to 100."""
    return cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


# name -> function of (rows of digits, seed) -> (height, width, 3) uint8 RGB
CONDITIONS = {
    "plain": lambda rows, seed: page(write(rows), seed=seed),
    "hairline": lambda rows, seed: page(write(rows, stroke=3), seed=seed),
    "brush": lambda rows, seed: page(write(rows, height=200, stroke=44), seed=seed),
    "sloping": lambda rows, seed: page(write(rows, slope=0.15), seed=seed),
    "small": lambda rows, seed: page(write(rows, height=36, stroke=3), seed=seed),
    "gradient": lambda rows, seed: page(write(rows), ink=(110, 110, 115), light=gradient(), grain=4, seed=seed),
    "vignette": lambda rows, seed: page(write(rows), ink=(110, 110, 115), light=vignette(), grain=4, seed=seed),
    "soft shadow": lambda rows, seed: page(write(rows), light=phone_shadow(softness=25), seed=seed),
    "hard shadow": lambda rows, seed: page(write(rows), light=phone_shadow(), seed=seed),
    "deep shadow": lambda rows, seed: page(write(rows, stroke=6), light=phone_shadow(darkness=0.3), seed=seed),
    "folds": lambda rows, seed: page(write(rows, stroke=5), light=folds(), seed=seed),
    "grain": lambda rows, seed: page(write(rows), ink=(120, 120, 125), grain=15, seed=seed),
    "jpeg": lambda rows, seed: as_jpeg(page(write(rows, stroke=5), ink=(130, 130, 140), grain=5, seed=seed), 15),
    "coloured paper": lambda rows, seed: page(write(rows), (240, 190, 60), (160, 40, 50), seed=seed),
    "ruled": lambda rows, seed: page(write(rows, stroke=7), lines=ruled(), seed=seed),
    "dark ruled": lambda rows, seed: page(write(rows, stroke=7), lines=ruled(), line_ink=(60, 60, 80), seed=seed),
    "aslant ruled": lambda rows, seed: page(write(rows, stroke=7), lines=aslant(ruled(), 2.0), line_ink=(60, 60, 80),
                                            seed=seed),
    "grid": lambda rows, seed: page(write(rows, stroke=7), lines=ruled(spacing=30, across=True), seed=seed),
    "dark grid": lambda rows, seed: page(write(rows, stroke=7), lines=ruled(spacing=60, across=True),
                                         line_ink=(90, 90, 110), seed=seed),
    "dotted": lambda rows, seed: page(write(rows, stroke=7), lines=dotted(), line_ink=(90, 90, 110), seed=seed),
    "cell": lambda rows, seed: page(write(rows), lines=cell(), line_ink=(40, 40, 40), seed=seed),
    "touching cell": lambda rows, seed: page(write(rows, height=330 if len(rows) == 1 and len(rows[0]) == 1 else 110),
                                             lines=cell(margin=55), line_ink=(40, 40, 40), seed=seed),
    "board": lambda rows, seed: page(pencil(write(rows), seed), (35, 60, 50), (225, 225, 215), grain=5, seed=seed),
    "faint pencil": lambda rows, seed: page(pencil(write(rows, stroke=5), seed), ink=(165, 165, 168), light=gradient(
        darkest=0.7), grain=4, seed=seed),
    "desk": lambda rows, seed: on_desk(page(write(rows), seed=seed), seed=seed),
    "bright desk": lambda rows, seed: on_desk(page(write(rows, stroke=6), (190, 190, 188), seed=seed),
                                              (235, 225, 215), 5, seed),
    "pencil on a desk": lambda rows, seed: on_desk(
        page(pencil(write(rows, stroke=5), seed), (205, 205, 200), (140, 140, 142), seed=seed), seed=seed),
    "neighbours": lambda rows, seed: page(np.maximum(write(rows), neighbours()), seed=seed),
}  # fmt: skip
