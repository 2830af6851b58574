"""What the parent and its workers share: where descriptors stand, how JSON is read, and what all workers do alike."""

import os
import sys

import _json
import _socket

from . import kernel
from . import rooms

# Where descriptors stand: in the parent the first, in a worker all of them. The others are kept from what else is opened
# there, so that what comes from the runner never stands where a worker wants it, and what a worker opens is known to
# stand where it has just closed something: the kernel takes the lowest that is free.
CONTROL = CHANNEL = 3
REPLY, RULES, SPARE = 4, 5, 6
# Milliseconds that a worker waits for its step before it rehearses one.
WAIT = 5


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
    kernel.make(kernel.closing_from(CONTROL + 1))
    for place in (REPLY, RULES, SPARE):
        os.dup2(0, place, inheritable=False)
    return _socket.socket(fileno=CONTROL)


class Prepared:
    """The calls that shut workers in, put together once: whatever a worker does by itself, it does on pages that are copied for
    it first."""

    def __init__(self, parent):
        plan = parent.plan
        self.places = {}
        self.is_isolated = parent.is_isolated
        self.hurry = kernel.be_patient()
        self.filter = kernel.filter_calls(parent.filter, True) if parent.can_filter else None
        limits = dict(plan["limits"])
        # Not before it has sent a descriptor: the kernel compares with it what all processes of the user have under way.
        self.open_files = kernel.limit("NOFILE", limits.pop("NOFILE"))
        self.limits = [kernel.limit(name, most) for name, most in limits.items()]
        self.waits = kernel.sending(CHANNEL, b"+", [SPARE] if self.filter else [])
        self.rules = self.restrict = None
        if parent.landlock:
            self.prepare_rules(parent)
        if parent.is_isolated:
            # Nobody can call what would be shared. Where calls are not refused, each has its own.
            shared = 0 if parent.can_filter else kernel.CLONE_NEWIPC
            self.begin = [
                kernel.prepare("sigprocmask", kernel.SIG_SETMASK, kernel.NO_SIGNALS, None),
                kernel.prepare("unshare", kernel.CLONE_NEWNS | shared),
                *rooms.private(plan["scratch_bytes"], plan["bundle_bytes"], parent.processes),
                *rooms.showing_again(parent.again),
            ]
            # The mounts belong to the outer one, so that nothing here can take them away.
            self.end = [kernel.prepare("unshare", kernel.CLONE_NEWUSER), *kernel.without_capabilities()]
            self.usual = self.calls("/tmp", "/skill")
        else:
            self.begin = [kernel.prepare("prctl", kernel.PR_SET_PDEATHSIG, 9, 0, 0, 0)]
            self.end = []
        self.wait = kernel.wait_for(CHANNEL, WAIT)

    def take_places(self, descriptors):
        """The calls that put the descriptors of a worker in their places, where none of them stands yet."""
        if descriptors not in self.places:
            # They stand in the same places each time, as good as always.
            self.places.clear()
            self.places[descriptors] = [kernel.prepare("setsid")] + [
                kernel.prepare("dup3", descriptor, place, 0 if place < CHANNEL else os.O_CLOEXEC)
                for place, descriptor in zip((CHANNEL, 1, 2, REPLY), descriptors)
            ]
        return self.places[descriptors]

    def calls(self, folder, bundle):
        """All calls after that, with the folders that a worker has for itself. With the last ones it says that it waits."""
        # Where the code of a skill lies in most bundles.
        calls = [*self.begin, kernel.prepare("mkdir", os.fsencode(bundle + "/scripts"), 0o755)]
        if self.rules:
            calls += [kernel.prepare("close", RULES), self.rules.create, *self.allow]
            # With a root of its own, all that is there may be read.
            own = [(folder, self.rules.writable)] + ([] if self.is_isolated else [(bundle, self.rules.readable)])
            for path, rights in own:
                calls += [
                    kernel.prepare("close", SPARE),
                    kernel.prepare("open", os.fsencode(path), os.O_PATH | os.O_CLOEXEC),
                    self.rules.allow_place(RULES, SPARE, rights),
                ]
        calls += [
            *self.end,
            kernel.prepare("chdir", os.fsencode(folder)),
            *self.hurry,
            kernel.prepare("prctl", kernel.PR_SET_DUMPABLE, 1, 0, 0, 0),
            *self.limits,
        ]
        if self.filter:
            # From here on, what it does not know is refused, and told on a descriptor that the runner gets.
            calls += [kernel.prepare("close", SPARE), self.filter]
        # Nothing of the parent's is open any more then.
        first = SPARE if self.rules else RULES
        return [*calls, self.waits, self.open_files, kernel.closing_from(first)]

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
        self.allow = [call for call in (self.rules.allow(RULES, path, rights) for path, rights in shared) if call]
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
