"""The recipe of a training: the constants that decide, beside the settings, what is learned.

Cards, checkpoints and benchmarks/results hold it. So the names below stay as they are, also where the constants are renamed
or moved.
"""

import ast
import hashlib
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from digits.augmentation import augment, corruptions, letterforms, outliers
from digits.composition import (
    chance,
    forms,
    glyphs,
    handwriting,
    lines,
    page_kinds,
    pages,
    papers,
    photographs,
    rules,
    signs,
    strokes,
    text,
    windows,
)
from digits.model import heat_map, line_image, line_network, network, number_network
from digits.training import batches, drawn_digits, fine_tuning, line_rows, optimizer, schedule

# All of digits.composition but rows, from which no network learns.
COMPOSITION = (
    chance, forms, glyphs, handwriting, lines, page_kinds, pages, papers, photographs, rules, signs, strokes, text, windows,
)  # fmt: skip


def training_recipe() -> dict[str, Any]:
    """Return the constants of a training as they are now: numbers, ranges and probabilities by name.

    A recipe without the two entries of the network's input is that of a network which divided its input by 255.
    """
    return {
        **_handwriting_recipe(),
        "disturbances.OUTLINE_SUPERSAMPLING": corruptions.OUTLINE_SUPERSAMPLING,
        "disturbances.OUTLINE_BOLDNESS": corruptions.OUTLINE_BOLDNESS,
        "disturbances.OUTLINE_WIDTH": corruptions.OUTLINE_WIDTH,
        "disturbances.INK_EDGE": corruptions.INK_EDGE,
        "disturbances.NODES": corruptions.FIELD_NODES,
        "disturbances.TEXTURE": corruptions.PENCIL_TEXTURE,
        "disturbances.BLUR": corruptions.BLUR_STD,
        "disturbances.MOTION": corruptions.MOTION_BLUR_REACH,
        "disturbances.COARSE_SIDE": corruptions.LOW_RESOLUTION,
        "disturbances.PAPER": corruptions.PAPER_LEVEL,
        "disturbances.CONTRAST": corruptions.INK_CONTRAST,
        "disturbances.BAND_WIDTH": corruptions.BAND_HALF_WIDTH,
        "disturbances.LINE_WIDTH": corruptions.LINE_WIDTH,
        "disturbances.NEIGHBOUR_DISTANCE": corruptions.NEIGHBOUR_DISTANCE,
        "disturbances.BLOTS": corruptions.BLOT_THRESHOLD,
        "disturbances.SCATTER": corruptions.MAX_SCATTER,
        "disturbances.PHOTONS": corruptions.PHOTONS,
        "disturbances.GAUSSIAN_NOISE": corruptions.GAUSSIAN_NOISE_STD,
        "disturbances.IMPULSE_NOISE": corruptions.IMPULSE_NOISE_RATE,
        "disturbances.DISTURBANCES": _by_name(
            corruptions.CORRUPTION_PROBABILITIES,
            {
                "outline": corruptions.outline,
                "pencil": corruptions.pencil,
                "neighbours": corruptions.neighbours,
                "stray_lines": corruptions.stray_lines,
                "blots": corruptions.blots,
                "background": corruptions.background,
                "band": corruptions.band_or_stripes,
                "coarse": corruptions.low_resolution,
                "blur": corruptions.blur,
                "scatter": corruptions.glass_blur,
                "noise": corruptions.noise,
            },
        ),
        "not_digits.NOT_A_DIGIT": outliers.OUTLIER_LABEL,
        "not_digits.CANVAS": outliers.CANVAS_SIZE,
        "not_digits.STROKE_WIDTH": outliers.STROKE_WIDTH,
        "not_digits.JITTER": outliers.POINT_JITTER_STD,
        "not_digits.SLANT": outliers.SLANT_STD,
        "not_digits.SIDEWAYS": outliers.DIGITS_TO_ROTATE_90,
        "not_digits.UPSIDE_DOWN": outliers.DIGITS_TO_ROTATE_180,
        "not_digits.ATTEMPTS": outliers.MAX_ATTEMPTS,
        "not_digits.KINDS": _by_name(
            outliers.OUTLIER_PROBABILITIES,
            {
                "sign": outliers.letter_or_sign,
                "invented": outliers.invented_character,
                "scribble": outliers.scribble,
                "turned_digit": outliers.rotated_digit,
                "two_digits": outliers.two_digits,
                "blob": outliers.blob,
                "texture": outliers.texture,
            },
        ),
        "network.SCALE_EPSILON": network.SCALE_EPSILON,
        "network.BRIGHT_CORNERS": network.BRIGHT_CORNERS,
        "network.SQUEEZE": network.REDUCTION_RATIO,
        "muon.UPDATE_SIZE": optimizer.UPDATE_RMS,
        "training.WARM_UP": schedule.WARM_UP_FRACTION,
        "training.FIRST_RATE": schedule.INITIAL_RATE_FRACTION,
        "training.SECOND_PHASE_SHARE": schedule.SECOND_PHASE_FRACTION,
        "training.SECOND_PHASE_PROBABILITY_SCALE": batches.SECOND_PHASE_PROBABILITY_SCALE,
        "training.SECOND_PHASE_RATE": schedule.SECOND_PHASE_RATE_FRACTION,
        "training.NOT_DIGITS": batches.OUTLIERS_PER_DIGIT,
        "training.DRAWN": batches.DRAWN_FRACTION,
        "drawn_digits.PEN_WIDTH": drawn_digits.PEN_WIDTH,
        "drawn_digits.SLANT": drawn_digits.SLANT,
        "drawn_digits.LOG_ASPECT": drawn_digits.LOG_ASPECT,
        "drawn_digits.CODE_CHECKSUM": _checksum_of_code((drawn_digits, forms, strokes)),
        "training.CHUNK": batches.AUGMENTATION_CHUNK_SIZE,
    }


