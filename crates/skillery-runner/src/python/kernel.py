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

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_CAPBSET_DROP = 1, 4, 23, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38

AT_FDCWD, AT_RECURSIVE = -100, 0x8000
SECCOMP_SET_MODE_FILTER, SECCOMP_GET_ACTION_AVAIL = 1, 2
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
SECCOMP_RET_USER_NOTIF = 0x7FC00000
SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND = 0xC0502100, 0xC0182101

# Numbers that are the same on every architecture, and two that are not.
CLOSE_RANGE, MOUNT_SETATTR, LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 436, 442, 444, 445, 446
PIVOT_ROOT, SECCOMP = {"x86_64": (155, 317), "aarch64": (41, 277)}.get(os.uname().machine, (-1, -1))

SIGCHLD = 17
LAST_CAPABILITY = 63
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
    for name in ("mount", "umount2", "unshare", "setns", "prctl", "capset", "clone", "prlimit", "sigprocmask", "ioctl")
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


def close_from(first):
    """Closes all descriptors from this one on."""
    call("syscall", CLOSE_RANGE, first, 0xFFFFFFFF, 0)


def without_capabilities():
    """The calls that take all of them away, and every way to gain one."""
    calls = []
    for capability in range(LAST_CAPABILITY + 1):
        if FUNCTIONS["prctl"](PR_CAPBSET_READ, capability, 0, 0, 0) == -1:
            # There are no more.
            break
        calls.append(prepare("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0))
    return [*calls, prepare("capset", struct.pack("=Ii", 0x20080522, 0), bytes(24))]


def limit(name, most):
    """The call that sets a limit, soft and hard, or lowers it no further where it is lower."""
    before = bytearray(16)
    call("prlimit", 0, LIMITS[name], None, address_of(before))
    most = min(most, struct.unpack("=QQ", before)[1])
    return prepare("prlimit", 0, LIMITS[name], struct.pack("=QQ", most, most), None)


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

    def allow(self, rules, path, rights, is_folder=False):
        """The call that leaves these rights to a path, and the descriptor that it needs; none where it is not there."""
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return None
        fitting = rights & self.handled if is_folder or os.path.isdir(path) else rights & self.handled & FOR_FILES
        return prepare("syscall", LANDLOCK_ADD, rules, 1, struct.pack("=Qi", fitting, place), 0), place

    def connect(self, rules, port):
        """The call that leaves connections to a TCP port; rules know of ports from version 4 on."""
        return prepare("syscall", LANDLOCK_ADD, rules, 2, struct.pack("=QQ", 2, port), 0)
