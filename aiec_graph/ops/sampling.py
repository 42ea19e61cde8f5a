"""Sampling of neighbourhoods from the rows of a sparse matrix, in one compiled pass.

What is sampled for a node depends on the key, the node and its tree alone, not on the other nodes
of the call: processes that share out the seeds sample what one process would.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiec_graph.ops.compiled import compiled
from aiec_graph.ops.samples import NO_ENTRY, SHARED, Draw, Rows, Sample

FEW, DENSE = 32, 4
"""At most so many neighbours, of more than so many times that number, are drawn one by one; others
are chosen in a pass over the row."""

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11, _32 = (np.uint64(bits) for bits in (30, 27, 31, 11, 32))
_LOW = np.uint64(2**32 - 1)
_UNIT = 2.0**-53


def stream_key(*parts: int) -> int:
    """A key of random numbers, from whole numbers such as a seed, an epoch and a batch."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


def sample_neighbours(
    rows: Rows,
    seeds: NDArray[np.integer],
    fanout: Sequence[int],
    key: int,
    draw: Draw = SHARED,
    seed_time: NDArray[np.int64] | None = None,
) -> Sample:
    """Samples the neighbourhood of some nodes, uniformly over the entries of each row.

    Args:
        rows: the graph. Of one with times, only entries that are earlier than their seed are
            sampled, which takes disjoint trees and no kept self-loops.
        seeds: nodes [B]; each once, unless trees are disjoint.
        fanout: neighbours of a node at each hop; `ALL` (-1) for all.
        key: of the random numbers: the same key gives the same sample.
        draw: how neighbours are drawn.
        seed_time: of each seed [B], where the graph has times.

    Raises:
        ValueError: a seed is no node, or twice among them and they are not disjoint; or times
            come without `disjoint`.
    """
    seeds, nodes = np.ascontiguousarray(seeds, np.int64), len(rows.indptr) - 1
    if len(seeds) and not (seeds.min() >= 0 and seeds.max() < nodes):
        raise ValueError(f"a seed is outside of the {nodes} nodes")
    if len(rows.time) and (not draw.disjoint or draw.keep_loops or seed_time is None):
        raise ValueError("times need disjoint trees, a time of each seed, and no kept self-loops")
    times = np.empty(0, np.int64) if seed_time is None else seed_time
    numbers = np.asarray(fanout, np.int64)
    ok, *found = _sample(rows, seeds, times, numbers, np.uint64(key), draw)
    if not ok:
        raise ValueError("a seed is twice among the seeds: ask for disjoint trees")
    return Sample(*found)


def sample_rows(
    rows: Rows,
    nodes: NDArray[np.int64],
    fanout: NDArray[np.int64],
    key: int,
    draw: Draw = SHARED,
) -> Sample:
    """Samples the neighbours of some nodes as nodes of the graph, which takes no look-up of each.

    Args:
        rows: the graph, without times.
        nodes: the targets [T].
        fanout: neighbours of each [T].
        key: of the random numbers: a node's are those of `sample_neighbours`.
        draw: how neighbours are drawn.

    Returns:
        A sample of one hop (`Sample.reads_graph`).
    """
    found = _sample_rows(rows, nodes, fanout, np.uint64(key), draw)
    ends, columns, entries, neighbours, loops, _ = found
    none = np.empty(0, np.int64)
    return Sample(nodes, none, ends, columns, entries, neighbours, loops, none)


@compiled(nogil=True)
def _mix(x: Any) -> Any:
    """The finaliser of SplitMix64 (Steele et al., 2014): 64 bits that look random."""
    x = (x ^ (x >> _30)) * _FIRST
    x = (x ^ (x >> _27)) * _SECOND
    return x ^ (x >> _31)


@compiled(nogil=True)
def _state(key: Any, number: Any) -> Any:
    """Where the random numbers of a node of a tree begin."""
    return _mix(key ^ _mix(np.uint64(number) + _STEP))


