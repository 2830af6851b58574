"""One step in one process.

Started as `python -I -B -X utf8 -c <this text>` with one end of a socket pair as standard input. It reads what to
run and the inputs, calls one function, writes one reply, and ends. Each message is a length (four bytes, big-endian)
and JSON in UTF-8.

request: {"name", "file", "code", "output_bytes"}
inputs:  {...}
reply:   {"output": ...}  or  {"error": {"type", "message", "traceback"?}, "retry": bool}
"""

import os

# First of all: from here on, whoever kills this session kills everything that the skill will start.
os.setsid()

import json
import sys

CHANNEL = 3
MAX_DEPTH = 100
MAX_MESSAGE = 8_192
MAX_TRACEBACK = 32_768


class Refused(Exception):
    """What the runner has to say about a skill, as opposed to what the skill raised. Trying again will not help."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def take_channel():
    """Moves the socket away from standard input, and closes whatever else was inherited."""
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                pass
    os.dup2(0, CHANNEL, inheritable=False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if nothing != 0:
        os.close(nothing)


def read_message():
    return json.loads(read_exactly(int.from_bytes(read_exactly(4), "big")))


def read_exactly(size):
    pieces = []
    while size:
        piece = os.read(CHANNEL, min(size, 1 << 20))
        if not piece:
            os._exit(0)
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def die_with_the_runner():
    """Has the kernel kill the whole session when the other end of the channel closes, however that comes about."""
    import fcntl
    import signal
    import socket

    if not hasattr(fcntl, "F_SETSIG"):
        set_signal = 10
    else:
        set_signal = fcntl.F_SETSIG
    fcntl.fcntl(CHANNEL, set_signal, signal.SIGKILL)
    fcntl.fcntl(CHANNEL, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(CHANNEL, fcntl.F_SETFL, fcntl.fcntl(CHANNEL, fcntl.F_GETFL) | os.O_ASYNC)
    # It may have closed before the kernel was told.
    channel = socket.socket(fileno=CHANNEL)
    try:
        if channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"":
            os._exit(0)
    except BlockingIOError:
        pass
    channel.detach()


def reply(message):
    """Writes the reply, and ends: threads and exit handlers of the skill have no say in that."""
    import fcntl

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    # A drained socket would count as a reason to kill.
    fcntl.fcntl(CHANNEL, fcntl.F_SETFL, fcntl.fcntl(CHANNEL, fcntl.F_GETFL) & ~os.O_ASYNC)
    rest = memoryview(len(message).to_bytes(4, "big") + message)
    while rest:
        rest = rest[os.write(CHANNEL, rest) :]
    os._exit(0)


def fold(name):
    return name.replace("-", "_").replace(".", "_")


def quoted(names):
    return ", ".join("`%s`" % name for name in names)


def load(request):
    """Runs the file as a module that is not `__main__`, under a name that shadows no package."""
    import linecache
    import types

    name, file, code = request["name"], request["file"], request["code"]
    linecache.cache[file] = (len(code), None, code.splitlines(True), file)
    module = types.ModuleType("skill_" + fold(name))
    module.__file__ = file
    sys.modules[module.__name__] = module
    sys.argv = [file]
    exec(compile(code, file, "exec", dont_inherit=True), module.__dict__)
    return module


def find_entry(module, name):
    """The function named like the skill, else `main` or `run`, else the only public one. Imported ones do not count."""
    found = {
        key: value
        for key, value in vars(module).items()
        if callable(value) and not isinstance(value, type) and getattr(value, "__module__", None) == module.__name__
    }
    for key, value in found.items():
        if fold(key) == fold(name):
            return key, value
    for key in ("main", "run"):
        if key in found:
            return key, found[key]
    public = {key: value for key, value in found.items() if not key.startswith("_")}
    if len({id(value) for value in public.values()}) == 1:
        return next(iter(public.items()))
    there = "the public functions %s" % quoted(sorted(public)) if public else "no public function"
    raise Refused(
        "no-entry-function",
        "the skill has no function `%s`, `main` or `run`, and %s" % (fold(name), there),
    )


def bind(function, name, inputs):
    """Splits the inputs into positional and keyword arguments; says all that does not fit at once."""
    import inspect

    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return [], inputs
    rest = dict(inputs)
    positional, missing, takes, takes_any = [], [], [], False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_any = True
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            optional = parameter.default is not parameter.empty
            takes.append("`%s`%s" % (parameter.name, " (optional)" if optional else ""))
            if parameter.name not in rest:
                if not optional:
                    missing.append(parameter.name)
                elif parameter.kind is parameter.POSITIONAL_ONLY:
                    # Those behind it may be given, and can be reached only through it.
                    positional.append(parameter.default)
            elif parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(rest.pop(parameter.name))
    known = {parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_POSITIONAL}
    unknown = [] if takes_any else sorted(key for key in rest if key not in known)
    if missing or unknown:
        said = []
        if missing:
            said.append("needs %s, which the step does not give" % quoted(missing))
        if unknown:
            said.append("does not take %s" % quoted(unknown))
        raise Refused(
            "bad-inputs",
            "`%s` %s; it takes %s; the step gives %s"
            % (name, ", and ".join(said), ", ".join(takes) or "nothing", quoted(sorted(inputs)) or "nothing"),
        )
    return positional, rest


def as_json(value, path, depth=0):
    """The value in JSON's own types: tuples become lists; whatever would change its meaning silently is refused."""

    def refuse(what):
        raise Refused("bad-result", "what the skill returned is not JSON: `%s` %s" % (path, what))

    if depth > MAX_DEPTH:
        refuse("is nested more than %d deep, or contains itself" % MAX_DEPTH)
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            refuse("has a lone surrogate, which is not Unicode text")
        return str.__str__(value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            refuse("is an integer of more than 64 bits; return it as a text")
        return int(value)
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            refuse("is %r, which JSON cannot hold" % float(value))
        return float(value)
    if isinstance(value, (list, tuple)):
        return [as_json(item, "%s[%d]" % (path, at), depth + 1) for at, item in enumerate(value)]
    if isinstance(value, dict):
        result = {}
        for key, item in value.items():
            if not isinstance(key, str):
                refuse("has the key %.60r of type `%s`; keys are texts" % (key, type(key).__name__))
            result[as_json(key, path, depth + 1)] = as_json(item, "%s.%s" % (path, key[:60]), depth + 1)
        return result
    advice = "; make it a list" if isinstance(value, (set, frozenset)) else ""
    refuse("is of type `%s`%s" % (type(value).__name__, advice))


def described(error, module_name, file):
    """An exception for the outcome, with the skill's own frames and no others."""
    import traceback

    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__", module_name):
        name = "%s.%s" % (kind.__module__, name)
    try:
        message = str(error)
    except Exception:
        message = "(the exception's text cannot be made)"
    if isinstance(error, SyntaxError) and error.filename == file:
        message = "%s (line %s, column %s)" % (error.msg, error.lineno, error.offset)
    if isinstance(error, SystemExit):
        message = "the skill called `sys.exit(%s)`" % ("" if error.code is None else repr(error.code))

    def keep_own(report):
        report.stack = traceback.StackSummary.from_list([frame for frame in report.stack if frame.filename == file])
        others = [report.__cause__, report.__context__, *(getattr(report, "exceptions", None) or ())]
        for other in others:
            if other is not None:
                keep_own(other)

    try:
        report = traceback.TracebackException(kind, error, error.__traceback__)
        keep_own(report)
        text = "".join(report.format())[-MAX_TRACEBACK:]
    except Exception:
        text = None
    return {"type": name, "message": message[:MAX_MESSAGE], "traceback": text}


def perform(request, inputs):
    """Calls the skill; what it does to this process, the runner sees from outside."""
    module_name, file = "skill_" + fold(request["name"]), request["file"]
    try:
        module = load(request)
        name, function = find_entry(module, request["name"])
        positional, keywords = bind(function, name, inputs)
        result = function(*positional, **keywords)
        if hasattr(result, "__await__"):
            import asyncio

            async def wait():
                return await result

            result = asyncio.run(wait())
        text = json.dumps(as_json(result, "output"), ensure_ascii=False, allow_nan=False).encode()
        if len(text) > request["output_bytes"]:
            raise Refused(
                "result-too-large",
                "what the skill returned is %d bytes of JSON, and %d is the most" % (len(text), request["output_bytes"]),
            )
        return b'{"output":' + text + b"}"
    except Refused as refusal:
        failure = {"error": {"type": refusal.kind, "message": str(refusal)[:MAX_MESSAGE]}, "retry": False}
    except BaseException as error:
        broken = isinstance(error, SyntaxError) and error.filename == file
        failure = {"error": described(error, module_name, file), "retry": not broken}
    # Whatever a text of the skill's may hold, the reply is valid UTF-8.
    return json.dumps(failure).encode("utf-8", "replace")


def main():
    take_channel()
    request = read_message()
    inputs = read_message()
    die_with_the_runner()
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass
    # What was printed before a crash or a time-out is not lost.
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    reply(perform(request, inputs))


main()
