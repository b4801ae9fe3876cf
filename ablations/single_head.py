model = dict(cls_head=dict(outputs='fused'))