def fine_tuning_recipe() -> dict[str, Any]:
    """Return the constants of a fine-tuning, which come on top of those of the training."""
    return {
        "fine_tuning.NOT_DIGITS": batches.OUTLIERS_PER_DIGIT,
        "fine_tuning.ROUNDS": fine_tuning.ROUNDS,
        "fine_tuning.STEPS": fine_tuning.STEPS_PER_ROUND,
        "fine_tuning.BATCH_SIZE": fine_tuning.ROUND_BATCH_SIZE,
        "fine_tuning.OWN_SHARE": fine_tuning.OWN_IMAGES_FRACTION,
        "fine_tuning.LEARNING_RATE": fine_tuning.PEAK_LEARNING_RATE,
        "fine_tuning.WARM_UP": fine_tuning.WARM_UP_FRACTION,
        "fine_tuning.SHARES": fine_tuning.INTERPOLATION_ALPHAS,
    }


def number_reader_recipe() -> dict[str, Any]:
    """Return the constants of a training of the number reader, beside its settings."""
    return {
        **_pages_recipe(),
        "heat_map.STRIDE": heat_map.STRIDE,
        "heat_map.BOX_UNIT": heat_map.BOX_UNIT,
        "number_network.INITIAL_LOGIT": number_network.INITIAL_LOGIT,
        "number_network.FOCAL_EXPONENT": number_network.FOCAL_EXPONENT,
        "number_network.PENALTY_EXPONENT": number_network.PENALTY_EXPONENT,
        "number_network.BOX_WEIGHT": number_network.BOX_WEIGHT,
        "number_network.CLASS_WEIGHT": number_network.CLASS_WEIGHT,
    }


