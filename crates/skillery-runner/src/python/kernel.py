"""What the kernel is asked for, and Python has no words for.

`_ctypes` is used without the package around it, whose import would take a third of the time of a start.
"""

import os
import sys

import _ctypes
import _struct as struct

CLONE_VM, CLONE_FILES = 0x100, 0x400
CLONE_NEWNS = 0x20000
CLONE_NEWCGROUP = 0x2000000
CLONE_NEWUTS = 0x4000000
CLONE_NEWIPC = 0x8000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECUREBITS = 1, 4, 28
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38

AT_FDCWD, AT_RECURSIVE = -100, 0x8000
SECCOMP_SET_MODE_FILTER, SECCOMP_GET_ACTION_AVAIL = 1, 2
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND = 0xC0502100, 0xC0182101

# Numbers that are the same on every architecture, and two that are not.
CLOSE_RANGE, MOUNT_SETATTR, LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 436, 442, 444, 445, 446
PIVOT_ROOT, SECCOMP = {"x86_64": (155, 317), "aarch64": (41, 277)}.get(os.uname().machine, (-1, -1))

SCHED_OTHER, SCHED_BATCH = 0, 3
# Of x86-64, as nobody else asks.
MMAP, MPROTECT, MUNMAP, MREMAP, MADVISE = 9, 10, 11, 25, 28
PROT_READ, PROT_WRITE, PROT_EXEC, MAP_PRIVATE, MAP_ANONYMOUS = 1, 2, 4, 2, 32
MREMAP_MAYMOVE, MREMAP_FIXED, MADV_HUGEPAGE, MADV_COLLAPSE = 1, 2, 14, 25

SIGCHLD = 17
# Neither starting a program as root, nor becoming root or ceasing to be, nor asking for it gives a capability; locked.
NO_ROOT = 0x1 | 0x2 | 0x4 | 0x8 | 0x20 | 0x40 | 0x80
SIG_SETMASK = 2
ALL_SIGNALS, NO_SIGNALS = b"\xff" * 128, bytes(128)
# Of limits, by the numbers of these architectures.
LIMITS = {"CPU": 0, "FSIZE": 1, "CORE": 4, "NPROC": 6, "NOFILE": 7, "MEMLOCK": 8, "AS": 9, "MSGQUEUE": 12}
INFINITY = 2**64 - 1
# What waits and does nothing needs little room. Used again when its process has ended.
STACK = 16384
FREE_STACKS = []
# Memory whose address a prepared call holds.
KEPT = []


class Long(_ctypes._SimpleCData):
    _type_ = "l"


class Byte(_ctypes._SimpleCData):
    _type_ = "c"


class Int(_ctypes._SimpleCData):
    _type_ = "i"


class Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = Int


class LongFunction(Function):
    _flags_ = Function._flags_
    _restype_ = Long


LIBC = _ctypes.dlopen(None, 0)


def address(name):
    return _ctypes.dlsym(LIBC, name)


FUNCTIONS = {
    name: Function(address(name))
    for name in (
        *("mount", "umount2", "unshare", "setns", "prctl", "capset", "clone", "prlimit", "sigprocmask", "ioctl"),
        *("setsid", "sched_setscheduler", "dup3", "open", "close", "mkdir", "chdir", "sendmsg", "poll", "memmove"),
    )
}
FUNCTIONS["syscall"] = LongFunction(address("syscall"))


class Object(_ctypes._SimpleCData):
    _type_ = "O"


