"""Who belongs to whom at the least cost in all: a few names, colours or curves against each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from metagrove.core.values import Array

__all__ = ["assigned"]


def assigned(costs: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pairs of rows and columns of least total cost, the rows in order; the shorter side is assigned whole.

    One row after the other takes the shortest augmenting path, which Crouse (2016, doi:10.1109/TAES.2016.140952) gives
    for tables that are not square. Where costs are equal, earlier rows keep earlier columns.
    """
    if costs.shape[0] > costs.shape[1]:
        columns, rows = assigned(costs.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    table = costs.tolist()
    row_price, column_price = [0.0] * costs.shape[0], [0.0] * costs.shape[1]
    column_of: list[int] = []
    row_of: dict[int, int] = {}
    for new in range(len(table)):
        came, cost, visited, sink = _cheapest_way(new, table, row_price, column_price, row_of)
        least = cost[sink]
        row_price[new] += least
        for column in visited:
            if column in row_of:
                row_price[row_of[column]] += least - cost[column]
            column_price[column] -= least - cost[column]
        column_of.append(-1)
        column = sink
        while True:
            row = came[column]
            row_of[column] = row
            column, column_of[row] = column_of[row], column
            if row == new:
                break
    return np.arange(len(table)), np.array(column_of, dtype=np.intp)


def _cheapest_way(
    new: int, table: list[list[float]], row_price: list[float], column_price: list[float], row_of: dict[int, int]
) -> tuple[list[int], list[float], list[int], int]:
    """From which row the cheapest way from a new row comes to each column, at what cost, the columns on it, and its free end."""
    came, cost = [-1] * len(column_price), [float("inf")] * len(column_price)
    left = list(range(len(column_price)))[::-1]
    visited: list[int] = []
    row, spent = new, 0.0
    while True:
        place, least = -1, float("inf")
        for k, column in enumerate(left):
            offer = spent + table[row][column] - row_price[row] - column_price[column]
            if offer < cost[column]:
                came[column], cost[column] = row, offer
            if cost[column] < least or (cost[column] == least and column not in row_of):
                place, least = k, cost[column]
        spent, column = least, left[place]
        visited.append(column)
        if column not in row_of:
            return came, cost, visited, column
        row = row_of[column]
        left[place] = left[-1]
        left.pop()
