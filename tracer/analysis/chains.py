"""What a service graph is like as a whole: its cycles and its longest chains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import networkx as nx

from tracer.analysis.service_graph import Edge, Node


def cycles(edges: Iterable[Edge]) -> list[list[Node]]:
    """Groups of nodes that all depend on each other, largest first."""
    graph = _graph(dict.fromkeys(edges, 1))
    found = [sorted(group) for group in nx.strongly_connected_components(graph)]
    return sorted((group for group in found if len(group) > 1), key=lambda one: (-len(one), one))


def heaviest_chain(weights: Mapping[Edge, int]) -> list[Node]:
    """The chain of calls with the largest sum of weights; of a cycle only its first node counts."""
    if not weights:
        return []
    whole = nx.condensation(_graph(weights))
    group = whole.graph["mapping"]
    for edge, weight in weights.items():
        low, high = group[edge.source], group[edge.drain]
        if low != high:
            known = whole.edges[low, high].get("weight", 0)
            whole.edges[low, high]["weight"] = max(known, weight)
    # the order of components is not that of the nodes: ties are settled by name
    first = {at: min(whole.nodes[at]["members"]) for at in whole}
    order = list(nx.lexicographical_topological_sort(whole, key=first.__getitem__))
    return [first[at] for at in nx.dag_longest_path(whole, weight="weight", topo_order=order)]


def _graph(weights: Mapping[Edge, int]) -> nx.DiGraph:
    graph = nx.DiGraph()
    for edge in sorted(weights):
        graph.add_edge(edge.source, edge.drain)
    return graph
