"""What the parent and its workers share: where descriptors stand, how JSON is read, and what all workers do alike."""

import os
import sys

import _json
import _socket

from . import kernel
from . import rooms

# Where descriptors stand: in the parent the first and the last, in a worker all of them. Those between are kept from
# others, so that what comes from the runner never stands where a worker wants it.
CONTROL = CHANNEL = 3
REPLY, RULES, REPORT = 4, 5, 6


class Context:
    """What `_json` wants to know of a decoder and an encoder."""

    strict = True
    object_hook = object_pairs_hook = parse_constant = None
    parse_float, parse_int = float, int
    memo = {}


SCAN = _json.make_scanner(Context)


def read_json(text):
    return SCAN(text, 0)[0]


def take_control():
    """Moves the socket away from standard input, and closes whatever else was inherited."""
    os.dup2(0, CONTROL, inheritable=False)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    kernel.close_from(CONTROL + 1)
    for place in (REPLY, RULES, REPORT):
        os.dup2(0, place, inheritable=False)
    return _socket.socket(fileno=CONTROL)


class Prepared:
    """What all workers of a parent do alike, put together once: whatever a worker does by itself, it does on pages that
    are copied for it first."""

    def __init__(self, parent):
        plan = parent.plan
        self.shut = ()
        if parent.is_isolated:
            # Nobody can call what would be shared. Where calls are not refused, each has its own.
            shared = 0 if parent.can_filter else kernel.CLONE_NEWIPC
            self.begin = (
                kernel.prepare("sigprocmask", kernel.SIG_SETMASK, kernel.NO_SIGNALS, None),
                kernel.prepare("unshare", kernel.CLONE_NEWNS | shared),
                *rooms.private(plan["scratch_bytes"], plan["bundle_bytes"], parent.processes),
            )
            # The mounts belong to the outer one, so that nothing here can take them away.
            self.shut = (kernel.prepare("unshare", kernel.CLONE_NEWUSER), *kernel.without_capabilities())
        else:
            self.begin = (kernel.prepare("prctl", kernel.PR_SET_PDEATHSIG, 9, 0, 0, 0),)
        self.shut = (*self.shut, kernel.prepare("prctl", kernel.PR_SET_DUMPABLE, 1, 0, 0, 0))
        self.filter = kernel.filter_calls(parent.filter, True) if parent.can_filter else None
        self.end = (
            # Nothing of the parent's is open any more then.
            kernel.prepare("syscall", kernel.CLOSE_RANGE, REPORT if parent.landlock else RULES, 0xFFFFFFFF, 0),
            *(kernel.limit(name, most) for name, most in plan["limits"].items()),
        )
        self.rules = self.restrict = None
        if parent.landlock:
            self.prepare_rules(parent)

    def prepare_rules(self, parent):
        plan = parent.plan
        self.rules = kernel.Rules(parent.landlock, plan["subprocess"])
        if parent.is_isolated:
            reads = ["/"]
        else:
            reads = ["/" + name for name in rooms.SYSTEM] + ["/etc/" + name for name in rooms.SETTINGS]
            reads += parent.reads + ["/dev/" + name for name in rooms.DEVICES]
        writes = [*plan["writes"], *("/dev/" + name for name in rooms.DEVICES)]
        shared = [(path, self.rules.readable) for path in reads] + [(path, self.rules.writable) for path in writes]
        allowed = [self.rules.allow(RULES, path, rights) for path, rights in shared]
        self.allow = [call for call, place in filter(None, allowed)]
        if parent.landlock >= 4:
            self.allow += [self.rules.connect(RULES, port) for host in plan["hosts"] for port in host["ports"]]
        self.restrict = kernel.prepare("syscall", kernel.LANDLOCK_RESTRICT, RULES, 0)


def open_outputs():
    """The outputs of workers, before there are any: on descriptors that will be theirs."""
    # What it is now is what they take it for later: something like a pipe.
    os.dup2(2, 1)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        # What was printed before a crash or a time-out is not lost.
        stream = open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, "__%s__" % name, stream)
