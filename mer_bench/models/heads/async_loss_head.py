"""The loss and accuracy of MMAction2's BaseHead, computed on the device alone."""

import torch
import torch.nn.functional as F
from mmaction.models.heads import BaseHead
from mmaction.structures import ActionDataSample


class AsyncLossHead(BaseHead):
    """BaseHead that never waits for the device: MMAction2 copies all logits to NumPy for the accuracy of a step."""

    def loss_by_feat(self, cls_scores: torch.Tensor, data_samples: list) -> dict[str, torch.Tensor]:
        """Return losses and, of labels that are one class each, accuracies; see :meth:`losses_of`."""
        return self.losses_of(cls_scores, stack_labels(data_samples).to(cls_scores.device))

    def losses_of(self, logits: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``loss_cls``, or what a loss of several parts calls them, and ``top<k>_acc``.

        Args:
            logits: (N, num_classes).
            labels: (N,) classes, or (N, num_classes) shares of them.
        """
        losses = {}
        if labels.ndim == 1:
            ranked = logits.detach().topk(min(max(self.topk), self.num_classes)).indices == labels[:, None]
            losses = {f'top{k}_acc': ranked[:, :k].any(dim=1).float().mean() for k in self.topk}
        if self.label_smooth_eps:
            shares = F.one_hot(labels, self.num_classes) if labels.ndim == 1 else labels
            labels = (1 - self.label_smooth_eps) * shares + self.label_smooth_eps / self.num_classes
        loss = self.loss_cls(logits, labels)
        return losses | (loss if isinstance(loss, dict) else {'loss_cls': loss})


def stack_labels(data_samples: list[ActionDataSample]) -> torch.Tensor:
    """Return (N,) classes, or (N, num_classes) where the label of a clip is a share of each class."""
    labels = torch.stack([sample.gt_label for sample in data_samples])
    return labels.squeeze(1) if labels.shape[1] == 1 else labels
