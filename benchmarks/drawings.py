"""Images without a digit: letters, other scripts, scribbles, shapes, objects, empty paper, noise, textures.

Letters and drawings are first ink: (SIDE, SIDE) float32, from 0 (paper) to 1 (fully inked), made with a font or a pen. on_paper
turns it into a Pillow image of some size with paper, light and noise. The other images are made directly. Every function takes
a numpy Generator; the same state, and the same fonts, give the same images.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 256  # pixels of the canvas on which ink is made
IMAGE_SIDES = (28, 64, 128, 256, 512)  # pixels of the images: miniatures, drawings, cropped photographs

# ---- fonts --------------------------------------------------------------------------------------------------------

LETTERS = "ACEFHKMNPRTUVWX"  # capitals that no digit looks like
# A font counts as handwriting when its file's name begins with one of these. All are in Debian: fonts-breip, fonts-bwht,
# fonts-comic-neue, fonts-dancingscript, fonts-humor-sans, fonts-kaushanscript, fonts-klee, fonts-kristi, fonts-nanum,
# fonts-nanum-extra, fonts-rufscript, fonts-sjfonts, fonts-thai-tlwg, fonts-yusei-magic. Left out are
# fonts whose capitals are outlines or have doubled strokes (femkeklaver, dkg, BecauseWeBuild) or are ornate (Ecolier).
HANDWRITING = (
    "BecauseWeC", "BecauseWeL", "BecauseWeM", "BecauseWeO", "Breip", "ComicNeue-Light", "ComicNeue-Regular", "DancingScript-R",
    "Delphine", "Humor-Sans", "KaushanScript", "KleeOne", "Kristi", "NanumBarunpenR", "NanumBrush", "NanumPen", "Purisa",
    "Rufscript", "SteveHand", "YuseiMagic",
)  # fmt: skip
# Characters of each script, without those that resemble a digit, O or l.
SCRIPTS = {
    "Greek": "ΔΛΞΠΣΨΩηκλμπψω",
    "Cyrillic": "ДЖИЙЛПШЩЯ",
    "Hebrew": "אחמצשתה",
    "Arabic": "سشصضطظكثي",
    "Devanagari": "कखगघचजझणतथधनपफबभमयलवशषसह",
    "Thai": "กฆญฐณธผฝพฟภมยสหฬฮ",
    "Hangul": "글한국말집꽃별길숲봄강산봉흙밭",
    "kana": "あおかきけすせたなぬねはほまむめもやゆれをエオカキケサネホムモヲ",
    "Chinese": "永東国語書道水木火金土山大天心手花春夏秋冬見車馬魚",
}


def find_fonts(folder=None):
    """Return {path: set of its characters} of the outline fonts in the folder, or of those installed, sorted by path."""
    from matplotlib import font_manager, ft2font

    fonts = {}
    for path in sorted(font_manager.findSystemFonts([folder] if folder else None)):
        try:
            fonts[path] = {chr(code) for code in ft2font.FT2Font(path).get_charmap()}
            ImageFont.truetype(path, 20)
        except (OSError, RuntimeError):
            fonts.pop(path, None)  # damaged, or of bitmaps
    return fonts


def fonts_for(characters, fonts):
    """Return the fonts that have all the characters: those that look like handwriting, or all of them where there are none."""
    able = [path for path, known in fonts.items() if set(characters) <= known]
    return [path for path in able if Path(path).name.startswith(HANDWRITING)] or able


def written(character, font_path, rng):
    """Return the ink of a font's character, with random slant, elastic distortion and stroke width, as a hand would write it."""
    font = ImageFont.truetype(font_path, 160)
    canvas = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(canvas).text((SIDE / 2, SIDE / 2), character, fill=255, font=font, anchor="mm")
    ink = np.asarray(canvas, np.float32) / 255
    x, y, width, height = cv2.boundingRect((ink > 0.5).view(np.uint8))
    if max(width, height) == 0:
        raise ValueError(f"{font_path} draws nothing for {character!r}")
    # Fonts differ in the size of their letters: all are scaled to one size and centred.
    zoom = 0.6 * SIDE / max(width, height)
    warp = np.array([[zoom, 0, SIDE / 2 - zoom * (x + width / 2)], [0, zoom, SIDE / 2 - zoom * (y + height / 2)]])
    ink = cv2.warpAffine(ink, warp, ink.shape, flags=cv2.INTER_CUBIC)
    return _by_hand(_other_width(ink, rng), rng)


