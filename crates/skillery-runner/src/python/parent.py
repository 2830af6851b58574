"""The parent of workers: sets up what they share, and forks them ahead of need.

Started with one end of a socket of whole messages as standard input. The first message is the plan, in JSON. It
answers `hello` and JSON, or `refused` and a sentence. Then messages are words:

    fork ID          with four descriptors: the channel, standard output, standard error, a file for a large reply
    use MODULE       imports a module of the standard library when there is time, for the workers to come
    refuse ID        with the descriptor that calls of a worker wait on: answers them, from now on
    term ID          asks a worker's processes to end, and to be told when they have
    kill ID          kills them, and asks to be told
    watch ID         asks to be told when they have ended by themselves
    look 0           asks for connections that nobody inside holds any more
and back:
    ended ID STATUS  nothing of the worker is left; as `waitpid` tells it. Only to whom asked
    failed ID WHY    there is no worker
    denied ID CALL   the kernel refused a call, by its number; told before the worker knows
    closed 0 ONE OTHER …  those connections, each by its two addresses
    memory ID BYTES  the processes of the worker together had more than they may, and were killed

When the other end closes, this process ends, and the kernel ends all that it started.
"""

import gc
import os
import select
import sys

import _json
import _signal as signal
import _socket
import _struct as struct

from . import kernel
from . import network
from . import rooms
from . import worker
from .shared import CONTROL, Prepared, open_outputs, read_json, take_control
from .supervisor import Supervisor


class Refused(Exception):
    pass


