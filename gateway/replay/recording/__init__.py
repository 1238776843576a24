"""A run as something to be simulated: its guarded calls and its model calls, in recorded order.

`recorded` is the form, which is the same in an answer and in a cassette file; `recorder` makes it
from frames. Pure: the same frames give the same bytes.
"""
