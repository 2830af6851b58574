"""Forks workers ahead of need, and sees to their end. `parent.py` has the words that are said with the runner."""

import gc
import os
import select
import sys

import _signal as signal
import _socket
import _struct as struct

from . import kernel
from . import memory
from . import network
from . import worker
from .shared import CONTROL

MOST_TOLD = 16
# Milliseconds between two looks at the memory of processes that skills have started.
LOOK = 100
# Milliseconds after which workers are cleared away that have ended with nobody asking.
SETTLE = 200
# Process namespaces that are kept for the workers to come.
SPACES = 4
MOST_STATUSES = 1000
RIGHTS = _socket.CMSG_SPACE(16)


class Space:
    """A process namespace, with an init of its own. Workers that can start no process have it one after another, and each
    has it alone."""

    def __init__(self, apart):
        kernel.make(apart)
        self.init, self.stack = kernel.start_init()
        # The number of the worker whose end is told when this one has ended.
        self.worker = None
        self.is_alive = True
        try:
            self.place = os.open("/proc/self/ns/pid_for_children", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            os.kill(self.init, signal.SIGKILL)
            os.waitpid(self.init, 0)
            raise
        self.enter = kernel.prepare("setns", self.place, kernel.CLONE_NEWPID)

    def end(self):
        """The kernel ends all that is in it."""
        if self.is_alive:
            self.leave()
            os.kill(self.init, signal.SIGKILL)

    def leave(self):
        if self.is_alive:
            self.is_alive = False
            os.close(self.place)


class Worker:
    def __init__(self, process, space, scratch):
        self.process = process
        self.space, self.scratch = space, scratch
        self.listener = self.handle = -1
        self.is_awaited = False
        self.status = 0
        self.told = 0


class Supervisor:
    def __init__(self, parent):
        self.parent = parent
        self.control, self.plan = parent.control, parent.plan
        self.is_isolated, self.prepared = parent.is_isolated, parent.prepared
        # Whether workers may start processes: where calls are not refused, they can.
        self.have_children = self.plan["subprocess"] or not parent.can_filter
        self.workers = {}
        # Numbers of workers by process, and spaces by init.
        self.numbers, self.inits = {}, {}
        # How workers have ended that nobody has asked for yet, where it was not by themselves.
        self.statuses = {}
        self.spaces = []
        self.poll = select.poll()
        self.poll.register(CONTROL, select.POLLIN)
        self.watched = {}
        self.changes = 0
        self.is_stirred = False
        # What is still to be done ahead, when there is time.
        self.ahead = [lambda: worker.rehearse(parent)]
        if self.plan["large_page"]:
            self.ahead.insert(0, lambda: memory.use_large_pages(self.plan["large_page"]))

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
        space = scratch = None
        process = -1
        self.reap()
        try:
            if self.is_isolated:
                space = self.enter_space()
                folder, bundle, calls = "/tmp", "/skill", self.prepared.usual
            else:
                import tempfile

                scratch = tempfile.mkdtemp(prefix="skillery-")
                folder, bundle = scratch + "/work", scratch + "/skill"
                os.mkdir(folder)
                os.mkdir(bundle)
                calls = self.prepared.calls(folder, bundle)
            places = self.prepared.take_places(descriptors)
            process = os.fork()
        except OSError as error:
            if space:
                space.end()
            if scratch:
                remove(scratch)
            self.tell("failed", number, error)
            return
        finally:
            if process:
                for descriptor in descriptors:
                    os.close(descriptor)
                if self.is_isolated:
                    kernel.make(self.parent.back)
        if process == 0:
            worker.enter(self.parent, places, calls, folder, bundle)
        self.workers[number] = Worker(process, space, scratch)
        self.numbers[process] = number

    def enter_space(self):
        if self.spaces:
            space = self.spaces.pop()
            kernel.make(space.enter)
        else:
            space = Space(self.parent.apart)
            self.inits[space.init] = space
        return space

    def refuse(self, number, listener):
        worker = self.workers.get(number)
        if worker:
            worker.listener = listener
            self.watch(listener, self.on_denied, number)
        else:
            os.close(listener)

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
        worker = self.workers.get(number)
        if known and worker and worker.told < MOST_TOLD:
            worker.told += 1
            self.tell("denied", number, call)
        answer = bytearray(struct.pack("=QqiI", identity, 0, -1 if known else -38, 0))
        try:
            kernel.call("ioctl", descriptor, kernel.SECCOMP_IOCTL_NOTIF_SEND, kernel.address_of(answer))
        except OSError:
            pass

    def await_end(self, number):
        """Has the end of a worker told. It may have come."""
        worker = self.workers.get(number)
        if not worker:
            self.tell("ended", number, self.statuses.pop(number, 0))
        elif not worker.is_awaited:
            worker.is_awaited = True
            self.watch_end(worker, worker.process or worker.space.init)
            self.reap()

    def watch_end(self, worker, process):
        worker.handle = os.pidfd_open(process)
        self.watch(worker.handle, self.on_end, worker)

    def on_end(self, descriptor, worker):
        self.reap()

    def reap(self):
        """Sees to all that has ended."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process:
                return
            if process in self.numbers:
                self.bury(self.numbers.pop(process), process, status)
            elif process in self.inits:
                space = self.inits.pop(process)
                space.leave()
                if space in self.spaces:
                    # Somebody else has ended it.
                    self.spaces.remove(space)
                kernel.FREE_STACKS.append(space.stack)
                if space.worker:
                    self.forget(space.worker)

    def bury(self, number, process, status):
        worker = self.workers[number]
        # The number of its process may soon be that of another.
        worker.process, worker.status = 0, status
        self.unwatch(worker.handle)
        if worker.space and worker.space.init in self.inits and self.have_children:
            worker.space.worker = number
            worker.space.end()
            if worker.is_awaited:
                self.watch_end(worker, worker.space.init)
            return
        if worker.space:
            # Whoever could start no process has left none.
            if worker.space.is_alive and len(self.spaces) < SPACES:
                self.spaces.append(worker.space)
            else:
                worker.space.end()
        else:
            self.kill_rest(process)
            remove(worker.scratch)
        self.forget(number)

    def forget(self, number):
        worker = self.workers.pop(number)
        if worker.is_awaited:
            self.tell("ended", number, worker.status)
        elif worker.status:
            # Somebody will ask, but for a skill that has replied and went on.
            self.statuses[number] = worker.status
            if len(self.statuses) > MOST_STATUSES:
                del self.statuses[next(iter(self.statuses))]
        self.unwatch(worker.handle)
        self.unwatch(worker.listener)

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
        self.await_end(number)
        worker = self.workers.get(number)
        if not worker:
            return
        for send in (os.killpg, os.kill):
            if worker.process:
                try:
                    send(worker.process, kind)
                except OSError:
                    pass
        if kind == signal.SIGKILL and worker.space:
            worker.space.end()

    def look(self):
        for number, worker in list(self.workers.items()):
            init = worker.space.init if worker.space else 0
            total = memory.held({worker.process, init} - {0}, init, self.plan["memory"])
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
        self.is_stirred = True
        if word == "fork":
            self.fork(int(what), struct.unpack("4i", ancillary[0][2]))
        elif word == "look":
            self.tell("closed", 0, *network.orphans())
        elif word == "refuse":
            self.refuse(int(what), int.from_bytes(ancillary[0][2], sys.byteorder))
        elif word == "watch":
            self.await_end(int(what))
        elif word == "use":
            self.ahead.append(lambda: __import__(what))
        else:
            self.signal(int(what), signal.SIGTERM if word == "term" else signal.SIGKILL)

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
        looks = self.have_children
        while True:
            has_time = self.workers and self.ahead
            ready = self.poll.poll(0 if has_time else LOOK if looks else SETTLE if self.is_stirred else None)
            if has_time and not ready:
                self.do_ahead()
            elif not ready:
                self.is_stirred = False
                self.reap()
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
            if looks and self.workers:
                self.look()


def remove(folder):
    import shutil

    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        pass


def children(process):
    with open("/proc/%d/task/%d/children" % (process, process)) as file:
        return [int(child) for child in file.read().split()]