def _other_width(ink, rng):
    """Return the ink with its strokes a few pixels thicker or a little thinner."""
    change = int(rng.integers(-2, 6))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, [abs(change) + 1] * 2)
    changed = cv2.dilate(ink, kernel) if change > 0 else cv2.erode(ink, kernel)
    return changed if changed.sum() > 0.7 * ink.sum() else ink  # a hairline is not made thinner still


def _by_hand(ink, rng):
    """Return the ink slanted, turned, stretched, and bent by a smooth random displacement (Simard et al. 2003)."""
    angle, slant = np.deg2rad(rng.uniform(-10, 10)), rng.uniform(-0.3, 0.3)
    stretch = np.diag(np.exp(rng.uniform(-0.15, 0.15, 2)))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1, slant], [0, 1]]) @ stretch / rng.uniform(0.8, 1.15)
    y, x = np.mgrid[0:SIDE, 0:SIDE] - SIDE / 2
    bend = 0.02 * SIDE * rng.standard_normal((2, 5, 5)).astype(np.float32)
    bend_x, bend_y = (cv2.resize(field, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for field in bend)
    map_x = matrix[0, 0] * x + matrix[0, 1] * y + bend_x + SIDE / 2
    map_y = matrix[1, 0] * x + matrix[1, 1] * y + bend_y + SIDE / 2
    return np.clip(cv2.remap(ink, map_x.astype(np.float32), map_y.astype(np.float32), cv2.INTER_LINEAR), 0, 1)


# ---- a pen --------------------------------------------------------------------------------------------------------
# A drawing is a list of strokes, each a list of points x, y in 0 to 1, y downwards.


def pen(strokes, rng, filled=False):
    """Return the ink of strokes drawn by hand with a pen of random width. filled: closed strokes are filled."""
    ink = np.zeros((SIDE, SIDE), np.uint8)
    width = int(rng.integers(4, 17))
    for stroke in strokes:
        points = np.round((0.18 + 0.64 * np.asarray(stroke)) * SIDE * 16).astype(np.int32)  # 4 binary places
        if filled:
            cv2.fillPoly(ink, [points], 255, cv2.LINE_AA, shift=4)
        cv2.polylines(ink, [points], False, 255, width, cv2.LINE_AA, shift=4)
    return _by_hand(np.float32(ink) / 255, rng)


def arc(x, y, radius_x, radius_y, start=0.0, stop=360.0):
    """Return the points of an ellipse's arc, from start to stop in degrees, clockwise from the right."""
    angles = np.deg2rad(np.linspace(start, stop, 40))
    return np.stack([x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)], axis=1)


def closed(*corners):
    """Return the corners with the first repeated at the end."""
    return [*corners, corners[0]]


def _star(points, inner):
    """Return a closed star. inner: the radius of its inner corners, as a fraction of the radius of its points."""
    angles = np.pi * np.arange(2 * points + 1) / points - np.pi / 2
    radius = np.where(np.arange(2 * points + 1) % 2, 0.5 * inner, 0.5)
    return np.stack([0.5 + radius * np.cos(angles), 0.5 + radius * np.sin(angles)], axis=1)


def _heart():
    """Return a closed heart."""
    t = np.linspace(0, 2 * np.pi, 60)
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([0.5 + np.sin(t) ** 3 / 2, 0.5 + y / 34], axis=1)


