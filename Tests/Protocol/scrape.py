"""Reading the admin port: one request, one scrape, and what a histogram has to be."""

import collections
import http.client
import math
import time

from prometheus_client.parser import text_string_to_metric_families

import process

A66 = [0, .00001, .00005, .0001, .0003, .0006, .0008, .001, .002, .003, .004, .005, .006, .008, .01,
       .013, .016, .02, .025, .03, .04, .05, .065, .08, .1, .13, .16, .2, .25, .3, .4, .5, .65, .8,
       1, 2, 5, 10, 20, 50, 100, math.inf]


def get(server, path, method="GET", **options):
    """One request; (status, headers, body)."""
    connection = http.client.HTTPConnection(server.admin, timeout=process.patience(20))
    try:
        connection.request(method, path, **options)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


class Metrics:
    """One scrape, read by Prometheus' own parser."""

    def __init__(self, server):
        status, headers, self.text = get(server, "/metrics")
        assert status == 200
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        self.families = list(text_string_to_metric_families(self.text))
        self.values = {}
        for family in self.families:
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self.values, f"{key} comes twice"
                self.values[key] = sample.value

    def value(self, name, /, **labels):
        """The one series of that name with exactly these labels; 0 where it is left out."""
        return self.values.get((name, frozenset(labels.items())), 0)

    def sum(self, name, /, **labels):
        """Over all series with these labels among theirs."""
        return sum(value for (one, theirs), value in self.values.items()
                   if one == name and labels.items() <= dict(theirs).items())


def eventually(server, reached):
    """Scrapes until a call's end has been counted: its answer may come a moment before."""
    limit = time.monotonic() + process.patience(20)
    while True:
        metrics = Metrics(server)
        if reached(metrics):
            return metrics
        assert time.monotonic() < limit, "not counted:\n" + metrics.text


def handled(metrics, **labels):
    return metrics.sum("grpc_server_handled_total", **labels)


def check_histogram(family):
    """Buckets of each series rise to +Inf, which is the count."""
    series = collections.defaultdict(list)
    counts = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        key = frozenset(labels.items())
        if sample.name.endswith("_bucket"):
            series[key].append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_count"):
            counts[key] = sample.value
    assert set(series) == set(counts), family.name
    for key, buckets in series.items():
        bounds, values = zip(*buckets)
        assert list(bounds) == sorted(set(bounds)) and bounds[-1] == math.inf, family.name
        assert list(values) == sorted(values) and values[-1] == counts[key], family.name
        if family.name.endswith("_seconds"):
            assert list(bounds) == A66, family.name
