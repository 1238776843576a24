"""Evaluate, judge, patch, evaluate again: the same way for live checks and for replay."""