class Parent:
    def __init__(self, control, plan):
        self.control = control
        self.plan = plan
        self.layers = {}
        self.again = []
        self.environment = {}
        self.is_isolated = self.has_begun = False

    def enter(self):
        """Sets the layers up, from the outside in. With namespaces, the process that goes on is a child of the one that
        was started; that one only waits."""
        plan = self.plan
        drops = os.getuid() == 0
        if drops and not plan["uid"]:
            raise Refused("skills never run as root, and there is no other user to run them as")
        folders = rooms.interpreter_folders()
        self.reads = folders + plan["reads"]
        flags = 0
        for flag in ("NEWUSER", "NEWNS", "NEWPID", "NEWNET", "NEWIPC", "NEWUTS", "NEWCGROUP"):
            flags |= getattr(kernel, "CLONE_" + flag)
        if plan["namespaces"]:
            try:
                self.isolate(flags, drops)
                self.is_isolated = True
            except OSError as error:
                if self.has_begun:
                    # There is no way back to what this process was.
                    raise Refused("missing namespaces (%s)" % error)
                self.layers["namespaces"] = str(error)
        else:
            self.layers["namespaces"] = "switched off"
        if not self.is_isolated:
            if drops and os.getuid() == 0:
                self.drop()
            if not os.access(os.__file__, os.R_OK):
                raise Refused("uid %d may not read the modules of %s" % (os.getuid(), sys.executable))
            # There is no other root that would hide where they lie.
            import shutil  # noqa: F401
            import tempfile  # noqa: F401

            kernel.call("prctl", kernel.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.layers["user"] = "uid %d" % os.getuid()
        kernel.call("prctl", kernel.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # Nobody looks into this process, or into one that still has its memory.
        kernel.call("prctl", kernel.PR_SET_DUMPABLE, 0, 0, 0, 0)
        self.landlock = kernel.landlock_version() if plan["landlock"] else 0
        self.layers["landlock"] = self.landlock or ("not in this kernel" if plan["landlock"] else "switched off")
        self.can_filter = plan["seccomp"] and kernel.SECCOMP > 0 and kernel.can_notify()
        if self.can_filter:
            kernel.make(kernel.filter_calls(bytes.fromhex(plan["before"]), False))
            self.filter = bytes.fromhex(plan["filter"])
            self.layers["seccomp"] = True
        else:
            self.layers["seccomp"] = "not in this kernel" if plan["seccomp"] else "switched off"
        self.layers["namespaces"] = self.is_isolated or self.layers["namespaces"]
        missing = [
            "%s (%s)" % (name, self.layers[name])
            for name in ("namespaces", "landlock", "seccomp")
            if isinstance(self.layers[name], str)
        ]
        if 0 < self.landlock < plan["landlock_floor"]:
            missing.append("landlock (version %d of at least %d)" % (self.landlock, plan["landlock_floor"]))
        if missing and not plan["weaker"]:
            raise Refused("missing " + ", ".join(missing))
        if plan["hosts"] and not self.is_isolated:
            raise Refused("hosts are granted, and without namespaces nothing would keep skills from all others")

    def isolate(self, flags, drops):
        processes = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        user, group = (self.plan["uid"], self.plan["gid"]) if drops else (os.getuid(), os.getgid())
        if drops:
            # Only this user may look into its own folders, so what is shown is put in place before it is given up.
            kernel.call("unshare", kernel.CLONE_NEWNS)
            self.has_begun = True
            self.again = rooms.build(self.reads, self.plan["writes"], network.settings(self.plan["hosts"]))
            rooms.show_processes()
            rooms.leave_old()
            self.drop()
        kernel.call("unshare", flags)
        self.has_begun = True
        for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (user, user)), ("gid_map", "%d %d 1" % (group, group))):
            file = os.open("self/" + name, os.O_WRONLY, dir_fd=processes)
            os.write(file, text.encode())
            os.close(file)
        os.close(processes)
        child = os.fork()
        if child:
            self.wait_outside(child)
        kernel.call("prctl", kernel.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if not drops:
            self.again = rooms.build(self.reads, self.plan["writes"], network.settings(self.plan["hosts"]))
        self.processes = rooms.show_processes()
        if not drops:
            rooms.leave_old()
        rooms.show_to_parent(self.again)
        self.layers["proc"] = self.processes
        if not self.processes:
            raise OSError(1, "`/proc` cannot be mounted in a namespace")
        self.apart = kernel.prepare("unshare", kernel.CLONE_NEWPID)
        self.back = kernel.prepare("setns", os.open("/proc/self/ns/pid", os.O_RDONLY), kernel.CLONE_NEWPID)
        kernel.hold_signals()

    def wait_outside(self, child):
        """Ends with the child, and sees to its end when the runner has gone, even where the child hangs."""
        waiting = select.poll()
        waiting.register(CONTROL, 0)
        process = os.pidfd_open(child)
        waiting.register(process, select.POLLIN)
        if process not in [descriptor for descriptor, _ in waiting.poll()]:
            waiting.unregister(CONTROL)
            if not waiting.poll(1000):
                os.kill(child, signal.SIGKILL)
        os._exit(0)

    def drop(self):
        os.setgroups([])
        os.setresgid(*[self.plan["gid"]] * 3)
        os.setresuid(*[self.plan["uid"]] * 3)
        kernel.call("prctl", kernel.PR_SET_DUMPABLE, 1, 0, 0, 0)

    def prepare(self):
        """What all workers do alike is put together here, and done for them as far as it can be."""
        if self.is_isolated:
            os.environ.update(HOME="/tmp", TMPDIR="/tmp")
            self.environment = dict(os.environ)
        self.prepared = Prepared(self)
        worker.install_hooks()
        open_outputs()
        sys.path[:] = [place for place in sys.path if "python" in place and place.startswith((sys.base_prefix, sys.prefix))]
        # What is here now is never looked at again when memory is cleared up.
        gc.disable()
        gc.freeze()


def main():
    sys.dont_write_bytecode = True
    os.umask(0o022)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    kernel.make(kernel.limit("NOFILE", kernel.INFINITY))
    control = take_control()
    plan = read_json(control.recv(1 << 20).decode())
    version = "%d.%d.%d" % sys.version_info[:3]
    parent = Parent(control, plan)
    try:
        if sys.version_info < (3, 9):
            raise Refused("old " + version)
        parent.enter()
        sockets = network.listen(plan["hosts"]) if plan["hosts"] else []
        parent.prepare()
    except (Refused, rooms.BadGrant, OSError) as error:
        word = "refused grant" if isinstance(error, rooms.BadGrant) else "refused"
        control.send(("%s %s" % (word, error)).encode())
        os._exit(1)
    layers = ",".join('"%s":%s' % (name, text_of(value)) for name, value in parent.layers.items())
    hello = 'hello {"version":"%s","layers":{%s}}' % (version, layers)
    rights = struct.pack("%di" % len(sockets), *[socket.fileno() for socket in sockets])
    control.sendmsg([hello.encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if sockets else [])
    # They are the runner's now.
    del sockets
    Supervisor(parent).serve()


def text_of(value):
    if value is True or value is False:
        return str(value).lower()
    return _json.encode_basestring_ascii(value) if isinstance(value, str) else str(value)
