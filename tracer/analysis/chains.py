"""What a service graph is like as a whole: its cycles and its longest chains."""

from __future__ import annotations

from collections.abc import Mapping

import networkx as nx

from tracer.analysis.service_graph import Edge, Node


def cycles(edges: Mapping[Edge, int]) -> list[list[Node]]:
    """Groups of nodes that all depend on each other, largest first; `edges` by calls."""
    found = [sorted(group) for group in nx.strongly_connected_components(_graph(edges))]
    return sorted((group for group in found if len(group) > 1), key=lambda one: (-len(one), one))


def heaviest_chain(weights: Mapping[Edge, int]) -> list[Node]:
    """The chain of calls with the largest sum of weights; of a cycle only its first node counts."""
    graph = _graph(weights)
    whole = nx.condensation(graph)
    for low, high in whole.edges:
        ends = whole.nodes[low]["members"], whole.nodes[high]["members"]
        whole.edges[low, high]["weight"] = max(
            graph.edges[source, drain]["weight"]
            for source in ends[0]
            for drain in graph.successors(source)
            if drain in ends[1]
        )
    # the order of components is not that of the nodes: ties are settled by name
    order = {at: min(whole.nodes[at]["members"]) for at in whole}
    topological = list(nx.lexicographical_topological_sort(whole, key=order.__getitem__))
    path = nx.dag_longest_path(whole, weight="weight", topo_order=topological)
    return [order[at] for at in path]


def _graph(weights: Mapping[Edge, int]) -> nx.DiGraph:
    graph = nx.DiGraph()
    for edge in sorted(weights):
        graph.add_edge(edge.source, edge.drain, weight=weights[edge])
    return graph
