"""The support vector machine of scikit-learn's LinearSVC, solved exactly from dot products by Newton's method.

Chapelle, Training a support vector machine in the primal, Neural Computation 2007,
https://doi.org/10.1162/neco.2007.19.5.1155: the clips inside the margin solve a linear system, which is repeated until
its solution has the same clips inside. That takes about five systems, and each result is checked against the condition
of the optimum. liblinear's coordinate descent needs hundreds of passes over the clips and stops near the same optimum:
on 442 flow pictures, with the default `tol` of 1e-4, its decisions are up to 6e-5 from ours.
"""

from collections.abc import Mapping

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.svm import LinearSVC
from sklearn.utils.class_weight import compute_class_weight

from mer_bench.models.classical.least_squares_svm import highest, signs

MOST_STEPS = 50
SMALL = 1e-7  # largest error of a margin; margins are about 1


class SquaredHingeSVM:
    """One class against the rest, each with the loss |w|^2 / 2 + sum of C_i max(0, 1 - y_i w.x_i)^2.

    Args:
        C: Weight of the losses.
        constant: The value of the constant feature whose weight is the bias (`intercept_scaling`); 0: no bias.
        class_weight: As of LinearSVC: factor of C for the clips of a class. With three classes or more liblinear
            applies it only where that class is set against the rest, and not to the rest.
    """

    def __init__(self, C: float, constant: float, class_weight: Mapping | str | None):
        self.C, self.constant, self.class_weight = C, constant, class_weight

    @classmethod
    def like(cls, classifier: LinearSVC) -> 'SquaredHingeSVM':
        """Return the machine with the settings of a LinearSVC."""
        constant = classifier.intercept_scaling if classifier.fit_intercept else 0.0
        return cls(classifier.C, constant, classifier.class_weight)

    def fit(self, kernel: np.ndarray, y: np.ndarray) -> 'SquaredHingeSVM':
        """Fit to the dot products (N, N) of the training clips and their N labels.

        Raises:
            ValueError: There is one class alone.
            LinAlgError: The optimum was not reached.
        """
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError(f'expected two classes or more, got {len(self.classes_)}')
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        kernel, targets = kernel + self.constant**2, signs(y, self.classes_)
        if len(self.classes_) == 2:
            costs = np.where(targets > 0, weights[1], weights[0])
        else:
            costs = np.where(targets > 0, weights, 1.0)
        columns = zip(targets.T, self.C * costs.T, strict=True)
        self.dual_coef_ = np.stack([solve(kernel, target, cost) for target, cost in columns], axis=1)
        return self

    def decision_function(self, kernel: np.ndarray) -> np.ndarray:
        """Return the decisions from dot products (n, N): (n, classes), of two classes those of the second, (n,)."""
        decision = (kernel + self.constant**2) @ self.dual_coef_
        return decision[:, 0] if len(self.classes_) == 2 else decision

    def predict(self, kernel: np.ndarray) -> np.ndarray:
        """Return the class with the highest decision of each row."""
        return highest(self.decision_function(kernel), self.classes_)


def solve(kernel: np.ndarray, targets: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Return the coefficients (N,) of the clips for targets of 1 and -1, (N,), and the weight of each loss, (N,).

    Raises:
        LinAlgError: The optimum was not reached in `MOST_STEPS`, for example because the kernel has lost its digits.
    """
    inside = np.ones(len(targets), bool)
    for _ in range(MOST_STEPS):
        rows = np.flatnonzero(inside)
        system = kernel[np.ix_(rows, rows)] + np.diag(0.5 / costs[rows])
        dual = np.zeros(len(targets))
        dual[rows] = cho_solve(cho_factor(system, lower=True, overwrite_a=True), targets[rows])
        missing = 1 - targets * (kernel[:, rows] @ dual[rows])  # from the margin
        # a coefficient is the derivative of its loss only at the optimum, which strict convexity makes the only one
        if np.abs(dual * 0.5 / costs - targets * np.maximum(missing, 0)).max() < SMALL:
            return dual
        inside = missing > 0
    raise np.linalg.LinAlgError(f'no optimum after {MOST_STEPS} steps')