@compiled(nogil=True)
def _below(state: Any, count: int) -> Any:
    """A number from 0 to count − 1, drawn by the state's next random bits."""
    return int(np.float64(_mix(state) >> _11) * _UNIT * count)


@compiled(nogil=True)
def _choose(chosen: Any, begin: int, wanted: int, count: int, replace: bool, state: Any) -> None:
    """Draws `wanted` of `count` numbers into `chosen`, from its place `begin` on."""
    if replace:
        for n in range(begin, begin + wanted):
            state += _STEP
            chosen[n] = _below(state, count)
    elif wanted <= FEW and count > DENSE * wanted:  # Floyd's algorithm (Bentley and Floyd, 1987)
        for n in range(wanted):
            state += _STEP
            last = count - wanted + n
            drawn = _below(state, last + 1)
            for m in range(begin, begin + n):
                if chosen[m] == drawn:
                    drawn = last
                    break
            chosen[begin + n] = drawn
    else:  # selection sampling (Knuth, 3.4.2, algorithm S), without a branch that depends on chance
        n, bits = 0, _STEP
        for number in range(count):
            if number & 1:
                bits >>= _32
            else:
                state += _STEP
                bits = _mix(state)
            chosen[begin + n] = number
            n += np.int64((bits & _LOW) * np.uint64(count - number) >> _32) < wanted - n
            if n == wanted:
                break


