"""Models that no trainer wrote: every kind of node, number and category set that a file may hold."""

import struct


def fuzzed_double(rng):
    kind = rng.randrange(8)
    if kind == 0:
        value = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
        value = 0.25 if value != value or abs(value) == float("inf") else value
        return "%.17g" % value
    if kind == 1:
        return rng.choice(
            [
                "0",
                "-0",
                "5e-324",
                "-2.2250738585072011e-308",
                "1e-310",
                "1e+300",
                "-1e+300",
                "inf",
                "-inf",
                "1.0000000180025095e-35",
                "-1.0000000180025095e-35",
                "1.0000000180025097e-35",
                "9.9999999999999994e-36",
            ]
        )
    if kind == 2:  # more digits than a double has
        return "%d.%040de%d" % (rng.randrange(10), rng.getrandbits(130), rng.randrange(-20, 20))
    return "%.17g" % rng.gauss(0, 1.5)


def fuzzed_tree(rng, number, features, largest):
    leaves = rng.choice([1, 2, 3, 8, 31, 80])
    left, right, at = [], [], {0: None}  # leaf -> (side list, index) that points to it
    for node in range(leaves - 1):
        leaf = rng.choice(list(at))
        if at[leaf]:
            at[leaf][0][at[leaf][1]] = node
        left.append(~leaf)
        right.append(~(node + 1))
        at[leaf], at[node + 1] = (left, node), (right, node)
    order = list(range(1, leaves - 1))  # files of other writers number nodes as they like
    rng.shuffle(order)
    order = [0] * (leaves > 1) + order
    renamed = {old: new for new, old in enumerate(order)}
    child = lambda column: [renamed[c] if c >= 0 else c for c in (column[old] for old in order)]
    left, right = child(left), child(right)
    kinds, thresholds, boundaries, words = [], [], [0], []
    for _ in range(leaves - 1):
        kind = rng.choice([0, 2, 4, 6, 8, 10, 1, 9])
        if kind & 1:
            count = rng.choice([1, 1, 2, 3, largest])
            thresholds.append(str(len(boundaries) - 1))
            words += [
                rng.getrandbits(32) if count < 10 or rng.random() < 0.02 else 0
                for _ in range(count)
            ]
            boundaries.append(len(words))
        else:
            thresholds.append(fuzzed_double(rng))
        kinds.append(kind)
    finite = [
        x
        for x in (fuzzed_double(rng) for _ in range(4 * leaves + 40))
        if "inf" not in x and abs(float(x)) < 1e290
    ]
    lines = [
        f"num_leaves={leaves}",
        f"num_cat={len(boundaries) - 1}",
        "split_feature=" + " ".join(str(rng.randrange(features)) for _ in kinds),
        "threshold=" + " ".join(thresholds),
        "decision_type=" + " ".join(map(str, kinds)),
        "left_child=" + " ".join(map(str, left)),
        "right_child=" + " ".join(map(str, right)),
        "leaf_value=" + " ".join(finite[:leaves]),
        "leaf_count=" + " ".join(str(rng.randrange(2_000)) for _ in range(leaves)),
    ]
    if len(boundaries) > 1:
        lines += [
            "cat_boundaries=" + " ".join(map(str, boundaries)),
            "cat_threshold=" + " ".join(map(str, words)),
        ]
    return f"Tree={number}\n" + "\n".join(lines) + "\nis_linear=0\nshrinkage=1\n\n\n"


def fuzzed(kit, rng):
    scales = [
        "1",
        "0.7",
        "1.97819",
        "3.72048",
        "0.123457",
        "3.14159e-05",
        "2.5e-07",
        "12.5",
        "1e+06",
        "0.857471",
    ]
    for index, scale in enumerate(scales):
        features = rng.choice([1, 3, 7])
        version = ["v2", "v3", "v4"][index % 3]
        trees = [fuzzed_tree(rng, number, features, 2_200) for number in range(12)]
        header = [
            "tree",
            f"version={version}",
            "num_class=1",
            "num_tree_per_iteration=1",
            "label_index=0",
            f"max_feature_idx={features - 1}",
            f"objective=binary sigmoid:{scale}",
            "feature_names=" + " ".join(f"f{i}" for i in range(features)),
            "feature_infos=" + " ".join(["[-1:1]"] * features),
            "tree_sizes=" + " ".join(str(len(t)) for t in trees),
        ]
        kit.accept(f"fuzz-{index}", "\n".join(header) + "\n\n" + "".join(trees) + "end of trees\n")
