"""Many runs: plan, status, estimate, and where they are trained."""