def line_reader_recipe() -> dict[str, Any]:
    """Return the constants of a training of the line reader, beside its settings.

    The entry "line_rows.CODE_CHECKSUM" stands for the code and the constants of the lines, as that of _pages_recipe for the
    pages.
    """
    return {
        **_pages_recipe(),
        "line_image.LINE_HEIGHT": line_image.LINE_HEIGHT,
        "line_image.DIGIT_HEIGHT": line_image.DIGIT_HEIGHT,
        "line_image.COLUMN_STRIDE": line_image.COLUMN_STRIDE,
        "line_network.DROPOUT_RATE": line_network.DROPOUT_RATE,
        "line_rows.ROW_WIDTH": line_rows.ROW_WIDTH,
        "line_rows.MARGIN": line_rows.MARGIN,
        "line_rows.CODE_CHECKSUM": _checksum_of_code((line_image, line_rows)),
    }


def _pages_recipe() -> dict[str, Any]:
    """Return the constants of composed pages.

    Of the family of pages it names the tables that say most. The entry "composition.CODE_CHECKSUM" stands for all the others, and
    for the code that draws from them: most ranges have no name, so a list of values would miss some.
    """
    return {
        **_handwriting_recipe(),
        "heat_map.DIGIT_HEIGHT": (heat_map.MIN_DIGIT_HEIGHT, heat_map.MAX_DIGIT_HEIGHT),
        "heat_map.NEIGHBOURHOOD_SIZE": heat_map.NEIGHBOURHOOD_SIZE,
        "heat_map.MIN_STD": heat_map.MIN_STD,
        "heat_map.MAX_DEVIATION": heat_map.MAX_DEVIATION,
        "composition.WINDOW_SIZE": (page_kinds.WINDOW_HEIGHT, page_kinds.WINDOW_WIDTH),
        "composition.MARGIN": page_kinds.PAGE_MARGIN,
        "composition.MIN_VISIBLE_FRACTION": windows.MIN_VISIBLE_FRACTION,
        "composition.MAX_HIDDEN_FRACTION": windows.MAX_HIDDEN_FRACTION,
        "composition.MAX_GAUSSIAN_REACH": windows.MAX_GAUSSIAN_REACH,
        "composition.PAGES_KEPT": windows.WINDOW_PAGES_KEPT,
        "composition.SECOND_PHOTOGRAPH_PROBABILITY": windows.SECOND_PHOTOGRAPH_PROBABILITY,
        "composition.GLYPHS_RENEWED": pages.GLYPHS_RENEWED,
        "composition.PAPERS_RENEWED": pages.PAPERS_RENEWED,
        "composition.GLYPHS_KEPT": glyphs.GLYPHS_KEPT,
        "composition.VARIATION_SCALE": glyphs.VARIATION_SCALE,
        "composition.WARP_SCALE": glyphs.WARP_SCALE,
        "composition.PATTERNS_KEPT": papers.PATTERNS_KEPT,
        "composition.LENGTHS": list(text.LENGTH_PROBABILITIES),
        "composition.LENGTH_PROBABILITIES": list(text.LENGTH_PROBABILITIES.values()),
        "composition.PAGE_KINDS": {kind.name: kind.probability for kind in page_kinds.PAGE_KINDS},
        "composition.NUMBER_PROBABILITIES": _by_name(
            text.NUMBER_PROBABILITIES,
            {"plain": text.plain, "amount": text.amount, "date": text.date, "spaced": text.spaced},
        ),
        "composition.CELL_PROBABILITIES": _by_name(
            rules.CELL_PROBABILITIES, {"boxes": rules.boxes, "table_row": rules.table_row, "comb": rules.comb}
        ),
        "composition.RULE_PROBABILITIES": _by_name(
            rules.RULE_PROBABILITIES,
            {"underline": rules.underline, "line_above": rules.line_above, "uprights": rules.uprights, "frame": rules.frame},
        ),
        "composition.LIGHT_PROBABILITIES": _by_name(
            photographs.LIGHT_PROBABILITIES,
            {"gradient": photographs.gradient, "clouds": photographs.clouds, "shadow_or_fold": photographs.shadow_or_fold},
        ),
        "composition.DIGIT_LIKE_LETTERS": signs.DIGIT_LIKE_LETTERS,
        "composition.CODE_CHECKSUM": _checksum_of_code(COMPOSITION),
    }


