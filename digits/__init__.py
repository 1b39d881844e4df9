"""What the scripts share: one purpose a module, in the order in which the data passes through them."""
