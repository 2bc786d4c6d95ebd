"""Sources and their values by the format's rules, on tables small enough to work out by hand."""
import math
import unittest

import numpy as np

from rows import (Constant, Dot, Equal, Rows, Scalar, local_hour, local_weekday, matrix,
                  parse_source)
from tables import Table, Vector

NAN = math.nan
ITEMS = Table(np.array([10, 11, 12], np.uint64), ["a", "b", "c"],
              {"wide": np.array([1, -(2 ** 53), 3], np.int64),
               "half": np.array([0.1, np.nan, 2.0], np.float16),
               "flag": np.array([True, False, True]),
               "market": np.array([0, 1, 2], np.int8)},
              {"taste": Vector(np.array([[1, 2], [3, 4], [5, 6]], np.float32))})
USERS = Table(np.array([1, 2], np.uint64), ["u", "v"],
              {"age": np.array([30.5, np.nan], np.float32), "market": np.array([1, 2], np.int8)},
              {"taste": Vector(np.array([[1, 1], [0.5, -1]], np.float32))})


class RowTests(unittest.TestCase):
    def values(self, source, rows, users=USERS):
        return matrix(ITEMS, users, [parse_source(source)], rows)[:, 0]

    def assert_values(self, source, rows, expected, users=USERS):
        found = self.values(source, rows, users)
        np.testing.assert_array_equal(found, np.array(expected, np.float64))

    def setUp(self):
        self.rows = Rows(np.array([0, 1, 2, 2]), np.array([0, 1, -1, 0]),
                         {"market": np.array([0.0, 1.0, NAN, 1.0])},
                         {"recent": np.array([0.1, NAN, 3, 4], np.float32)})

    def test_sources_are_read(self):
        self.assertEqual(parse_source("item.wide"), Scalar("item", "wide"))
        self.assertEqual(parse_source("dot(user.taste, item.taste)"), Dot("taste", "taste"))
        self.assertEqual(parse_source("equal(item.market,context.market)"),
                         Equal(Scalar("item", "market"), Scalar("context", "market")))
        self.assertEqual(parse_source("constant(-1.5e3)"), Constant(-1500.0))

    def test_other_sources_are_refused(self):
        for text in ("", "item", "item.", "item.a.b", "artist.a", "context.month", "constant(x)",
                     "dot(item.taste, user.taste)", "equal(item.a)", "equal(item.a, constant(1))",
                     "item.a ", "constant()"):
            with self.assertRaises(ValueError, msg=text):
                parse_source(text)

    def test_columns_widen_exactly(self):
        self.assert_values("item.wide", self.rows, [1, -(2 ** 53), 3, 3])
        self.assert_values("item.half", self.rows, [float(np.float16(0.1)), NAN, 2, 2])
        self.assert_values("item.flag", self.rows, [1, 0, 1, 1])
        self.assert_values("request.recent", self.rows, [float(np.float32(0.1)), NAN, 3, 4])

    def test_what_nobody_sent_is_missing(self):
        self.assert_values("request.other", self.rows, [NAN] * 4)
        self.assert_values("context.tier", self.rows, [NAN] * 4)

    def test_an_unknown_user_has_missing_columns_and_a_zero_vector(self):
        self.assert_values("user.age", self.rows, [30.5, NAN, NAN, 30.5])
        self.assert_values("dot(user.taste, item.taste)", self.rows, [3, -2.5, 0, 11])
        self.assert_values("user.age", self.rows, [NAN] * 4, users=None)
        self.assert_values("dot(user.taste, item.taste)", self.rows, [0] * 4, users=None)

    def test_equal_is_missing_where_either_side_is(self):
        self.assert_values("equal(item.market, context.market)", self.rows, [1, 1, NAN, 0])
        self.assert_values("equal(item.market, user.market)", self.rows, [0, 0, NAN, 0])

    def test_a_request_overrides_the_users_own(self):
        self.rows.user_values = {"age": np.float32(0.1)}
        self.rows.user_vectors = {"taste": np.array([2, 0], np.float32)}
        self.assert_values("user.age", self.rows, [float(np.float32(0.1))] * 4)
        self.assert_values("dot(user.taste, item.taste)", self.rows, [2, 6, 10, 10])

    def test_local_time(self):
        # 2026-11-22 is a Sunday; half past eleven at night in London is Monday in Stockholm.
        late = 1_795_390_200_000
        self.assertEqual((local_hour(late, 0), local_weekday(late, 0)), (23, 6))
        self.assertEqual((local_hour(late, 60), local_weekday(late, 60)), (0, 0))
        self.assertEqual((local_hour(late, -330), local_weekday(late, -330)), (18, 6))
        # A millisecond before 1970 was the last one of a Wednesday.
        self.assertEqual((local_hour(-1, 0), local_weekday(-1, 0)), (23, 2))
