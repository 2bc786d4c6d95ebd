"""The numpy dot against a slow scalar reference, bit for bit."""
import struct
import unittest

import numpy as np

from dots import dot_float, dot_int8, dot_rows
from tables import Vector

SEED = 20261123


def single(value: float) -> float:
    """A double rounded to float32. The double product of two floats is exact, and their double sum
    rounds to the same float as the exact sum does, so this makes each operation round once."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def reference(left: list[float], right: list[float]) -> float:
    """The format's own words, one element at a time."""
    lanes = [0.0] * 16
    for index, (a, b) in enumerate(zip(left, right)):
        lanes[index % 16] = single(lanes[index % 16] + single(a * b))
    for width in (8, 4, 2, 1):
        for lane in range(width):
            lanes[lane] = single(lanes[lane] + lanes[lane + width])
    return lanes[0]


def fused_reference(left: list[float], right: list[float]) -> float:
    """What the format forbids: products that are not rounded before they are added."""
    lanes = [0.0] * 16
    for index, (a, b) in enumerate(zip(left, right)):
        lanes[index % 16] = single(lanes[index % 16] + a * b)
    for width in (8, 4, 2, 1):
        for lane in range(width):
            lanes[lane] = single(lanes[lane] + lanes[lane + width])
    return lanes[0]


class DotTests(unittest.TestCase):
    def pairs(self, rows, dimension, dtype):
        rng = np.random.default_rng(SEED)
        return rng.normal(size=(2, rows, dimension)).astype(dtype)

    def test_float32_and_float16_of_every_tail(self):
        for dtype in (np.float32, np.float16):
            for dimension in (1, 7, 15, 16, 17, 31, 32, 33, 64, 100):
                left, right = self.pairs(40, dimension, dtype)
                expected = [reference(a, b) for a, b in zip(left.tolist(), right.tolist())]
                found = dot_float(left, right)
                self.assertEqual(found.dtype, np.float32)
                self.assertEqual(found.view(np.uint32).tolist(),
                                 np.array(expected, np.float32).view(np.uint32).tolist(),
                                 f"{dtype.__name__} [{dimension}], seed {SEED}")

    def test_the_data_tells_other_orders_apart(self):
        left, right = self.pairs(400, 64, np.float32)
        found = dot_float(left, right)
        fused = [fused_reference(a, b) for a, b in zip(left.tolist(), right.tolist())]
        self.assertGreater(int((found != np.array(fused, np.float32)).sum()), 40)
        numpys = np.array([np.dot(a, b) for a, b in zip(left, right)], np.float32)
        self.assertGreater(int((found != numpys).sum()), 40)

    def test_int8_scales_left_to_right(self):
        rng = np.random.default_rng(SEED)
        left, right = rng.integers(-128, 128, (2, 200, 24)).astype(np.int8)
        scales = rng.random((2, 200)).astype(np.float32)
        expected = []
        for a, b, s, t in zip(left.tolist(), right.tolist(), *scales.tolist()):
            total = sum(x * y for x, y in zip(a, b))
            expected.append(single(single(single(float(total)) * s) * t))
        found = dot_int8(left, right, *scales)
        self.assertEqual(found.tolist(), expected, f"seed {SEED}")
        sums = (left.astype(np.int32) * right).sum(axis=1).astype(np.float32)
        other = found != sums * (scales[0] * scales[1])
        self.assertTrue(other.any(), "the data cannot tell the order of the scales")

    def test_int8_sums_at_the_bound_are_exact(self):
        extreme = np.full((1, 1024), -128, np.int8)
        one = np.ones(1, np.float32)
        self.assertEqual(dot_int8(extreme, extreme, one, one)[0], 2.0 ** 24)
        wide = np.zeros((1, 1025), np.int8)
        with self.assertRaises(ValueError):
            dot_int8(wide, wide, one, one)

    def test_an_unknown_user_gives_positive_zero(self):
        items = Vector(np.full((2, 3), -1, np.float32))
        users = Vector(np.full((1, 3), 2, np.float32))
        found = dot_rows(users, items, np.array([-1, 0]), np.array([0, 1]))
        self.assertEqual(found.tolist(), [0.0, -6.0])
        self.assertFalse(np.signbit(found[0]))
