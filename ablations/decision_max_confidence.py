model = dict(cls_head=dict(decision='max_confidence'))
