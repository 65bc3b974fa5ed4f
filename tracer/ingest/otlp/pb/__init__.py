"""The parsed descriptor of `proto/otlp_columnar.proto` (`proto/README.md` says how it is made).

A descriptor set rather than generated Python: it fits every protobuf runtime, and nothing needs
message classes of this view, only its shape.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool


@cache
def columnar_request() -> Descriptor:
    """The recursion-free view of OTLP's ExportTraceServiceRequest, in a pool of its own."""
    bundle = FileDescriptorSet.FromString((files(__name__) / "otlp_columnar.desc").read_bytes())
    pool = DescriptorPool()
    for file in bundle.file:
        pool.Add(file)
    return pool.FindMessageTypeByName("tracer.otlp.columnar.ExportTraceServiceRequest")