class PythonFunction(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI
    _restype_ = Object


COMPILE = PythonFunction(address("Py_CompileStringExFlags"))
# Of `PyCompilerFlags`: the source is UTF-8, whatever its first lines say.
COMPILER_FLAGS = struct.pack("=ii", 0x100 | 0x800, sys.version_info[1])
FILE_INPUT = 257


def compile_file(code, file):
    """What `compile` does with a module. But that one also makes two hundred types first, for those who give it a tree of
    syntax, which takes two milliseconds in each process that it is called in."""
    source = code.encode()
    if b"\0" in source:
        return compile(code, file, "exec", dont_inherit=True)
    return COMPILE(source, os.fsencode(file), Long(FILE_INPUT), COMPILER_FLAGS, Long(-1))


PAUSE = address("pause")
# One object for each small number, so that the calls of a worker lie close together in memory.
SMALL = [Long(number) for number in range(64)]


def wide(argument):
    if not isinstance(argument, int):
        return argument
    return SMALL[argument] if 0 <= argument < len(SMALL) else Long(argument)


def prepare(name, *arguments):
    """A call of a function of the C library that can be made later, with nothing left to convert: a worker touches few
    pages for it. An integer is passed in full width."""
    return name, FUNCTIONS[name], tuple(map(wide, arguments))


def make(prepared):
    """Makes a call. Raises `OSError`."""
    name, function, arguments = prepared
    result = function(*arguments)
    if result == -1:
        raise failed(name)
    return result


def make_all(calls):
    """Makes calls one after another, up to the first that fails."""
    for name, function, arguments in calls:
        if function(*arguments) == -1:
            raise failed(name)


def failed(name):
    number = _ctypes.get_errno()
    return OSError(number, "%s: %s" % (name, os.strerror(number)))


def call(name, *arguments):
    return make(prepare(name, *arguments))


def memory(content):
    """Bytes with an address; what is returned keeps them alive."""
    return Byte.from_buffer(bytearray(content))


def address_of(content):
    """Where a `bytearray` lies, for a call that writes to it."""
    return _ctypes.addressof(Byte.from_buffer(content))


def mount(source, target, kind, flags, options=None):
    make(mounting(source, target, kind, flags, options))


def mounting(source, target, kind, flags, options=None):
    """The call that mounts."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    return prepare("mount", *encoded, flags, None if options is None else options.encode())


def bind(source, target, read_only=True, devices=False):
    """Shows a file or folder in a second place, with all that is mounted below it."""
    mount(source, target, None, MS_BIND | MS_REC)
    flags = (MS_RDONLY if read_only else 0) | MS_NOSUID | (0 if devices else MS_NODEV)
    attributes = struct.pack("=QQQQ", flags, 0, 0, 0)
    call("syscall", MOUNT_SETATTR, AT_FDCWD, os.fsencode(target), AT_RECURSIVE, attributes, len(attributes))


def pivot_root(new, old):
    call("syscall", PIVOT_ROOT, os.fsencode(new), os.fsencode(old))


def hold_signals():
    """No signal reaches this process, or an init that it starts: its handlers would be those of this process too."""
    call("sigprocmask", SIG_SETMASK, ALL_SIGNALS, None)


def start_init():
    """Process 1 of the process namespace that the next child begins. It does nothing but wait to be killed, which
    kills all others of the namespace. It shares the memory and the descriptors of this process, so that no page has to be
    copied and nothing is held open. Returns its id and the memory that it stands on."""
    stack = FREE_STACKS.pop() if FREE_STACKS else memory(bytes(STACK))
    top = (_ctypes.addressof(stack) + STACK) & ~15
    return call("clone", PAUSE, top, CLONE_VM | CLONE_FILES | SIGCHLD, None), stack


def closing_from(first):
    """The call that closes all descriptors from this one on."""
    return prepare("syscall", CLOSE_RANGE, first, 0xFFFFFFFF, 0)


def sending(socket, text, descriptors):
    """The call that sends a message with descriptors."""
    piece = memory(text)
    pieces = memory(struct.pack("@PN", _ctypes.addressof(piece), len(text)))
    # A header of its length, level and kind, and what it holds: `SCM_RIGHTS` at `SOL_SOCKET`.
    rights = struct.pack("@Nii%di" % len(descriptors), 16 + 4 * len(descriptors), 1, 1, *descriptors)
    rights += bytes(-len(rights) % 8)
    control = memory(rights)
    KEPT.extend((piece, pieces, control))
    length = len(rights) if descriptors else 0
    header = struct.pack("@PIPNPNi4x", 0, 0, _ctypes.addressof(pieces), 1, _ctypes.addressof(control), length, 0)
    return prepare("sendmsg", socket, header, 0)


def without_capabilities():
    """The calls that take all of them away. None is ever gained again: who is root has none here, and what files would
    give, `no_new_privs` does not let them."""
    return [prepare("prctl", PR_SET_SECUREBITS, NO_ROOT, 0, 0, 0), prepare("capset", struct.pack("=Ii", 0x20080522, 0), bytes(24))]


def hard_limit(name):
    before = bytearray(16)
    call("prlimit", 0, LIMITS[name], None, address_of(before))
    return struct.unpack("=QQ", before)[1]


def limit(name, most):
    """The call that sets a limit, soft and hard, or lowers it no further where it is lower."""
    most = min(most, hard_limit(name))
    return prepare("prlimit", 0, LIMITS[name], struct.pack("=QQ", most, most), None)


def be_patient():
    """Has this process take a processor from nobody when it wakes: steps are urgent, and what is done ahead of them is not.
    Returns the calls with which a child takes its turn as all others do."""
    batch, other = (prepare("sched_setscheduler", 0, policy, bytes(4)) for policy in (SCHED_BATCH, SCHED_OTHER))
    try:
        if os.sched_getscheduler(0) != SCHED_OTHER:
            return []
        make(batch)
    except (OSError, AttributeError):
        # Not every C library has it.
        return []
    return [other]


PROCESSOR = bytearray(16)
MOST_SECONDS = hard_limit("CPU")
LIMIT_PROCESSOR = prepare("prlimit", 0, LIMITS["CPU"], address_of(PROCESSOR), None)


def limit_processor(seconds):
    """Sets how long this process may compute, which is known when a step begins."""
    most = min(seconds, MOST_SECONDS)
    struct.pack_into("=QQ", PROCESSOR, 0, most, most)
    make(LIMIT_PROCESSOR)


def wait_for(descriptor, milliseconds):
    """The call that waits until there is something to read; it returns 0 if there is nothing by then."""
    entry = memory(struct.pack("=ihh", descriptor, 1, 0))
    KEPT.append(entry)
    return prepare("poll", _ctypes.addressof(entry), 1, milliseconds)


def filter_calls(program, listen):
    """The call that adds a seccomp filter; with `listen`, it returns the descriptor that refused calls are told on."""
    code = memory(program)
    header = struct.pack("@HQ", len(program) // 8, _ctypes.addressof(code))
    KEPT.append(code)
    flags = SECCOMP_FILTER_FLAG_NEW_LISTENER if listen else 0
    return prepare("syscall", SECCOMP, SECCOMP_SET_MODE_FILTER, flags, header)


def can_notify():
    try:
        call("syscall", SECCOMP, SECCOMP_GET_ACTION_AVAIL, 0, struct.pack("=I", SECCOMP_RET_USER_NOTIF))
    except OSError:
        return False
    return True


# Landlock's rights.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV


def landlock_version():
    """The version of Landlock that this kernel has; 0 for none."""
    try:
        return call("syscall", LANDLOCK_CREATE, None, 0, 1)
    except OSError:
        return 0


class Rules:
    """Which paths Landlock leaves to workers: what is the same for all of them is opened once."""

    def __init__(self, version, execute):
        self.version = version
        self.handled = (1 << (13 + (version >= 2) + (version >= 3))) - 1 | (IOCTL_DEV if version >= 5 else 0)
        attributes = struct.pack("=QQQ", self.handled, 3, 3)[: 8 if version < 4 else 16 if version < 6 else 24]
        self.create = prepare("syscall", LANDLOCK_CREATE, attributes, len(attributes), 0)
        self.readable = READ_FILE | READ_DIR | (EXECUTE if execute else 0)
        self.writable = self.handled if execute else self.handled & ~EXECUTE

    def allow(self, rules, path, rights):
        """The call that leaves these rights to a path that is there now, which it holds open; none where it is not there."""
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return None
        return self.allow_place(rules, place, rights if os.path.isdir(path) else rights & FOR_FILES)

    def allow_place(self, rules, place, rights):
        """The call that leaves these rights to what a descriptor stands for then."""
        return prepare("syscall", LANDLOCK_ADD, rules, 1, struct.pack("=Qi", rights & self.handled, place), 0)

    def connect(self, rules, port):
        """The call that leaves connections to a TCP port; rules know of ports from version 4 on."""
        return prepare("syscall", LANDLOCK_ADD, rules, 2, struct.pack("=QQ", 2, port), 0)


def move_to_large_pages(first, last, size):
    """Puts a copy of code in large pages in the place of the code, in one call of the kernel's. Nothing else may run meanwhile.
    Both addresses are multiples of the size. Raises `OSError`, and then all is as it was."""
    length = last - first
    room = call("syscall", MMAP, 0, length + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    new = -(-room // size) * size
    try:
        call("syscall", MADVISE, new, length, MADV_HUGEPAGE)
        FUNCTIONS["memmove"](Long(new), Long(first), Long(length))
        call("syscall", MADVISE, new, length, MADV_COLLAPSE)
        call("syscall", MPROTECT, new, length, PROT_READ | PROT_EXEC)
        call("syscall", MREMAP, new, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, first)
    finally:
        # What has moved is not there any more.
        call("syscall", MUNMAP, room, length + size)
