"""One step in one process: forked by the parent, shut in, then told what to run.

The first message says that the worker waits, `+`, with the descriptor that refused calls are told on where there is one; or
`!` and why it cannot begin. Each message after it is a length (four bytes, big-endian) and JSON in UTF-8.

request: {"name", "path", "code", "input_bytes", "output_bytes", "environment", "seconds"}
inputs:  {...}
calls:   see `calls.py`
reply:   {"output": ...}  or  {"error": {"type", "message", "traceback"?}, "retry": bool, "cause"?}

A reply of more than a megabyte goes into a file that the runner opened; its length is then 0.
"""

import gc
import os
import sys

import _json

from . import calls
from . import kernel
from . import network
from .shared import CHANNEL, REPLY, RULES, read_json

MAX_DEPTH = 100
MAX_MESSAGE = 8_192
MAX_TRACEBACK = 32_768
LARGE = 1 << 20
# Python makes what runs often faster, and writes that into its code.
REHEARSALS = 10
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Refused(Exception):
    """What the runner has to say about a skill, as opposed to what the skill raised. Trying again will not help."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def enter(parent, places, calls, folder, bundle):
    """Shuts this process in, waits for its step, runs it, and ends."""
    has_channel = is_shut = False
    try:
        kernel.make_all(places)
        has_channel = True
        kernel.make_all(calls)
        is_shut = True
        run(parent, folder, bundle)
    except BaseException as error:
        if is_shut:
            sys.excepthook(*sys.exc_info())
        elif has_channel:
            os.write(CHANNEL, b"!the sandbox cannot be set up: " + str(error).encode())
    finally:
        # Nothing may go back into the code of the parent.
        os._exit(1)


def run(parent, folder, bundle):
    # What nobody has to be asked for. Not before, as nothing of the packages may run in the parent.
    if parent.plan["packages"]:
        sys.path += parent.plan["packages"]
    calls.State.process = os.getpid()
    # The parent makes too little for it.
    gc.enable()
    if not kernel.make(parent.prepared.wait):
        # There is time, so what this process will touch is made its own before anybody waits for it.
        rehearse(parent, 1)
    request = read_message(CHANNEL)
    inputs = read_message(CHANNEL)
    path = "%s/%s" % (bundle, request["path"])
    put(path, request["code"].encode())
    if "files" in request:
        # They lie in the folder now, and would count as memory of the skill.
        put_beside(bundle, request.pop("files"))
    settle(parent, request, folder)
    if parent.prepared.restrict:
        # The last layer, when all files of the worker are in place.
        kernel.make(parent.prepared.restrict)
        os.close(RULES)
    reply(perform(request, inputs, path))


def settle(parent, request, folder):
    environment = dict(request["environment"], HOME=folder, TMPDIR=folder)
    if environment != parent.environment:
        os.environ.clear()
        os.environ.update(environment)
    calls.State.most = request["input_bytes"]
    kernel.limit_processor(request["seconds"])


def put(path, content):
    """Writes a new file, and the folders that it lies in."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path))
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    write(file, content)
    os.close(file)


def put_beside(bundle, files):
    """Writes the other files of a skill that is a folder, and has its script find those that lie beside it."""
    import binascii

    for file in files:
        path = "%s/%s" % (bundle, file["path"])
        put(path, binascii.a2b_base64(file["content"]))
        if file.get("executable"):
            os.chmod(path, 0o755)
    sys.path.insert(0, bundle + "/scripts")


class Environment:
    """Finds what is installed beside the interpreter, which takes a while to set up: only when somebody asks for it."""

    def __init__(self):
        self.is_ready = False

    def find_spec(self, name, path=None, target=None):
        # In the parent, nothing of it may run.
        if self.is_ready or path is not None or not calls.State.process:
            return None
        self.is_ready = True
        import site
        from importlib.machinery import PathFinder

        site.main()
        return PathFinder.find_spec(name)


def read_message(channel):
    return read_json(read_exactly(channel, int.from_bytes(read_exactly(channel, 4), "big")).decode())


def read_exactly(channel, size):
    pieces, rest = [], size
    while True:
        piece = os.read(channel, min(rest, LARGE))
        if len(piece) == size:
            # Most messages come as a whole.
            return piece
        pieces.append(piece)
        rest -= len(piece)
        if not rest:
            return b"".join(pieces)
        if not piece:
            os._exit(0)


def reply(message):
    """Writes the reply, and ends: threads and exit handlers of the skill have no say in that."""
    flush()
    large = len(message) > LARGE
    if large:
        write(REPLY, message)
    # Another thread may be in the middle of a call.
    with calls.WRITING:
        write(CHANNEL, bytes(4) if large else len(message).to_bytes(4, "big") + message)
    os._exit(0)


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def write(descriptor, content):
    count = os.write(descriptor, content)
    if count == len(content):
        # Most is written at once.
        return
    rest = memoryview(content)[count:]
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def to_json(value):
    """As text, of values that JSON has."""
    return "".join(ENCODE(value, 0))


ENCODE = _json.make_encoder(None, None, _json.encode_basestring, None, ":", ",", False, False, False)


