"""`kind: dirichlet`: labels mixed by Dirichlet draws, of the clients (arXiv 1909.06335) or the labels (1905.12022)."""

from __future__ import annotations

from ftbench.data.partitions.base import Given, Shares, cut, even, refuse
from ftbench.spec.partitions import DirichletPartition

STREAM = 0x44495243
"""Second word of the seed ("DIRC")."""
ATTEMPTS = 1000
"""How often all shares are drawn again until each client has `min_rows`."""


def deal(given: Given, block: DirichletPartition) -> Shares:
    """Shares by `block.draw`, row numbers ascending. Raises InvalidInput (FTB309)."""
    shares = clients_draw(given, block.alpha) if block.draw == "clients" else labels_draw(given, block)
    return [sorted(share) for share in shares]


def clients_draw(given: Given, alpha: float) -> Shares:
    """Client k draws q from Dir(alpha · p), p being the mix of all rows, and each of its rows' labels from q.

    A label that is used up leaves q, which is scaled to 1 again. The last clients therefore get what is left.
    """
    import numpy

    random = given.random(STREAM)
    by_label = list(given.by_label(random).values())
    left = numpy.array([len(rows) for rows in by_label])
    prior = left / given.rows
    shares: Shares = []
    for size in even(given.rows, given.clients):
        mix = random.dirichlet(alpha * prior)
        share: list[int] = []
        while len(share) < size:
            # Rows drawn beyond a label's last one are drawn again without it: the same as one row after another.
            mix = numpy.where(left > 0, mix, 0.0)
            if not mix.sum() > 0:  # nothing of what this client wants is left
                mix = left.astype(float)
            wanted = random.multinomial(size - len(share), mix / mix.sum())
            for label, count in enumerate(numpy.minimum(wanted, left).tolist()):
                end = int(left[label])
                share += by_label[label][end - count : end]
                left[label] -= count
        shares.append(share)
    return shares


def labels_draw(given: Given, block: DirichletPartition) -> Shares:
    """Each label draws from Dir(alpha, …, alpha) which part of its rows each client gets.

    Raises InvalidInput (FTB309) when no draw of ATTEMPTS gives each client `min_rows`.
    """
    import numpy

    random = given.random(STREAM)
    least = block.min_rows or 1
    by_label = given.by_label(random)
    counts = numpy.array([len(rows) for rows in by_label.values()])
    if least * given.clients > given.rows:
        raise refuse(
            f"{given.rows} training rows do not give each of {given.clients} clients {least} (`min_rows`)",
            "lower federation.partition.min_rows or federation.clients",
        )
    for _ in range(ATTEMPTS):
        parts = random.dirichlet(numpy.full(given.clients, block.alpha), size=len(counts))
        ends = numpy.floor(numpy.cumsum(parts, axis=1) * counts[:, None]).astype(int)
        ends[:, -1] = counts
        sizes = numpy.diff(numpy.minimum(ends, counts[:, None]), axis=1, prepend=0)
        if sizes.sum(axis=0).min() >= least:
            break
    else:
        raise refuse(
            f"none of {ATTEMPTS} draws with alpha {block.alpha} gives each of {given.clients} clients {least} rows",
            "raise federation.partition.alpha, lower min_rows or federation.clients, or `draw: clients`",
        )
    shares: Shares = [[] for _ in range(given.clients)]
    for rows, split in zip(by_label.values(), sizes.tolist(), strict=True):
        for client, piece in enumerate(cut(rows, split)):
            shares[client] += piece
    return shares
