"""Skills of AI agents: publish, find, rate, install and run them. See :mod:`orchestrator.execution`."""