@compiled(nogil=True)
def _first_from(values: Any, low: Any, high: Any, wanted: Any) -> Any:
    """The first place in sorted values[low:high] of one that is at least `wanted`."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@compiled(nogil=True)
def _place(table: Any, nodes: Any, tree: Any, node: Any, of: Any) -> Any:
    """The place of a node of a tree in an open hash table of positions, or where it belongs."""
    mask = np.uint64(len(table) - 1)
    at = ((np.uint64(node) + np.uint64(of) * _SECOND) * _STEP) >> _31 & mask
    while table[at] >= 0 and (nodes[table[at]] != node or (len(tree) and tree[table[at]] != of)):
        at = (at + np.uint64(1)) & mask
    return at


@compiled(nogil=True)
def _grown(array: Any, size: int) -> Any:
    out = np.empty(max(size, len(array)), array.dtype)
    out[: len(array)] = array
    return out


@compiled(nogil=True)
def _table(nodes: Any, tree: Any, count: int, room: int) -> Any:
    """A hash table of the positions of the first nodes, with room for more."""
    size = 64
    while size < 2 * room:
        size *= 2
    table = np.full(size, np.int32(-1))
    for n in range(count):
        table[_place(table, nodes, tree, nodes[n], tree[n] if len(tree) else 0)] = n
    return table


@compiled(nogil=True)
def _draw_row(rows: Any, node: int, high: int, wanted: int, state: Any, draw: Any, out: Any) -> Any:
    """Draws entries of a row, up to the entry `high`.

    Returns:
        How many stand in `out`, how many neighbours they were drawn from, and which of them is the
        kept self-loop.
    """
    low = rows.indptr[node]
    where, has_loop = high, False  # of the self-loop, or where it would stand
    if draw.keep_loops:
        where = _first_from(rows.indices, low, high, node)
        has_loop = where < high and rows.indices[where] == node
    others = high - low - has_loop
    if wanted >= 0 and (others > wanted or draw.replace):
        taken = wanted if others else 0
        begin = 1 if draw.keep_loops else 0
        _choose(out, begin, taken, others, draw.replace, state)
        for n in range(begin, begin + taken):
            out[n] += low
            out[n] += has_loop and out[n] >= where
        if draw.keep_loops:
            out[0] = where if has_loop else NO_ENTRY
        return begin + taken, others, 0
    # All, in their order, the self-loop where it belongs.
    n, loop = 0, 0
    for entry in range(low, high + 1):
        if draw.keep_loops and entry == where:
            loop = n
            out[n] = where if has_loop else NO_ENTRY
            n += 1
        if entry < high and not (has_loop and entry == where):
            out[n] = entry
            n += 1
    return n, others, loop


@compiled(nogil=True)
def _sample(rows: Any, seeds: Any, seed_time: Any, fanout: Any, key: Any, draw: Any) -> Any:
    num_nodes, disjoint = len(rows.indptr) - 1, draw.disjoint
    nodes, count = seeds.copy(), len(seeds)
    tree = np.arange(count if disjoint else 0)
    table = _table(nodes, tree, count, 2 * count)
    unique = True
    for n in range(count):
        unique &= table[_place(table, nodes, tree, seeds[n], n if disjoint else 0)] == n
    ends, neighbours, loops = np.zeros(1, np.int64), seeds[:0].copy(), seeds[:0].copy()
    columns, entries = np.empty(0, np.int32), np.empty(0, np.int64)
    hop_nodes = np.full(len(fanout) + 1, count)
    done, total = 0, 0
    for hop in range(len(fanout) if unique else 0):
        first, last = done, count
        wanted = np.full(last - first, fanout[hop])
        room = _read_ends(rows, nodes[first:last], wanted, draw.replace)[0]
        columns, entries = _grown(columns, total + room), _grown(entries, total + room)
        ends, neighbours = _grown(ends, last + 1), _grown(neighbours, last)
        loops = _grown(loops, last if draw.keep_loops else 0)
        nodes, tree = _grown(nodes, count + room), _grown(tree, count + room if disjoint else 0)
        if 2 * (count + room) > len(table):
            table = _table(nodes, tree, count, count + room)
        for row in range(first, last):
            node, of = nodes[row], tree[row] if disjoint else 0
            high = rows.indptr[node + 1]
            if len(rows.time):
                high = _first_from(rows.time, rows.indptr[node], high, seed_time[of])
            state = _state(key, of * num_nodes + node)
            taken, neighbours[row], loop = _draw_row(
                rows, node, high, fanout[hop], state, draw, entries[total:]
            )
            if draw.keep_loops:
                loops[row] = total + loop
            for n in range(total, total + taken):
                source = node if entries[n] < 0 else np.int64(rows.indices[entries[n]])
                at = _place(table, nodes, tree, source, of)
                if table[at] < 0:
                    table[at], nodes[count] = count, source
                    if disjoint:
                        tree[count] = of
                    count += 1
                columns[n] = table[at]
            total += taken
            ends[row + 1] = total
        done, hop_nodes[hop + 1] = last, count - last
    nodes, tree, ends = nodes[:count], tree[: count if disjoint else 0], ends[: done + 1]
    neighbours, loops = neighbours[:done], loops[: done if draw.keep_loops else 0]
    columns, entries = columns[:total], entries[:total]
    return unique, nodes, tree, ends, columns, entries, neighbours, loops, hop_nodes


@compiled(nogil=True)
def _read_ends(rows: Any, nodes: Any, fanout: Any, replace: bool) -> Any:
    """Most entries that the rows come to, and a number that takes reading where each has its own.

    Without a branch that depends on what is read, so that many reads are under way at a time.
    """
    room, read = len(nodes), np.int64(0)
    for row in range(len(nodes) if len(rows.indices) else 0):
        low, high = rows.indptr[nodes[row]], rows.indptr[nodes[row] + 1]
        read += rows.indices[min(low, len(rows.indices) - 1)] + rows.indices[high - 1]
        wanted = len(rows.indices) if fanout[row] < 0 else fanout[row]
        room += wanted if replace and fanout[row] >= 0 else min(wanted, high - low)
    return room, read


@compiled(nogil=True)
def _sample_rows(rows: Any, nodes: Any, fanout: Any, key: Any, draw: Any) -> Any:
    # Three passes, so that many reads are under way at a time: the branches of drawing depend on
    # chance, and a processor that has guessed one wrongly begins its reads anew.
    (room, read), total = _read_ends(rows, nodes, fanout, draw.replace), 0
    ends, columns = np.zeros(len(nodes) + 1, np.int64), np.empty(room, np.int32)
    entries = np.empty(room, np.int64)
    neighbours, loops = np.empty_like(nodes), np.empty_like(nodes)
    for row, node in enumerate(nodes):
        high, state = rows.indptr[node + 1], _state(key, node)
        drawn = _draw_row(rows, node, high, fanout[row], state, draw, entries[total:])
        neighbours[row], loops[row] = drawn[1], total + drawn[2]
        total += drawn[0]
        ends[row + 1] = total
    for row, node in enumerate(nodes):
        for n in range(ends[row], ends[row + 1]):
            columns[n] = node if entries[n] < 0 else rows.indices[entries[n]]
    loops = loops[: len(nodes) if draw.keep_loops else 0]
    return ends, columns[:total], entries[:total], neighbours, loops, read


@compiled(nogil=True)
def entry_values(sample: Any, weight: Any, extra_loop: float, by_row: Any, by_column: Any) -> Any:
    """The values of a sampled matrix, for some of its first rows.

    What was sampled is multiplied by the number of neighbours over that of the sampled ones, so
    that the expectation of a row's sum is the whole row's.

    Args:
        sample: arrays nodes, indptr [T + 1], indices [E], entries [E], neighbours [T] and
            loops [T].
        weight: of the matrix's entries, or [0] for 1.
        extra_loop: is added to each self-loop's weight.
        by_row: factor of each node as a target [N], or [0] for 1.
        by_column: factor of each source, by its number in `indices`, or [0] for 1.

    Returns:
        [E], float64.
    """
    nodes, indptr, indices, entries, neighbours, loops = sample
    out = np.empty(indptr[-1], np.float64)
    for row in range(len(indptr) - 1):
        sampled = indptr[row + 1] - indptr[row] - 1
        scale = neighbours[row] / sampled if sampled else 1.0
        factor = by_row[nodes[row]] if len(by_row) else 1.0
        for n in range(indptr[row], indptr[row + 1]):
            value = weight[entries[n]] if len(weight) and entries[n] >= 0 else 1.0
            value = value + extra_loop if n == loops[row] else value * scale
            value *= factor
            if len(by_column):
                value *= by_column[indices[n]]
            out[n] = value
    return out


@compiled(nogil=True)
def degrees(indptr: Any, indices: Any, weight: Any, incoming: Any, outgoing: Any) -> None:
    """Adds up the weights of each row and column of a matrix with a self-loop at each node.

    Args:
        indptr: row pointers [N + 1].
        indices: columns [E], sorted within a row.
        weight: of the entries, or [0] for 1; a missing self-loop weighs 1.
        incoming: [N], zeros, which are filled with the sums of the rows.
        outgoing: [N], zeros, filled with the sums of the columns; or [0].
    """
    for node in range(len(indptr) - 1):
        low, high = indptr[node], indptr[node + 1]
        where = _first_from(indices, low, high, node)
        missing = where == high or indices[where] != node
        total = 1.0 if missing else 0.0
        if len(outgoing) and missing:
            outgoing[node] += 1.0
        for entry in range(low, high):
            value = np.float64(weight[entry]) if len(weight) else 1.0
            total += value
            if len(outgoing):
                outgoing[indices[entry]] += value
        incoming[node] = total


@compiled(nogil=True)
def mark_neighbours(indptr: Any, indices: Any, rows: Any, reached: Any) -> None:
    """Sets `reached` [N] at the columns of some rows, and at these themselves."""
    for row in range(len(rows)):
        if rows[row]:
            reached[row] = True
            for entry in range(indptr[row], indptr[row + 1]):
                reached[indices[entry]] = True
