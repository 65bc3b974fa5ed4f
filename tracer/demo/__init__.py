"""A small shop of real processes that export real traces, with faults that can be switched on.

It knows nothing of the analyzer but the command line that starts it: what it proves, any traced
system can have.
"""
