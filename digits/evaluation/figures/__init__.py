"""Records of what was learned, scored or read -> figures. Each function returns a Matplotlib Figure; style.save writes it."""

import matplotlib

matplotlib.use("Agg")  # before Seaborn imports pyplot, which must not look for a screen
