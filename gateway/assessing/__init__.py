"""The Intent Guard's evaluator in a child process, behind the assessor port.

Its time depends on texts that anybody may have written. A thread cannot be stopped; a process can.
"""

from gateway.assessing.assessor import ChildAssessor
from gateway.assessing.limits import Evaluated, Limits

__all__ = ["ChildAssessor", "Evaluated", "Limits"]
