"""The Intent Guard's training data, training and evaluation."""
