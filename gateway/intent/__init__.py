"""The Intent Guard: how likely a call is not what was asked for, and which argument says so.

Pure: evidence goes in, an assessment comes out. Nothing here reads a clock, a network or a file
after its version has been loaded, so the same evidence and version give the same score to the bit.
"""
