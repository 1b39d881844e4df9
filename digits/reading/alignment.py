"""A sheet that lies a little differently from the reference -> where each place of the reference is in it.

Both show the same printed form, blank or filled in. SIFT features (Lowe 2004) of both are matched, and a homography, as flat
paper before a camera has one, is fitted to them with MAGSAC++ (Barath et al. 2020). What is written matches nothing and is left
out by that. The constants were set by hand on composed forms with validation digits and measured together
(benchmarks/results/forms.json).
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from digits.common.errors import UserError
from digits.reading.image import LoadedImage

MATCHING_SIDE = 1400  # pixels of the longer side, at which features are found: small print is then just legible
MAX_FEATURES = 6000  # the most distinct ones: matching takes two tenths of a second, and handwriting leaves room for print
MIN_FEATURE_CONTRAST = 0.02  # SIFT's contrast threshold, half its usual one: print lies in shadow, too
# Of the best match's distance to the second best one's (Lowe 2004); what a form repeats has no clear best one.
MAX_DISTANCE_RATIO = 0.75
MAX_ERROR = 3.0  # pixels at MATCHING_SIDE by which a match may miss the homography: 0.6 mm of A4
# What a homography must have, or the sheet's place is not known: this many matches that agree, with this part of the page
# between them.
MIN_INLIERS, MIN_SPREAD = 25, 0.15
MAX_SIDE_RATIO = 2.0  # of opposite sides of the page, as a camera sees them; more is no photograph that can be read
MIN_AREA, MAX_AREA = 0.1, 10.0  # of the page in the image, in areas of the image


@dataclass(frozen=True, eq=False)
class Reference:
    """A sheet by whose print the others are aligned.

    places: (N, 2) float32, of its features, shares of the page from its upper left. descriptors: (N, 128) float32.
    """

    places: np.ndarray = field(repr=False)
    descriptors: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, image: LoadedImage) -> "Reference":
        """Return the reference that an image shows. Raises UserError where too little is printed on it."""
        reference = cls(*_features(image))
        if len(reference.places) < MIN_INLIERS:
            raise UserError(f"it has {len(reference.places)} features, and {MIN_INLIERS} are needed: too little is printed on it")
        return reference

    def align(self, image: LoadedImage) -> np.ndarray:
        """Return the homography, (3, 3) float64, from shares of the reference's page to shares of the image.

        Raises UserError where the reference's print is not surely found in the image.
        """
        places, descriptors = _features(image)
        pairs = cv2.BFMatcher().knnMatch(self.descriptors, descriptors, 2) if len(places) > 1 else []
        matches = [best for best, second in pairs if best.distance < MAX_DISTANCE_RATIO * second.distance]
        if len(matches) < MIN_INLIERS:
            raise UserError(f"{len(matches)} places of the reference's print are found in it, and {MIN_INLIERS} are needed")
        source = self.places[[match.queryIdx for match in matches]]
        target = places[[match.trainIdx for match in matches]]
        size = np.array(image.full_size) * (MATCHING_SIDE / max(image.full_size))
        homography, agree = cv2.findHomography(source, target * size, cv2.USAC_MAGSAC, MAX_ERROR)
        inliers = 0 if homography is None else int(agree.sum())
        if inliers < MIN_INLIERS:
            raise UserError(f"{inliers} places of the reference's print fit together in it, and {MIN_INLIERS} are needed")
        if cv2.contourArea(cv2.convexHull(source[agree.ravel() > 0])) < MIN_SPREAD:
            raise UserError("only a small part of the reference's print is found in it")
        homography = np.diag([1 / size[0], 1 / size[1], 1]) @ homography
        if not _is_plausible(homography, size):
            raise UserError("the reference's print is found in it, but distorted as no photograph of a flat sheet is")
        return homography


def _features(image: LoadedImage) -> tuple[np.ndarray, np.ndarray]:
    """Return (places, descriptors) of an image's features, as those of a Reference."""
    grey = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    scale = MATCHING_SIDE / max(grey.shape)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in grey.shape[::-1])
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    sift = cv2.SIFT.create(MAX_FEATURES, contrastThreshold=MIN_FEATURE_CONTRAST)
    keypoints, descriptors = sift.detectAndCompute(grey, None)  # type: ignore[call-overload]  # None: no mask
    if descriptors is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    places = (np.array([keypoint.pt for keypoint in keypoints]) + 0.5) / grey.shape[::-1]
    return places.astype(np.float32), descriptors


def _is_plausible(homography: np.ndarray, size: np.ndarray) -> bool:
    """Return whether a homography may be that of a sheet before a camera. size: (width, height) of the image in pixels."""
    page = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)
    weights = homography[2, :2] @ page.T + homography[2, 2]
    if (weights <= 0).any() and (weights >= 0).any():  # a part of the page behind the camera
        return False
    corners = cv2.perspectiveTransform(page[None], homography)[0].astype(np.float32)
    area = cv2.contourArea(corners, oriented=True)  # below 0 where the page is mirrored
    sides = np.linalg.norm((corners - np.roll(corners, 1, axis=0)) * size, axis=1)
    ratios = sides[:2] / sides[2:]
    is_even = bool((ratios < MAX_SIDE_RATIO).all() and (ratios > 1 / MAX_SIDE_RATIO).all())
    return bool(cv2.isContourConvex(corners)) and MIN_AREA < area < MAX_AREA and is_even