# There is no circle and no bar: they are a 0 and a 1.
SHAPES = {
    "triangle": [closed((0.5, 0.05), (0.98, 0.95), (0.02, 0.95))],
    "square": [closed((0.05, 0.05), (0.95, 0.05), (0.95, 0.95), (0.05, 0.95))],
    "diamond": [closed((0.5, 0.0), (0.95, 0.5), (0.5, 1.0), (0.05, 0.5))],
    "star": [_star(5, 0.4)],
    "pentagram": [_star(5, 1.0)[[0, 4, 8, 2, 6, 0]]],
    "heart": [_heart()],
    "arrow": [[(0, 0.5), (1, 0.5)], [(0.65, 0.2), (1, 0.5), (0.65, 0.8)]],
    "arrow up": [[(0.5, 1), (0.5, 0)], [(0.15, 0.35), (0.5, 0), (0.85, 0.35)]],
    "plus": [[(0.5, 0), (0.5, 1)], [(0, 0.5), (1, 0.5)]],
    "cross": [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
    "check mark": [[(0, 0.6), (0.35, 1), (1, 0)]],
    "asterisk": [[(0.5, 0), (0.5, 1)], [(0.07, 0.25), (0.93, 0.75)], [(0.93, 0.25), (0.07, 0.75)]],
    "hash": [[(0.35, 0), (0.25, 1)], [(0.75, 0), (0.65, 1)], [(0.05, 0.35), (0.95, 0.35)], [(0.05, 0.68), (0.95, 0.68)]],
}
SOLID = ("triangle", "square", "diamond", "star", "heart")  # also drawn filled

OBJECTS = {
    "house": [
        closed((0.1, 0.45), (0.9, 0.45), (0.9, 1), (0.1, 1)), [(0, 0.48), (0.5, 0), (1, 0.48)],
        [(0.42, 1), (0.42, 0.7), (0.6, 0.7), (0.6, 1)], closed((0.2, 0.58), (0.34, 0.58), (0.34, 0.72), (0.2, 0.72)),
    ],
    "face": [
        arc(0.5, 0.5, 0.48, 0.5), arc(0.33, 0.38, 0.05, 0.06), arc(0.67, 0.38, 0.05, 0.06), arc(0.5, 0.58, 0.25, 0.2, 10, 170),
    ],
    "tree": [
        [(0.44, 1), (0.44, 0.6)], [(0.56, 1), (0.56, 0.6)], arc(0.5, 0.32, 0.22, 0.3), arc(0.25, 0.45, 0.22, 0.17),
        arc(0.75, 0.45, 0.22, 0.17),
    ],
    "fir": [closed((0.5, 0), (0.75, 0.35), (0.25, 0.35)), closed((0.5, 0.25), (0.9, 0.8), (0.1, 0.8)), [(0.5, 0.8), (0.5, 1)]],
    "fish": [
        arc(0.4, 0.5, 0.4, 0.24), closed((0.78, 0.5), (1, 0.25), (1, 0.75)), arc(0.18, 0.44, 0.03, 0.03),
        arc(0.15, 0.5, 0.2, 0.2, -50, 50),
    ],
    "cup": [[(0.1, 0.2), (0.16, 0.9), (0.64, 0.9), (0.7, 0.2)], arc(0.4, 0.2, 0.3, 0.08), arc(0.69, 0.5, 0.25, 0.2, -90, 90)],
    "car": [
        closed((0.02, 0.75), (0.02, 0.52), (0.22, 0.48), (0.34, 0.25), (0.68, 0.25), (0.8, 0.48), (0.98, 0.55), (0.98, 0.75)),
        arc(0.25, 0.77, 0.11, 0.11), arc(0.76, 0.77, 0.11, 0.11), [(0.51, 0.25), (0.51, 0.5)], [(0.25, 0.5), (0.8, 0.5)],
    ],
    "sun": [arc(0.5, 0.5, 0.22, 0.22)] + [
        [(0.5 + 0.3 * np.cos(a), 0.5 + 0.3 * np.sin(a)), (0.5 + 0.48 * np.cos(a), 0.5 + 0.48 * np.sin(a))]
        for a in np.linspace(0, 2 * np.pi, 9)[:-1]
    ],
    "flower": [arc(0.5, 0.3, 0.09, 0.09)] + [
        arc(0.5 + 0.18 * np.cos(a), 0.3 + 0.18 * np.sin(a), 0.1, 0.1) for a in np.linspace(0, 2 * np.pi, 6)[:-1]
    ] + [[(0.5, 0.55), (0.5, 1)], arc(0.62, 0.78, 0.12, 0.06)],
    "boat": [
        closed((0.02, 0.7), (0.98, 0.7), (0.8, 0.95), (0.2, 0.95)), [(0.5, 0.7), (0.5, 0.02)],
        closed((0.54, 0.08), (0.9, 0.6), (0.54, 0.6)),
    ],
    "envelope": [closed((0, 0.2), (1, 0.2), (1, 0.85), (0, 0.85)), [(0, 0.2), (0.5, 0.58), (1, 0.2)]],
    "cat": [
        arc(0.5, 0.58, 0.38, 0.38), [(0.17, 0.4), (0.16, 0.05), (0.38, 0.23)], [(0.62, 0.23), (0.84, 0.05), (0.83, 0.4)],
        [(0.5, 0.6), (0.5, 0.7)], [(0.45, 0.62), (0.05, 0.55)], [(0.45, 0.66), (0.05, 0.7)], [(0.55, 0.62), (0.95, 0.55)],
        [(0.55, 0.66), (0.95, 0.7)], arc(0.36, 0.48, 0.04, 0.04), arc(0.64, 0.48, 0.04, 0.04),
    ],
    "umbrella": [
        arc(0.5, 0.5, 0.48, 0.45, 180, 360), [(0.02, 0.5), (0.98, 0.5)], [(0.5, 0.05), (0.5, 0.85)],
        arc(0.6, 0.85, 0.1, 0.12, 0, 180),
    ],
    "person": [
        arc(0.5, 0.14, 0.13, 0.13), [(0.5, 0.27), (0.5, 0.65)], [(0.15, 0.3), (0.5, 0.42), (0.85, 0.3)],
        [(0.2, 1), (0.5, 0.65), (0.8, 1)],
    ],
    "ladder": [[(0.25, 0), (0.2, 1)], [(0.75, 0), (0.8, 1)]] + [
        [(0.24 - y / 25, y), (0.76 + y / 25, y)] for y in (0.12, 0.32, 0.52, 0.72, 0.92)
    ],
}  # fmt: skip


def scribble(rng):
    """Return the strokes of a scribble: a tangle, a zigzag, a coil, a hatching or wavy strokes."""
    kind = rng.integers(5)
    t = np.linspace(0, 1, 300)
    if kind == 0:  # a tangle: a sum of slow oscillations
        waves = rng.normal(0, 1, (2, 6, 1)) * np.cos(2 * np.pi * (np.arange(2, 8)[:, None] * t + rng.random((2, 6, 1))))
        path = waves.sum(axis=1)
        low, high = path.min(axis=1, keepdims=True), path.max(axis=1, keepdims=True)
        return [((path - low) / (high - low)).T]
    if kind == 1:  # a zigzag, as in struck-out text
        corners = int(rng.integers(9, 18))
        swing = rng.uniform(0.25, 0.5, corners) * (-1) ** np.arange(corners)
        return [np.stack([np.linspace(0, 1, corners), 0.5 + swing], axis=1)]
    if kind == 2:  # a coil
        turns, reach = rng.integers(5, 9), rng.uniform(0.15, 0.4)
        angle = 2 * np.pi * turns * t
        return [np.stack([0.15 + 0.7 * t + 0.15 * np.cos(angle), 0.5 + reach * np.sin(angle)], axis=1)]
    if kind == 3:  # a hatching in two directions: in one direction it would be a row of ones
        lines = [[(x + rng.normal(0, 0.02), 0), (x - 0.25 + rng.normal(0, 0.02), 1)] for x in np.linspace(0.25, 1, 7)]
        return lines + [[(y, x) for x, y in line] for line in lines]
    strokes = []  # several wavy strokes across each other
    for _ in range(rng.integers(4, 8)):
        start, stop = rng.random((2, 2))
        wave = 0.08 * np.sin(2 * np.pi * rng.integers(1, 4) * t)[:, None] * rng.choice([-1, 1], 2)
        strokes.append(start + (stop - start) * t[:, None] + wave)
    return strokes


# ---- paper --------------------------------------------------------------------------------------------------------


def light(side, rng):
    """Return smooth light on a page, (side, side, 1) float32 around 1: a slope and a soft shadow."""
    coarse = 1 + rng.uniform(0, 0.1) * rng.standard_normal((3, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), 0.5, 1.3)[..., None]


def paper(side, rng):
    """Return an empty page, (side, side, 3) float32, 0 to 255: plain white, or grey or coloured in some light, with noise."""
    if rng.random() < 0.4:
        return np.full((side, side, 3), 255, np.float32)
    colour = rng.uniform(140, 245) * (1 - np.array([rng.uniform(0, 0.25), rng.uniform(0, 0.1), rng.uniform(0, 0.3)]))
    page = colour * light(side, rng) + rng.normal(0, rng.uniform(0.5, 5), (side, side, 1))
    return np.float32(page)


def ruled_paper(side, rng):
    """Return an empty page with printed lines, or with a grid."""
    page = paper(side, rng)
    step, width = max(6, side // int(rng.integers(5, 14))), max(1, side // 200)
    for at in range(int(rng.integers(step)), side, step):
        page[at : at + width] *= 0.75
    if rng.random() < 0.5:
        for at in range(int(rng.integers(step)), side, step):
            page[:, at : at + width] *= 0.75
    return page


def on_paper(ink, rng):
    """Return the ink, (SIDE, SIDE) float32, as a Pillow image of some size: dark on paper or, sometimes, light on black."""
    side = int(rng.choice(IMAGE_SIDES))
    method = cv2.INTER_AREA if side < SIDE else cv2.INTER_CUBIC
    ink = np.clip(cv2.resize(ink, (side, side), interpolation=method), 0, 1)[..., None]
    page = paper(side, rng)
    if rng.random() < 0.15:
        return image(255 * ink)
    pencil = page * rng.uniform(0.05, 0.5) * np.array([rng.uniform(0.6, 1), rng.uniform(0.6, 1), 1])
    return image(page * (1 - ink) + pencil * ink)


def image(levels):
    """Return levels, (height, width, 1 or 3), 0 to 255, as a Pillow image."""
    levels = np.clip(np.round(levels), 0, 255).astype(np.uint8)
    return Image.fromarray(np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels)


def noise(side, rng):
    """Return pure noise, (side, side, 3) float32: uniform, normal, impulses, coarse or cloudy, in grey or in colours."""
    channels = int(rng.choice([1, 3]))
    kind = rng.integers(5)
    if kind == 0:
        field = rng.uniform(0, 255, (side, side, channels))
    elif kind == 1:
        field = rng.normal(rng.uniform(60, 200), rng.uniform(10, 60), (side, side, channels))
    elif kind == 2:
        field = np.where(rng.random((side, side, channels)) < rng.uniform(0.01, 0.3), 0, 255)
        field = 255 - field if rng.random() < 0.5 else field
    else:  # grains of several pixels, or clouds
        nodes = max(4, side // int(rng.integers(2, 6))) if kind == 3 else int(rng.integers(4, 12))
        coarse = rng.normal(128, 60, (nodes, nodes, channels)).astype(np.float32)
        field = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).reshape(side, side, channels)
    return np.float32(np.broadcast_to(field, (side, side, 3)))


def texture(side, rng):
    """Return a texture or a gradient, (side, side, 3) float32: a chessboard, waves, bricks, dots, wood, a slope, a glow."""
    y, x = np.mgrid[0:side, 0:side] / side
    angle, count = rng.uniform(0, np.pi), rng.integers(4, 12)
    across = x * np.cos(angle) + y * np.sin(angle)
    patterns = (
        lambda: (np.floor(x * count) + np.floor(y * count)) % 2,
        lambda: np.sin(2 * np.pi * across * count) / 2 + 0.5,
        lambda: np.minimum((y * count) % 1 > 0.12, (x * count / 2 + np.floor(y * count) % 2 / 2) % 1 > 0.06),
        lambda: np.hypot((x * count) % 1 - 0.5, (y * count) % 1 - 0.5) < rng.uniform(0.15, 0.4),
        lambda: np.sin(2 * np.pi * (across * count + 0.3 * np.sin(7 * y + 3 * x))) ** 2,
        lambda: np.clip(across / across.max(), 0, 1),
        lambda: np.exp(-3 * np.hypot(x - rng.random(), y - rng.random())),
    )
    pattern = np.float32(patterns[rng.integers(len(patterns))]())[..., None]
    dark, bright = rng.uniform(0, 120, 3), rng.uniform(150, 255, 3)
    return np.float32(dark + (bright - dark) * pattern)
