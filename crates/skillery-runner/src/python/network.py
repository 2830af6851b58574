"""Hosts that skills are granted, as they lie inside: each has a name, an address and ports that are listened on.

What arrives there the runner copies to the real host and back; nothing else can be reached. Each host is a dictionary:
`name` (none for an address, which stands for itself), `address`, `ports`.
"""

import errno
import struct
import time

import _socket

from . import rooms

SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
IFF_UP = 1
LOOPBACK, LOOPBACK_INDEX = "lo", 1
# Connections that wait for the runner.
BACKLOG = 64
# Of a connection that its own side has ended.
HALF_CLOSED = ("04", "05")


def settings(hosts):
    """Files of `/etc` by which names are looked up: these names, and no others."""
    if not hosts:
        return {}
    names = {host["name"]: host["address"] for host in hosts if host["name"]}
    names.setdefault("localhost", "127.0.0.1")
    lines = ["%s %s\n" % (address, name) for name, address in names.items()]
    return {"hosts": "".join(lines), "nsswitch.conf": "hosts: files\n"}


def listen(hosts):
    """Makes the hosts part of this network, and returns a socket for each of their ports, in their order."""
    # Most parents have none, and need not load it.
    import fcntl

    device = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(device, SIOCSIFFLAGS, struct.pack("16sh22x", LOOPBACK.encode(), IFF_UP))
    sockets = []
    for number, host in enumerate(hosts):
        address = host["address"]
        family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
        try:
            if not host["name"]:
                add(device, number, family, address)
            for port in host["ports"]:
                listener = _socket.socket(family, _socket.SOCK_STREAM)
                bind(listener, address, port)
                listener.listen(BACKLOG)
                sockets.append(listener)
        except OSError as error:
            raise rooms.BadGrant("`%s` cannot be a host of the sandbox (%s)" % (host["name"] or address, error))
    device.close()
    return sockets


def bind(listener, address, port):
    """The kernel takes a moment until an address of version 6 that was added can be used."""
    for _ in range(1000):
        try:
            return listener.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
        time.sleep(0.001)
    raise OSError(errno.EADDRNOTAVAIL, "`%s` cannot be an address of the sandbox" % address)


def add(device, number, family, address):
    """Gives the loopback device an address that it does not have."""
    import fcntl

    packed = _socket.inet_pton(family, address)
    if family == _socket.AF_INET6:
        if address != "::1":
            device = _socket.socket(family, _socket.SOCK_DGRAM)
            fcntl.ioctl(device, SIOCSIFADDR, struct.pack("16sIi", packed, 128, LOOPBACK_INDEX))
            device.close()
    elif packed[0] != 127:
        name = ("%s:%d" % (LOOPBACK, number)).encode()
        # First the address, with all that its class would hold; then this one alone.
        for request, value in ((SIOCSIFADDR, packed), (SIOCSIFNETMASK, b"\xff" * 4)):
            fcntl.ioctl(device, request, struct.pack("16sHH4s16x", name, _socket.AF_INET, 0, value))


def orphans():
    """Connections whose side inside belongs to nobody any more: the address of that side and that of the other one, in
    turns."""
    found = []
    for name in ("tcp", "tcp6"):
        try:
            with open("/proc/net/" + name) as file:
                lines = file.readlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] in HALF_CLOSED and fields[9] == "0":
                found += [readable(fields[1]), readable(fields[2])]
    return found


def readable(text):
    """`0100007F:1F90`, as the kernel has it, to `127.0.0.1:8080`."""
    address, port = text.split(":")
    words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
    packed = struct.pack("=%dI" % len(words), *words)
    family, form = (_socket.AF_INET, "%s:%d") if len(words) == 1 else (_socket.AF_INET6, "[%s]:%d")
    return form % (_socket.inet_ntop(family, packed), int(port, 16))


class Wanted:
    """The last host that was asked for, as an error does not say which; whether a socket was wanted since."""

    address, socket = None, False


def notice(event, arguments):
    """Hears of an event of the interpreter that has to do with sockets."""
    Wanted.socket = event == "socket.__new__"
    if event == "socket.connect":
        remember(arguments[1])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        remember(arguments)


def remember(address):
    if isinstance(address, tuple) and address:
        host, port = address[0], address[1] if len(address) > 1 else 0
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        if isinstance(host, str):
            Wanted.address = [host[:255], port if isinstance(port, int) and 0 <= port < 65536 else 0]


def wanted():
    return {"socket": Wanted.socket, "address": Wanted.address}
