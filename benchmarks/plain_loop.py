"""A small network in a plain PyTorch loop, as public code trains it fold by fold; the reference for our lean training.

After main.py of the authors' repository christy1206/STSTNet: fp32, TensorDataset and DataLoader, and an evaluation of
the held-out subject after every epoch (which also leaks, if the best epoch is then taken).
"""

from collections.abc import Callable, Iterable

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class PlainSTSTNet(nn.Module):
    """The three streams side by side."""

    def __init__(self, out_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, kernel_size=3, padding=2)
        self.conv2 = nn.Conv2d(3, 5, kernel_size=3, padding=2)
        self.conv3 = nn.Conv2d(3, 8, kernel_size=3, padding=2)
        self.relu = nn.ReLU()
        self.bn1 = nn.BatchNorm2d(3)
        self.bn2 = nn.BatchNorm2d(5)
        self.bn3 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=3, padding=1)
        self.avgpool = nn.AvgPool2d(kernel_size=2, stride=2)
        self.dropout = nn.Dropout(p=0.5)
        self.fc = nn.Linear(5 * 5 * 16, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, 3, 28, 28). Out: (N, out_channels)."""
        x1 = self.dropout(self.maxpool(self.bn1(self.relu(self.conv1(x)))))
        x2 = self.dropout(self.maxpool(self.bn2(self.relu(self.conv2(x)))))
        x3 = self.dropout(self.maxpool(self.bn3(self.relu(self.conv3(x)))))
        x = self.avgpool(torch.cat((x1, x2, x3), dim=1))
        return self.fc(x.view(x.size(0), -1))


class PlainRecogniser(nn.Module):
    """Backbone and head of a config; without draws for each clip, their dropout is nn.Dropout."""

    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.backbone, self.head = MODELS.build(cfg.model.backbone), MODELS.build(cfg.model.cls_head)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, C, H, W). Out: (N, classes)."""
        return self.head(self.backbone(x[:, :, None]))


def plain_network(cfg: Config) -> nn.Module:
    """Return the network of a method: the authors' own STSTNet, or else the parts that the config names."""
    if cfg.model.backbone.type == 'STSTNet':
        return PlainSTSTNet(len(cfg.classes))
    return PlainRecogniser(cfg)


def train_plainly(
    model: nn.Module,
    optimiser: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
    batch_size: int,
    clips: torch.Tensor,
    labels: torch.Tensor,
    is_test: torch.Tensor,
    epochs: int,
    device: str,
) -> list[float]:
    """Train one fold.

    Args:
        model: With fresh weights.
        optimiser: Makes the optimiser of its parameters.
        batch_size: Clips a step.
        clips: (N, C, H, W) float32 on the CPU.
        labels: (N,) int64.
        is_test: (N,) bool, the clips of the held-out subject.
        epochs: Epochs of the training.
        device: Where to compute.

    Returns:
        The accuracy on the held-out subject after each epoch.
    """
    model.to(device)
    optimizer = optimiser(model.parameters())
    loss_fn = nn.CrossEntropyLoss()
    train_dl = DataLoader(TensorDataset(clips[~is_test], labels[~is_test]), batch_size=batch_size, shuffle=True)
    test_dl = DataLoader(TensorDataset(clips[is_test], labels[is_test]), batch_size=batch_size)
    accuracies = []
    for _ in range(epochs):
        model.train()
        train_loss = 0.0
        for x, y in train_dl:
            x, y = x.to(device), y.to(device)
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            train_loss += loss.item() * x.size(0)
        model.eval()
        correct = 0
        with torch.no_grad():
            for x, y in test_dl:
                x, y = x.to(device), y.to(device)
                correct += (model(x).argmax(1) == y).sum().item()
        accuracies.append(correct / int(is_test.sum()))
    return accuracies
