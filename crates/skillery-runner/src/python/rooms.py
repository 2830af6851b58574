"""The file system that skills see: a small root of its own, with what an interpreter needs, read-only."""

import os
import sys

from . import kernel

SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
SETTINGS = ("ld.so.cache", "localtime", "ssl", "ca-certificates", "pki", "mime.types")
DEVICES = ("null", "zero", "full", "random", "urandom")
ACCOUNTS = {
    "passwd": "skill:x:65534:65534:skill:/tmp:/usr/sbin/nologin\n",
    "group": "skill:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n",
}
OLD = "/old"


class BadGrant(Exception):
    """What is granted cannot be given. The machine is as it should be."""


def interpreter_folders():
    """The folders of the interpreter and of the environment that it was started in."""
    found = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    environment = os.path.dirname(os.path.dirname(sys.executable))
    if os.path.exists(os.path.join(environment, "pyvenv.cfg")):
        found.add(environment)
    found.update(os.path.realpath(path) for path in list(found))
    folders = sorted(path for path in found if path not in ("/", "/usr") and os.path.isdir(path))
    return [path for path in folders if not any(path.startswith(other + "/") for other in folders)]


def is_below(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def place_for(source, path):
    """Makes what a mount on this path needs: a folder for a folder, a file for a file."""
    if os.path.exists(path):
        # It lies in a folder that is shown already, and may not be changed there.
        return
    if os.path.isdir(source):
        os.makedirs(path)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a"):
            pass


def build(reads, writes, settings):
    """Makes the new root, with more files for `/etc`, and leaves the old one. Returns what each worker must show again: pairs of where it is and
    where it belongs, for folders that the worker's own `/tmp` hides."""
    # Links are followed while they still lead where they should.
    real = {path: OLD + os.path.realpath(path) for path in [*reads, *writes, *("/etc/" + name for name in SETTINGS)]}
    kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,nr_inodes=16384,mode=755")
    os.chdir("/tmp")
    os.mkdir("old")
    kernel.pivot_root(".", "old")
    os.chdir("/")
    for name in ("proc", "tmp", "skill", "etc", "dev", "again"):
        os.mkdir("/" + name)
    for name in SYSTEM:
        path = "/" + name
        if os.path.islink(OLD + path):
            os.symlink(os.readlink(OLD + path), path)
        elif os.path.isdir(OLD + path):
            os.mkdir(path)
            kernel.bind(OLD + path, path)
    for name in SETTINGS:
        path = "/etc/" + name
        if os.path.exists(real[path]):
            place_for(real[path], path)
            kernel.bind(real[path], path)
    for name, text in {**ACCOUNTS, **settings}.items():
        with open("/etc/" + name, "w") as file:
            file.write(text)
    for name in DEVICES:
        path = "/dev/" + name
        place_for(OLD + path, path)
        kernel.bind(OLD + path, path, read_only=False, devices=True)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2"), ("shm", "/tmp")):
        os.symlink(target, "/dev/" + name)
    again = []
    for paths, read_only in ((reads, True), (writes, False)):
        for path in paths:
            source, shown = real[path], path
            if not os.path.exists(source):
                raise BadGrant("`%s` is granted, and is not there" % path)
            if is_below(path, "/tmp"):
                shown = "/again/%d" % len(again)
                again.append((shown, path, os.path.isdir(source)))
            try:
                place_for(source, shown)
                kernel.bind(source, shown, read_only)
            except OSError as error:
                raise BadGrant("`%s` cannot be shown to a skill (%s)" % (path, error))
    return again


def show_processes():
    """A `/proc` of the process namespace; whether the kernel lets us."""
    try:
        kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    except OSError:
        return False
    return True


def leave_old():
    kernel.call("umount2", OLD.encode(), kernel.MNT_DETACH)
    os.rmdir(OLD)
    flags = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount(None, "/", None, flags)


def private(scratch_bytes, bundle_bytes, processes):
    """The calls that give one worker what it has for itself, in a namespace of mounts of its own."""
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    if processes:
        yield kernel.mounting("proc", "/proc", "proc", flags | kernel.MS_NOEXEC, "subset=pid")
    yield kernel.mounting("tmpfs", "/tmp", "tmpfs", flags, "size=%d,nr_inodes=16384,mode=700" % scratch_bytes)
    yield kernel.mounting("tmpfs", "/skill", "tmpfs", flags, "size=%d,nr_inodes=16384,mode=700" % bundle_bytes)


def showing_again(again):
    """The calls that show, in a `/tmp` that can be written to, what it hides."""
    made, shown = {"/tmp"}, []
    for hidden, path, is_folder in again:
        # Whatever lies in a folder that is shown already is there.
        is_there = any(is_below(path, folder) for folder in shown)
        parts = [part for part in path.split("/") if part]
        for end in range(2, len(parts) + is_folder):
            folder = "/" + "/".join(parts[:end])
            if not is_there and folder not in made:
                made.add(folder)
                yield kernel.prepare("mkdir", os.fsencode(folder), 0o755)
        if is_folder:
            shown.append(path)
        elif not is_there:
            # It is closed with all others.
            yield kernel.prepare("open", os.fsencode(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        yield kernel.mounting(hidden, path, None, kernel.MS_BIND | kernel.MS_REC)


def show_to_parent(again):
    """The interpreter's own modules, where they lie in `/tmp`."""
    if again:
        kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
        kernel.make_all(showing_again(again))
