model = dict(backbone=dict(pretrained='weights/resnet50.pth'))
