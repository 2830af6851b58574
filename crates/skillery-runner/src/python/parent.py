"""The parent of workers: sets up what they share, and forks them ahead of need.

Started with one end of a socket of whole messages as standard input. The first message is the plan, in JSON. It
answers `hello` and JSON, or `refused` and a sentence. Then messages are words:

    fork ID          with four descriptors: the channel, standard output, standard error, a file for a large reply
    use MODULE       imports a module of the standard library when there is time, for the workers to come
    term ID          asks a worker's processes to end
    kill ID          kills them
    look 0           asks for connections that nobody inside holds any more
and back:
    ended ID STATUS  nothing of the worker is left; as `waitpid` tells it
    failed ID WHY    there is no worker
    denied ID CALL   the kernel refused a call, by its number
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
from . import memory
from . import network
from . import rooms
from . import worker
from .shared import CONTROL, REPORT, Prepared, open_outputs, read_json, take_control

MOST_TOLD = 16
# Milliseconds between two looks at the memory of processes that skills have started.
LOOK = 100
RIGHTS = _socket.CMSG_SPACE(16)


class Refused(Exception):
    pass


class Worker:
    def __init__(self, process, init, stack, scratch):
        self.process = process
        # What the process of its own namespace stands on; kept until that has ended.
        self.init, self.stack = init, stack
        self.scratch = scratch
        self.listener = -1
        self.failure = None
        self.status = 0
        self.told = 0


class Parent:
    def __init__(self, control, plan):
        self.control = control
        self.plan = plan
        self.workers = {}
        self.poll = select.poll()
        self.poll.register(CONTROL, select.POLLIN)
        self.watched = {}
        self.changes = 0
        self.layers = {}
        self.again = []
        self.dying = []
        self.environment = {}
        self.is_isolated = self.has_begun = False
        # What is still to be done ahead, when there is time.
        self.ahead = [worker.rehearse]

    # What the workers share.

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

    # Workers.

    def tell(self, *words):
        try:
            self.control.send(" ".join(map(str, words)).encode())
        except OSError:
            os._exit(0)

    def watch(self, descriptor, function, *arguments):
        self.changes += 1
        self.watched[descriptor] = (function, arguments)
        self.poll.register(descriptor, select.POLLIN)

    def unwatch(self, descriptor):
        if descriptor in self.watched:
            self.changes += 1
            del self.watched[descriptor]
            self.poll.unregister(descriptor)
            os.close(descriptor)

    def fork(self, number, descriptors):
        init, stack, scratch = 0, None, None
        process = -1
        self.bury()
        try:
            if self.is_isolated:
                kernel.make(self.apart)
                init, stack = kernel.start_init()
            else:
                import tempfile

                scratch = tempfile.mkdtemp(prefix="skillery-")
            process = os.fork()
        except OSError as error:
            if init:
                os.kill(init, signal.SIGKILL)
                os.waitpid(init, 0)
            self.tell("failed", number, error)
            return
        finally:
            if process:
                for descriptor in descriptors:
                    os.close(descriptor)
                if self.is_isolated:
                    kernel.make(self.back)
        if process == 0:
            worker.enter(self, number, descriptors, scratch)
        self.workers[number] = Worker(process, init, stack, scratch)
        self.watch(os.pidfd_open(process), self.on_end, number)

    def on_report(self, descriptor):
        """Workers hand over the descriptors that refused calls are told on, or say why they cannot begin. Whether there
        was something to read."""
        try:
            text, ancillary, _, _ = self.reports.recvmsg(4096, RIGHTS, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        number, _, failure = text.partition(b" !")
        worker = self.workers.get(int(number))
        for _, _, data in ancillary:
            listener = int.from_bytes(data[:4], sys.byteorder)
            if worker:
                worker.listener = listener
                self.watch(listener, self.on_denied, int(number))
            else:
                os.close(listener)
        if worker and failure:
            worker.failure = failure.decode(errors="replace")
        return True

    def on_silence(self, descriptor):
        """Nobody is left who could say anything there; the number of the descriptor may soon stand for another."""
        _, (number,) = self.watched[descriptor]
        worker = self.workers.get(number)
        if worker and worker.listener == descriptor:
            worker.listener = -1
        self.unwatch(descriptor)

    def on_denied(self, descriptor, number):
        notice = bytearray(80)
        try:
            kernel.call("ioctl", descriptor, kernel.SECCOMP_IOCTL_NOTIF_RECV, kernel.address_of(notice))
        except OSError:
            # Who asked was killed meanwhile.
            return
        identity, _, _, call = struct.unpack_from("=QIIi", notice)
        known = call in self.plan["calls"]
        answer = bytearray(struct.pack("=QqiI", identity, 0, -1 if known else -38, 0))
        try:
            kernel.call("ioctl", descriptor, kernel.SECCOMP_IOCTL_NOTIF_SEND, kernel.address_of(answer))
        except OSError:
            pass
        worker = self.workers.get(number)
        if known and worker and worker.told < MOST_TOLD:
            worker.told += 1
            self.tell("denied", number, call)

    def on_end(self, descriptor, number):
        worker = self.workers[number]
        self.unwatch(descriptor)
        process = worker.process
        _, worker.status = os.waitpid(process, 0)
        # Why it could not begin may have been said since.
        while worker.status and self.on_report(self.reports):
            pass
        # Its number may soon be that of another.
        worker.process = 0
        if worker.init and self.plan["subprocess"]:
            os.kill(worker.init, signal.SIGKILL)
            self.watch(os.pidfd_open(worker.init), self.on_init_end, number)
            return
        if not worker.init:
            self.kill_rest(process)
            import shutil

            try:
                shutil.rmtree(worker.scratch, ignore_errors=True)
            except RecursionError:
                pass
        self.tell_end(number, worker)
        if worker.init:
            # Whoever could start no process has left none; what its namespaces held may go later.
            os.kill(worker.init, signal.SIGKILL)
            self.dying.append((worker.init, worker.stack))
        self.unwatch(worker.listener)
        del self.workers[number]

    def on_init_end(self, descriptor, number):
        """The kernel has ended all that was in the namespace."""
        worker = self.workers.pop(number)
        self.unwatch(descriptor)
        self.unwatch(worker.listener)
        self.dying.append((worker.init, worker.stack))
        self.bury()
        self.tell_end(number, worker)

    def bury(self):
        """What has ended is forgotten, and what it stood on is used again."""
        dying, self.dying = self.dying, []
        for init, stack in dying:
            if os.waitpid(init, os.WNOHANG)[0]:
                kernel.FREE_STACKS.append(stack)
            else:
                self.dying.append((init, stack))

    def tell_end(self, number, worker):
        if worker.failure:
            self.tell("failed", number, worker.failure)
        else:
            self.tell("ended", number, worker.status)

    def kill_rest(self, process):
        """Without a namespace: the group, and whoever left it and became a child of this process."""
        try:
            os.killpg(process, signal.SIGKILL)
        except OSError:
            pass
        known = {worker.process for worker in self.workers.values()}
        for _ in range(1000):
            rest = [child for child in children(os.getpid()) if child not in known]
            if not rest:
                return
            for child in rest:
                try:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                except OSError:
                    pass

    def signal(self, number, kind):
        worker = self.workers.get(number)
        if not worker:
            return
        init = worker.init if kind == signal.SIGKILL else 0
        for target, send in ((worker.process, os.killpg), (worker.process, os.kill), (init, os.kill)):
            if target:
                try:
                    send(target, kind)
                except OSError:
                    pass

    def look(self):
        for number, worker in list(self.workers.items()):
            total = memory.held({worker.process, worker.init} - {0}, worker.init, self.plan["memory"])
            if total > self.plan["memory"]:
                self.tell("memory", number, total)
                self.signal(number, signal.SIGKILL)

    def on_message(self):
        try:
            text, ancillary, _, _ = self.control.recvmsg(1024, RIGHTS)
        except InterruptedError:
            return
        if not text:
            os._exit(0)
        word, what = text.decode().split()
        if word == "fork":
            self.fork(int(what), struct.unpack("4i", ancillary[0][2]))
        elif word == "look":
            self.tell("closed", 0, *network.orphans())
        elif word == "use":
            self.ahead.append(lambda: __import__(what))
        else:
            self.signal(int(what), signal.SIGTERM if word == "term" else signal.SIGKILL)

    def prepare(self):
        """What all workers do alike is put together here, and done for them as far as it can be."""
        self.reports, self.report = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        os.dup2(self.report.fileno(), REPORT, inheritable=False)
        self.report.close()
        self.report = _socket.socket(fileno=REPORT)
        self.poll.register(self.reports, select.POLLIN)
        self.watched[self.reports.fileno()] = (self.on_report, ())
        if self.is_isolated:
            os.environ.update(HOME="/tmp", TMPDIR="/tmp")
            self.environment = dict(os.environ)
        self.prepared = Prepared(self)
        open_outputs()
        sys.path[:] = [place for place in sys.path if "python" in place and place.startswith((sys.base_prefix, sys.prefix))]
        # What is here now is never looked at again when memory is cleared up.
        gc.disable()
        gc.freeze()

    def do_ahead(self):
        """Does one thing that workers will not have to do then. Those that are forked before do not wait for it."""
        try:
            self.ahead.pop()()
        except Exception:
            # An interpreter may come without some modules.
            pass
        if not self.ahead:
            gc.freeze()

    def serve(self):
        wait = LOOK if self.plan["subprocess"] else None
        while True:
            has_time = self.workers and self.ahead
            ready = self.poll.poll(0 if has_time else wait)
            if has_time and not ready:
                self.do_ahead()
            for descriptor, events in ready:
                before = self.changes
                if descriptor == CONTROL:
                    self.on_message()
                elif not events & select.POLLIN:
                    self.on_silence(descriptor)
                else:
                    function, arguments = self.watched[descriptor]
                    function(descriptor, *arguments)
                if self.changes != before:
                    # The number of another descriptor in the list may stand for something new now.
                    break
            if wait and self.workers:
                self.look()


def children(process):
    with open("/proc/%d/task/%d/children" % (process, process)) as file:
        return [int(child) for child in file.read().split()]


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
    parent.serve()


def text_of(value):
    if value is True or value is False:
        return str(value).lower()
    return _json.encode_basestring_ascii(value) if isinstance(value, str) else str(value)
