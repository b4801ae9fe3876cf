model = dict(cls_head=dict(outputs=['scale2', 'fused']))
