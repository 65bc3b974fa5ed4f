"""Traces from back ends that others fill."""
