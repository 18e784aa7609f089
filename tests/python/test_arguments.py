"""Arguments of a call on arrays."""

import numpy as np

from fastcnn import Tensor
from fastcnn.engine.arguments import flatten, is_sequence, unflatten

ARRAY, TENSOR = np.zeros(2), Tensor([1.0])


def test_sequences_are_tuples_of_arrays_and_any_of_tensors():
    for sequence in ((ARRAY,), (ARRAY, TENSOR), (TENSOR,), [TENSOR, TENSOR]):
        assert is_sequence(sequence)
    for value in (ARRAY, TENSOR, 1.0, [ARRAY], [1, 2], (1, 2), (), [], (ARRAY, 1)):
        assert not is_sequence(value)


def test_what_is_flattened_comes_back():
    for inputs in ([ARRAY, TENSOR], [(ARRAY, TENSOR), ARRAY], [ARRAY, (TENSOR,)], [[1, 2], (ARRAY, ARRAY)]):
        values, form = flatten(inputs)
        assert not any(map(is_sequence, values))
        assert len(values) == sum(len(each) if is_sequence(each) else 1 for each in inputs)
        back = unflatten(values, form)
        assert [type(each) for each in back] == [type(each) for each in inputs]
        for old, new in zip(inputs, back, strict=True):
            assert all(a is b for a, b in zip(old, new, strict=True)) if is_sequence(old) else old is new


def test_plain_values_are_passed_on_as_they_are():
    inputs = (ARRAY, TENSOR)
    assert flatten(inputs) == (inputs, None)
    assert unflatten(inputs, None) is inputs
