"""Ridge regression without a block of clips, from one factorisation for all blocks.

With H the matrix that turns targets into fitted values, the fit without a block B predicts for it

    - (I - H)[B, B]^-1 (I - H)[B, rest] targets[rest],

which is algebraically equal to the refit on the rest (Cook and Weisberg, Residuals and Influence in Regression, 1982,
section 2.2.3 with a block in place of a case; for the least-squares SVM Cawley, IJCNN 2006,
https://doi.org/10.1109/IJCNN.2006.246634). The targets of the block are not used.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from mer_bench.models.classical.least_squares_svm import highest

# largest penalty-free eigenvalue over the penalty, at most: beyond it both this and a refit lose their digits
LARGEST_CONDITION = 1e10


def residual_maker(kernel: np.ndarray, alpha: float, intercept: bool) -> np.ndarray:
    """Return I - H of kernel ridge regression, (N, N).

    Args:
        kernel: (N, N) dot products of all clips, or a kernel in their place.
        alpha: The penalty, above 0.
        intercept: Whether there is a bias without penalty.

    Raises:
        LinAlgError: The penalty is too small against the kernel.
    """
    if intercept:  # a constant in the features goes into the bias
        means = kernel.mean(0)
        kernel = kernel - means - means[:, None] + means.mean()
    refuse_small(alpha, np.trace(kernel))
    residual = alpha * inverse(kernel + alpha * np.eye(len(kernel)))
    return residual - 1 / len(kernel) if intercept else residual


def inverse(matrix: np.ndarray) -> np.ndarray:
    """Invert a positive definite matrix from its Cholesky factor, in a third of the time of np.linalg.inv.

    Raises:
        LinAlgError: It is not positive definite.
    """
    factor, fault = dpotrf(matrix, lower=1)
    if fault:
        raise np.linalg.LinAlgError('the matrix is not positive definite')
    lower = np.tril(dpotri(factor, lower=1)[0])
    return lower + np.tril(lower, -1).T


def refuse_small(alpha: float, trace: float) -> None:
    """Raise LinAlgError if six digits are not certain: the trace is at least the largest eigenvalue."""
    if trace > LARGEST_CONDITION * alpha:
        raise np.linalg.LinAlgError(f'the penalty {alpha} is too small against a kernel with the trace {trace:.3g}')


def without(residual: np.ndarray, train: np.ndarray, test: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return what the fit on the clips `train` predicts for the clips `test`, (n_test, K).

    Args:
        residual: I - H of all clips, (N, N).
        train: (N,) bool.
        test: (N,) bool, all clips but `train`.
        targets: (n_train, K), of the clips `train`.
    """
    test, train = np.flatnonzero(test), np.flatnonzero(train)
    rows = residual[test]
    return -np.linalg.solve(rows[:, test], rows[:, train] @ targets)


@dataclass(frozen=True)
class Decided:
    """A classifier whose decision on the clips of one fold is known: (n, classes), of two classes (n,)."""

    classes_: np.ndarray
    decision: np.ndarray

    def decision_function(self, X: object) -> np.ndarray:
        """Return the decision."""
        return self.decision

    def predict(self, X: object) -> np.ndarray:
        """Return the class with the highest decision."""
        return highest(self.decision, self.classes_)
