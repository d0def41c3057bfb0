"""What can be moved into a convolution: batch norms, paddings, scales of its input, preprocessing."""
