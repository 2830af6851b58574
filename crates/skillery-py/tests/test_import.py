"""What importing the package costs, by what it loads: counts do not depend on the machine."""


def test_importing_loads_only_small_modules(python):
    code = "import sys; old = set(sys.modules); import orchestrator.execution; print(*(set(sys.modules) - old))"
    loaded = set(python(code).split())
    assert "orchestrator.execution.workflows" in loaded
    assert loaded <= {
        "__future__",
        "orchestrator",
        "orchestrator.execution",
        "orchestrator.execution.approvals",
        "orchestrator.execution.audit",
        "orchestrator.execution.calling",
        "orchestrator.execution.comments",
        "orchestrator.execution.configuration",
        "orchestrator.execution.dependencies",
        "orchestrator.execution.errors",
        "orchestrator.execution.insight",
        "orchestrator.execution.runs",
        "orchestrator.execution.metrics",
        "orchestrator.execution.skill_registry",
        "orchestrator.execution.skills",
        "orchestrator.execution.workflows",
    }


def test_the_package_is_typed_and_every_public_name_is_documented():
    import os

    import orchestrator
    from orchestrator import execution

    folder = os.path.dirname(orchestrator.__file__)
    assert os.path.isfile(os.path.join(folder, "py.typed"))
    assert os.path.isfile(os.path.join(folder, "_native.pyi"))
    assert execution.__all__ == sorted(execution.__all__)
    for name in execution.__all__:
        assert getattr(execution, name).__doc__, name


def test_every_function_is_in_the_documents_with_its_parameters():
    import inspect
    import pathlib

    from orchestrator import execution

    text = (pathlib.Path(__file__).parents[3] / "docs" / "python.md").read_text(encoding="utf-8")
    for name in execution.__all__:
        entry = getattr(execution, name)
        if not inspect.isfunction(entry):
            assert f"`{name}`" in text, name
            continue
        parameters = inspect.signature(entry).parameters
        line = next((line for line in text.splitlines() if f"`{name}(" in line), None)
        assert line, name
        signature = line[line.index(f"`{name}(") :].split("`")[1]
        assert all(parameter in signature for parameter in parameters), (name, signature)


def test_the_stub_names_what_the_extension_has():
    import os
    import re

    import orchestrator
    from orchestrator import _native

    with open(os.path.join(os.path.dirname(orchestrator.__file__), "_native.pyi")) as file:
        stub = file.read()
    stubbed = set(re.findall(r"^(?:def|class) (\w+)|^(VERSION)", stub, re.MULTILINE))
    assert {first or second for first, second in stubbed} == {n for n in dir(_native) if not n.startswith("_")}
    for name, body in re.findall(r"^class (\w+):\n((?:    .*\n)+)", stub, re.MULTILINE):
        methods = set(re.findall(r"^    def ([a-z]\w*)\(", body, re.MULTILINE))
        assert methods == {n for n in dir(getattr(_native, name)) if not n.startswith("_")}, name
