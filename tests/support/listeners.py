"""Addresses at which processes listen, as the kernel lists them in /proc."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"


def listening_addresses(pids: set[int]) -> dict[int, set[str]]:
    """Return the IP addresses at which each process listens; processes without one are left out."""
    addresses = {
        inode: address for name in ("tcp", "tcp6") for inode, address in _sockets(Path(f"/proc/net/{name}"))
    }
    found: dict[int, set[str]] = {}
    for pid in pids:
        for inode in _inodes(pid) & addresses.keys():
            found.setdefault(pid, set()).add(addresses[inode])
    return found


def is_loopback(address: str) -> bool:
    """Return True if only processes of this machine reach an address."""
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def descendants(pid: int) -> set[int]:
    """Return the ids of a process and of all processes that descend from it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _sockets(table: Path) -> list[tuple[int, str]]:
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return [(int(row[9]), _address(row[1])) for row in rows if row[3] == _LISTEN]


def _address(text: str) -> str:
    # The kernel prints an address as 32-bit words, each with its bytes reversed.
    words = text.partition(":")[0]
    content = b"".join(bytes.fromhex(words[at : at + 8])[::-1] for at in range(0, len(words), 8))
    return str(ipaddress.ip_address(content))


def _inodes(pid: int) -> set[int]:
    found = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                target = str(entry.readlink())
                if target.startswith("socket:["):
                    found.add(int(target[8:-1]))
    return found
