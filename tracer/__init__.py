"""tracer: why are requests slow right now, and where is the proof?"""

__version__ = "0.1.0"
