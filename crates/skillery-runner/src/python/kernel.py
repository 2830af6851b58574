"""What the kernel is asked for, and Python has no words for.

`_ctypes` is used without the package around it, whose import would take a third of the time of a start.
"""

import os
import struct

import _signal as signal

import _ctypes

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

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
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
# What waits and does nothing needs little room. Used again when its process has ended.
STACK = 16384
FREE_STACKS = []


class Long(_ctypes._SimpleCData):
    _type_ = "l"


class Byte(_ctypes._SimpleCData):
    _type_ = "c"


class Function(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = Long


LIBC = _ctypes.dlopen(None, 0)


def address(name):
    return _ctypes.dlsym(LIBC, name)


FUNCTIONS = {
    name: Function(address(name)) for name in ("syscall", "mount", "umount2", "unshare", "setns", "prctl", "capset", "clone")
}


PAUSE = address("pause")


def call(name, *arguments):
    """Calls a function of the C library. An integer is passed in full width. Raises `OSError`."""
    wide = [Long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result = FUNCTIONS[name](*wide)
    if result == -1:
        number = _ctypes.get_errno()
        raise OSError(number, "%s: %s" % (name, os.strerror(number)))
    return result


def memory(content):
    """Bytes with an address; keeps them alive."""
    return type("Memory", (_ctypes.Array,), {"_type_": Byte, "_length_": len(content)}).from_buffer(bytearray(content))


def mount(source, target, kind, flags, options=None):
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    call("mount", *encoded, flags, None if options is None else options.encode())


def bind(source, target, read_only=True, devices=False):
    """Shows a file or folder in a second place, with all that is mounted below it."""
    mount(source, target, None, MS_BIND | MS_REC)
    flags = (MS_RDONLY if read_only else 0) | MS_NOSUID | (0 if devices else MS_NODEV)
    attributes = struct.pack("=QQQQ", flags, 0, 0, 0)
    call("syscall", MOUNT_SETATTR, AT_FDCWD, os.fsencode(target), AT_RECURSIVE, attributes, len(attributes))


def pivot_root(new, old):
    call("syscall", PIVOT_ROOT, os.fsencode(new), os.fsencode(old))


def start_init():
    """Process 1 of the process namespace that the next child begins. It does nothing but wait to be killed, which
    kills all others of the namespace. It shares the memory and the descriptors of this process, so that no page has to be
    copied and nothing is held open; as its handlers of signals are those of this process too, no signal reaches it.
    Returns its id and the memory that it stands on."""
    stack = FREE_STACKS.pop() if FREE_STACKS else memory(bytes(STACK))
    top = (_ctypes.addressof(stack) + STACK) & ~15
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        return call("clone", PAUSE, top, CLONE_VM | CLONE_FILES | SIGCHLD, None), stack
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def close_from(first):
    """Closes all descriptors from this one on."""
    call("syscall", CLOSE_RANGE, first, 0xFFFFFFFF, 0)


def drop_capabilities():
    drop = FUNCTIONS["prctl"]
    for capability in range(LAST_CAPABILITY + 1):
        if drop(PR_CAPBSET_DROP, capability, 0, 0, 0) == -1:
            # There are no more.
            break
    call("capset", struct.pack("=Ii", 0x20080522, 0), bytes(24))


def filter_calls(program, listen):
    """Adds a seccomp filter; with `listen`, returns the descriptor that refused calls are told on."""
    code = memory(program)
    header = struct.pack("@HQ", len(program) // 8, _ctypes.addressof(code))
    flags = SECCOMP_FILTER_FLAG_NEW_LISTENER if listen else 0
    return call("syscall", SECCOMP, SECCOMP_SET_MODE_FILTER, flags, header)


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


def landlock(version, reads, writes, execute, connects):
    """Takes all rights to files from this process but for these paths, and what to binds, connections and signals to
    processes outside belongs. Paths that are not there are left out."""
    handled = (1 << (13 + (version >= 2) + (version >= 3))) - 1 | (IOCTL_DEV if version >= 5 else 0)
    attributes = struct.pack("=QQQ", handled, 3, 3)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = call("syscall", LANDLOCK_CREATE, attributes, len(attributes), 0)
    readable = READ_FILE | READ_DIR | (EXECUTE if execute else 0)
    writable = handled if execute else handled & ~EXECUTE
    for paths, rights in ((reads, readable), (writes, writable)):
        for path in paths:
            try:
                place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            fitting = rights & handled if os.path.isdir(path) else rights & handled & FOR_FILES
            call("syscall", LANDLOCK_ADD, rules, 1, struct.pack("=Qi", fitting, place), 0)
            os.close(place)
    if version >= 4:
        for port in connects:
            call("syscall", LANDLOCK_ADD, rules, 2, struct.pack("=QQ", 2, port), 0)
    call("syscall", LANDLOCK_RESTRICT, rules, 0)
    os.close(rules)
