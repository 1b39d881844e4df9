"""Training windows for the number reader: pages with numbers, composed of MNIST's training digits, and photographs of them.

The tables at the head of the modules define which pages are composed: page_kinds (which pages there are), text (what a line
says), handwriting (how a person writes it), rules (cells and lines), papers, photographs (light and camera), windows (borders).
forms and signs hold drawings as control points. All these tables together are called the family of pages. They were set by hand
while looking at the kinds of image that the network failed on among the development images, and are measured as a whole by
benchmarks/results/whole_numbers.json, 777 images. So a single value has no reason of its own beside the words on its line. None
of the development images is learned.

In the tables, (low, high) is a range from which a value is drawn evenly, and (mean, standard deviation) says so. A tuple of
choices holds a value twice where it is drawn twice as often. A height is that of a line's digits.

The words for what is written:

| word       | meaning                                                                                                   |
|------------|-----------------------------------------------------------------------------------------------------------|
| token      | one item of a text: a digit, a mark, a sign, a letter, or a space                                         |
| mark       | a point, comma, minus, slash or colon: what the network learns to read beside the digits                  |
| sign       | a drawing that is neither a digit nor a mark, such as a currency sign; it is learned as other ink         |
| symbol     | a token as it stands on a page: its class and its bounding box                                            |
| letterform | a way to write a digit, such as a seven with a bar; forms.py draws some, form is short for it in names    |
| shape      | a way to draw a mark, such as a comma with a hook                                                         |
| glyph      | a digit of MNIST that can be written again, in another size, slant and pen                                |
"""
