"""Many runs: plan, status, estimate, and where they are trained."""

from mer_bench.lazy import lazy_names

__getattr__ = lazy_names(__name__, {'sweep': 'mer_bench.sweeps.run'})
