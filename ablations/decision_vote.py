model = dict(cls_head=dict(decision='vote'))
