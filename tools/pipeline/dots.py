"""The dot product of the format, bit for bit: the numpy twin of the server's kernels.

float32 throughout: lane j of 16 sums the products of elements j, j+16, ... in order (the tail
padded with +0), multiply then add and never fused; then the lanes fold 8, 4, 2, 1. numpy's own
dot and a fused multiply-add differ from it in the last bit for many pairs.
"""
from __future__ import annotations

import numpy as np

from tables import Vector

LANES = 16
# int8 products of this many elements sum to at most 2^24, which float32 still holds exactly.
INT8_DIMENSION_MAX = 1024
BLOCK_ROWS = 65_536


def dot_float(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Row-wise products of left and right, both [r, d] float32 or float16: float32 [r]."""
    rows, dimension = left.shape
    steps = -(-dimension // LANES)
    padded = np.zeros((2, rows, steps * LANES), np.float32)
    padded[0, :, :dimension] = left
    padded[1, :, :dimension] = right
    # Two ufuncs, each of which rounds to float32: numpy does not fuse across them.
    products = padded[0] * padded[1]
    lanes = np.zeros((rows, LANES), np.float32)
    for step in range(steps):
        lanes += products[:, step * LANES:(step + 1) * LANES]
    for width in (8, 4, 2, 1):
        lanes = lanes[:, :width] + lanes[:, width:2 * width]
    return lanes[:, 0]


def dot_int8(left: np.ndarray, right: np.ndarray, left_scale: np.ndarray,
             right_scale: np.ndarray) -> np.ndarray:
    """Row-wise Float(integer sum) * left_scale * right_scale, left to right: float32 [r]."""
    if left.shape[1] > INT8_DIMENSION_MAX:
        raise ValueError(f"an int8 vector has at most {INT8_DIMENSION_MAX} elements")
    sums = (left.astype(np.int32) * right.astype(np.int32)).sum(axis=1, dtype=np.int32)
    return (sums.astype(np.float32) * left_scale) * right_scale


def dot_rows(users: Vector, items: Vector, user_rows: np.ndarray,
             item_rows: np.ndarray) -> np.ndarray:
    """The products of paired rows, float32 [r]; a user row below 0 (unknown) gives +0."""
    result = np.zeros(len(item_rows), np.float32)
    known = np.flatnonzero(user_rows >= 0)
    for start in range(0, len(known), BLOCK_ROWS):
        block = known[start:start + BLOCK_ROWS]
        user, item = user_rows[block], item_rows[block]
        left, right = users.values[user], items.values[item]
        if users.scale is not None and items.scale is not None:
            result[block] = dot_int8(left, right, users.scale[user], items.scale[item])
        else:
            result[block] = dot_float(left, right)
    return result
