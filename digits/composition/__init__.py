"""Training windows for the number reader: pages with numbers, composed of MNIST's training digits, and photographs of them.

The family of pages was set by hand, number by number, while looking at the kinds of image that the network failed on among
the development images, and is measured as a whole by benchmarks/whole_numbers.py. So the ranges and probabilities within the
functions have no reason of their own beside the words that stand there. None of the development images is learned.
"""
