"""Calibration: what history says about thresholds, what labels teach, and what has drifted.

Everything but `history` is pure: points of history go in, figures and proposals come out. A
proposal is text for policy.yaml, which is a threshold's only home; nothing here switches anything.
"""
