import pandas as pd
import pytest

from mer_bench.errors import InputError
from mer_bench.protocols.label_schemes import encode_labels

TABLE = pd.DataFrame({'sample_id': ['a/1/x', 'a/1/y', 'a/2/z'], 'emotion': ['surprise', 'negative', 'surprise']})


def test_labels_follow_the_order_of_the_classes():
    assert encode_labels(TABLE, ['negative', 'positive', 'surprise']).tolist() == [2, 0, 2]


def test_an_emotion_outside_the_classes_is_named_with_its_clip():
    with pytest.raises(InputError, match=r"a/1/y: the emotion 'negative' is not one of the classes positive, surprise"):
        encode_labels(TABLE, ['positive', 'surprise'])
