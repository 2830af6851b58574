"""What several processes hold together. Without a control group, only a look from outside tells."""

import os

from . import kernel

PAGE = os.sysconf("SC_PAGE_SIZE")


def held(roots, init, most):
    """Bytes of memory of these processes and all below them, but for `init`. Exact only where it is over `most`."""
    sizes = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                # A process may give itself any name, and any bytes for one.
                with open("/proc/%s/stat" % name, "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                sizes[int(name)] = (int(fields[1]), int(fields[21]) * PAGE)
            except (OSError, ValueError, IndexError):
                pass
    own = []
    for process in sizes:
        above = process
        while above in sizes and above not in roots:
            above = sizes[above][0]
        if above in roots and process != init:
            own.append(process)
    total = sum(sizes[process][1] for process in own)
    # What they share was counted for each; to know better takes longer.
    return total if total <= most else sum(map(proportional, own))


def proportional(process):
    """Bytes of memory, where a page that several processes share counts for each in part."""
    try:
        with open("/proc/%d/smaps_rollup" % process) as file:
            return sum(int(line.split()[1]) << 10 for line in file if line.startswith("Pss:"))
    except OSError:
        return 0


def use_large_pages(size):
    """Has the interpreter's own code in large pages. A fork copies one entry for each of them, where it otherwise copies none, and
    each worker is interrupted some fifty times to be shown code that this process has long seen."""
    for first, last in interpreter_code():
        first, last = -(-first // size) * size, last // size * size
        if first < last:
            kernel.move_to_large_pages(first, last, size)


def interpreter_code():
    """Where the code of the interpreter lies, and what cannot be changed beside it: pairs of addresses."""
    found, before = [], None
    with open("/proc/self/maps") as file:
        lines = file.read().splitlines()
    for line in lines:
        words = line.split(None, 5)
        path = words[5] if len(words) > 5 else ""
        if words[1] in ("r--p", "r-xp") and "python" in os.path.basename(path):
            first, last = (int(address, 16) for address in words[0].split("-"))
            if before == (path, first):
                found[-1] = found[-1][0], last
            else:
                found.append((first, last))
            before = path, last
    return found
