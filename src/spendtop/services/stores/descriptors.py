"""How many files and sockets this process may have open, and who gets how many of them."""

from __future__ import annotations

import resource

_MOST = 65_536
"""No need of ours is beyond that, and some systems refuse the unlimited number that they allow."""
_OF_THE_REST = 128
"""For the store, the log, files, questions to providers and what libraries open."""
_MOST_CONNECTIONS, _MOST_FOLLOWERS, _MOST_DELIVERIES = 2048, 32, 4
_OF_A_DELIVERY = 16


class Descriptors:
    """The shares of `total` descriptors."""

    def __init__(self, total: int) -> None:
        self.total = total

    @property
    def connections(self) -> int:
        """Of the listener. At least half, where there are few."""
        return min(_MOST_CONNECTIONS, max(self.total // 2, self.total - _OF_THE_REST))

    @property
    def reserved(self) -> int:
        """Of the connections, for what is never refused for others."""
        return self.connections // 8

    @property
    def followers(self) -> int:
        """Connections that follow what happens, without an end."""
        return max(1, min(_MOST_FOLLOWERS, self.connections // 4))

    @property
    def deliveries(self) -> int:
        """Messages that are delivered at once, each by a process with pipes."""
        return max(1, min(_MOST_DELIVERIES, (self.total - self.connections) // _OF_A_DELIVERY))


def descriptors() -> Descriptors:
    """As many as this process may have now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Descriptors(_MOST if soft == resource.RLIM_INFINITY else soft)


def raise_descriptor_limit() -> None:
    """Let this process have as many as its system allows; children that it starts later, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
