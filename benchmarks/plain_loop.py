"""STSTNet in a plain PyTorch loop, as public code trains it fold by fold; the reference for our lean training.

After main.py of the authors' repository christy1206/STSTNet: fp32, TensorDataset and DataLoader, Adam, batches of 256,
and an evaluation of the held-out subject after every epoch (which also leaks, if the best epoch is then taken).
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BATCH_SIZE, LR = 256, 5e-5


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


def train_plainly(
    clips: torch.Tensor, labels: torch.Tensor, is_test: torch.Tensor, epochs: int, device: str
) -> list[float]:
    """Train one fold.

    Args:
        clips: (N, 3, 28, 28) float32 on the CPU.
        labels: (N,) int64.
        is_test: (N,) bool, the clips of the held-out subject.
        epochs: Epochs of the training.
        device: Where to compute.

    Returns:
        The accuracy on the held-out subject after each epoch.
    """
    model = PlainSTSTNet(int(labels.max()) + 1).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    loss_fn = nn.CrossEntropyLoss()
    train_dl = DataLoader(TensorDataset(clips[~is_test], labels[~is_test]), batch_size=BATCH_SIZE, shuffle=True)
    test_dl = DataLoader(TensorDataset(clips[is_test], labels[is_test]), batch_size=BATCH_SIZE)
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
