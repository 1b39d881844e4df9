"""Training windows for the number reader: pages with numbers, composed of MNIST's training digits, and photographs of them.

The family of pages is told by the tables at the head of the modules: page_kinds (which pages there are), text (what a line says),
handwriting (how a person writes it), rules (cells and lines), papers, photographs (light and camera), windows (borders).
forms and signs hold drawings as control points. The tables were set by hand while looking at the kinds of image that the network
failed on among the development images, and are measured as a whole by benchmarks/whole_numbers.py. So a single value has no reason
of its own beside the words on its line. None of the development images is learned.

In the tables, (low, high) is a range from which a value is drawn evenly, and (mean, standard deviation) says so. A tuple of choices
holds a value twice where it is drawn twice as often. A height is that of a line's digits.
"""
