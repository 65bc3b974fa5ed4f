"""Cycles and chains of a service graph."""

from __future__ import annotations

import itertools

import pytest

from tracer.analysis.chains import cycles, heaviest_chain
from tracer.analysis.service_graph import Edge, Node
from tracer.columns.spans import ServiceIdentity


def graph(text: str) -> dict[Edge, int]:
    """`a>b:3 b>c` → edges with weights, 1 where none is given."""
    edges = {}
    for word in text.split():
        ends, _, weight = word.partition(":")
        source, drain = (Node("service", ServiceIdentity("", "", "", e)) for e in ends.split(">"))
        edges[Edge(source, drain)] = int(weight or 1)
    return edges


def names(nodes: list[Node]) -> str:
    return "".join(node.identity.name for node in nodes)


CASES = [
    ("a>b b>c", [], "abc"),
    ("a>b b>a", ["ab"], "a"),
    ("a>b b>c c>a c>d", ["abc"], "ad"),
    ("a>b b>a c>d d>e e>c c>f", ["cde", "ab"], "cf"),
    ("a>b:5 a>c:1 c>d:1 d>e:1", [], "ab"),
    ("a>b:2 a>c:1 c>d:3", [], "acd"),
]


@pytest.mark.parametrize(("text", "groups", "chain"), CASES, ids=[case[0] for case in CASES])
def test_cycles_and_the_heaviest_chain(text: str, groups: list[str], chain: str) -> None:
    for words in itertools.islice(itertools.permutations(text.split()), 24):
        edges = graph(" ".join(words))
        assert [names(group) for group in cycles(edges)] == groups
        assert names(heaviest_chain(edges)) == chain
