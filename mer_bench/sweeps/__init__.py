"""Many runs: plan, status, estimate, and where they are trained."""


def __getattr__(name: str) -> object:
    """Import :func:`mer_bench.sweeps.run.sweep` when it is asked for: what it needs takes seconds to import."""
    if name == 'sweep':
        from mer_bench.sweeps.run import sweep

        return sweep
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
