"""The first version of the features. What it computes never changes: another is another package."""