def fold(name):
    return name.replace("-", "_").replace(".", "_")


def quoted(names):
    return ", ".join("`%s`" % name for name in names)


def load(request, file):
    """Runs the file as a module that is not `__main__`, under a name that shadows no package."""
    name, code = request["name"], request["code"]
    module = type(sys)("skill_" + fold(name))
    module.__file__ = file
    sys.modules[module.__name__] = module
    sys.argv = [file]
    exec(kernel.compile_file(code, file), module.__dict__)
    return module


def find_entry(module, name):
    """The function named like the skill, else `main` or `run`, else the only public one. Imported ones do not count."""
    here, key = module.__dict__, fold(name)
    if key in here and is_entry(here[key], module):
        return key, here[key]
    found = {key: value for key, value in here.items() if is_entry(value, module)}
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


def is_entry(value, module):
    return callable(value) and not isinstance(value, type) and getattr(value, "__module__", None) == module.__name__


def fits(function, inputs):
    """Whether a plain function takes just these keywords: most do, and to know more takes a large module."""
    if type(function) is not type(fits) or hasattr(function, "__wrapped__") or hasattr(function, "__signature__"):
        return False
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    names, optional = code.co_varnames[:count], set(function.__kwdefaults__ or ())
    if function.__defaults__:
        optional.update(code.co_varnames[: code.co_argcount][-len(function.__defaults__) :])
    takes_any = code.co_flags & 8
    return (
        not code.co_posonlyargcount
        and all(name in inputs or name in optional for name in names)
        and (takes_any or all(name in names for name in inputs))
    )


def bind(function, name, inputs):
    """Splits the inputs into positional and keyword arguments; says all that does not fit at once."""
    if fits(function, inputs):
        return [], inputs
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


class Opened:
    """The last file that was to be opened, as an error says which file, and not what for. And whether a signal was to be
    sent since, as that error says nothing at all."""

    path, flags, signal = None, 0, False


def notice(event, arguments):
    if event == "open":
        Opened.path, _, Opened.flags = arguments
        Opened.signal = False
    elif event in ("os.kill", "os.killpg"):
        Opened.signal = True
    elif event.startswith("socket."):
        network.notice(event, arguments)


def cause_of(error):
    """What the system said no to, if that is why: for the runner to tell whether the sandbox was the reason."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError):
            return {"memory": True}
        if isinstance(error, calls.SkillError) and error.undeclared:
            return {"call": True}
        if isinstance(error, OSError) and error.errno:
            if not isinstance(error.filename, (str, bytes)):
                return {"errno": error.errno, "signal": Opened.signal, **network.wanted()}
            path = os.path.abspath(os.fsdecode(error.filename))
            return {
                "errno": error.errno,
                "path": path,
                "seen": os.path.lexists(path),
                "parent_seen": os.path.isdir(os.path.dirname(path)),
                "writing": bool(Opened.flags & WRITING) if Opened.path == error.filename else None,
            }
        error = error.__cause__ or error.__context__
    return None


def install_hooks():
    """What workers have, and nothing runs by in the parent."""
    # A step may need what is installed beside the interpreter, and an error may not say what was wanted.
    sys.meta_path.append(Environment())
    sys.addaudithook(notice)


def rehearse(parent, count=REHEARSALS):
    """Runs a step that does nothing. In the parent: what Python and the C library set up at first use is there for all workers
    then, and what they will look for is remembered."""
    kept = sys.argv, dict(sys.modules)
    request = b'{"name":"rehearsal","path":"scripts/rehearsal.py","code":"def rehearsal():\\n    return None\\n","input_bytes":99,'
    request += b'"output_bytes":99,"environment":{"LANG":"C.UTF-8","PATH":"/usr/local/bin:/usr/bin:/bin"},"seconds":123456789}'
    reader, writer = os.pipe()
    for _ in range(count):
        for message in (request, b'{"rehearsal":1}'):
            write(writer, len(message).to_bytes(4, "big") + message)
        request_read = read_message(reader)
        read_message(reader)
        if parent.is_isolated:
            settle(parent, dict(request_read, seconds=kernel.INFINITY), "/tmp")
        perform(request_read, {}, "rehearsal")
        flush()
    os.close(reader)
    os.close(writer)
    os.getpid()
    sys.argv = kept[0]
    for name in set(sys.modules) - set(kept[1]):
        del sys.modules[name]


def perform(request, inputs, file):
    """Calls the skill; what it does to this process, the runner sees from outside."""
    module_name = "skill_" + fold(request["name"])
    try:
        module = load(request, file)
        name, function = find_entry(module, request["name"])
        positional, keywords = bind(function, name, inputs)
        result = function(*positional, **keywords)
        if hasattr(result, "__await__"):
            import asyncio

            async def wait():
                return await result

            result = asyncio.run(wait())
        text = to_json(as_json(result, "output")).encode()
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
        # What the skill holds may leave no room to say what happened.
        cause = cause_of(error)
        failure = {"error": described(error, module_name, file), "retry": not broken, "cause": cause}
    # Whatever a text of the skill's may hold, the reply is valid UTF-8.
    return to_json(failure).encode("utf-8", "replace")