def _handwriting_recipe() -> dict[str, Any]:
    """Return the constants by which the handwriting of digits is varied."""
    return {
        "augmentation.ROTATION": augment.MAX_ROTATION,
        "augmentation.SHEAR": augment.MAX_SHEAR,
        "augmentation.SCALE": augment.MAX_LOG_SCALE,
        "augmentation.SHIFT": augment.MAX_SHIFT,
        "augmentation.STRONG_SHARE": augment.STRONG_PROBABILITY,
        "augmentation.STRONG": augment.STRONG_FACTOR,
        "augmentation.ELASTIC": augment.ELASTIC_STD,
        "augmentation.THICKER": augment.MAX_DILATION,
        "augmentation.THINNER": augment.MAX_EROSION,
        "letterforms.SHARE": letterforms.CHANGED_FRACTION,
        "letterforms.INKED": letterforms.ROW_INK_LEVEL,
        "letterforms.SUPERSAMPLING": letterforms.STROKE_SUPERSAMPLING,
        "letterforms.PEN_WIDTH": letterforms.PEN_WIDTH,
        "letterforms.WIDEST_STEM": letterforms.MAX_STEM_WIDTH,
        "letterforms.PLAIN_STEM": letterforms.MAX_PLAIN_ROW,
        "letterforms.STEEPEST_SLANT": letterforms.MAX_STEM_SLANT,
        "letterforms.BAR_PLACE": letterforms.BAR_POSITION,
        "letterforms.BAR_REACH": letterforms.BAR_REACH,
        "letterforms.BAR_SLOPE": letterforms.BAR_SLOPE,
        "letterforms.BAR_TILT": letterforms.BAR_TILT,
        "letterforms.HOOK_LENGTH": letterforms.HOOK_LENGTH,
        "letterforms.HOOK_ANGLE": letterforms.HOOK_ANGLE,
        "letterforms.BASED_SHARE": letterforms.BASE_PROBABILITY,
        "letterforms.BASE_REACH": letterforms.BASE_REACH,
        "letterforms.TOP_WIDTH": letterforms.TOP_WIDTH,
        "letterforms.RIGHT_UPRIGHT": letterforms.RIGHT_UPRIGHT,
        "letterforms.CURL_LENGTH": letterforms.TAIL_LENGTH,
        "letterforms.CURL_RISE": letterforms.TAIL_RISE,
    }


def _checksum_of_code(modules: Iterable[types.ModuleType]) -> str:
    """Return the SHA-256 of the modules' code, as hexadecimal digits, without its layout, comments and docstrings.

    Every change of what is drawn changes it. So does a change that draws the same, such as another name of a local variable.
    """
    trees = [ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")) for module in modules]
    return hashlib.sha256(repr([_structure(tree) for tree in trees]).encode()).hexdigest()


def _structure(node: Any) -> Any:
    """Return a syntax tree as nested lists. Not ast.dump: what is empty is written only by some versions of Python."""
    if isinstance(node, list):
        return [_structure(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
        fields["body"] = node.body[1:]
    return [type(node).__name__, [(name, _structure(value)) for name, value in fields.items() if value not in (None, [])]]


def _by_name(probabilities: dict[Any, float], names: dict[str, Any]) -> dict[str, float]:
    """Return {name: probability}. probabilities: by function. names: the function of each; one without probability is left out.

    Raises ValueError where a function has no name.
    """
    for function in probabilities:
        if function not in names.values():
            raise ValueError(f"{function.__module__}.{function.__name__} has no name in the recipe: give it one in {__name__}")
    return {name: probabilities[function] for name, function in names.items() if function in probabilities}
