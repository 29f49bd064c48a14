"""The product's model beside scikit-learn's logistic regression on the same vectors, by hand.

    databits demo --folder PATH --home HOME --no-serve
    python -m benchmarks.accuracy HOME

Takes the newest model of a workspace: its dataset's train and test rows, the vectors that the store
keeps, and the accuracy that evaluate_model found. Trains a plain logistic regression on the same
train rows and scores it on the same test rows.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from databits.engines.embedding import Embedder
from databits.engines.vectors import record_vectors
from databits.platforms.embedded import Embedded
from databits.settings import Settings
from databits.store.training import DatasetRow


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    workbench = Embedded(Settings(home=parser.parse_args().home.resolve()))
    database = workbench.database
    name = database.read(lambda store: store.models.refs()[0])
    model = database.read(lambda store: store.models.raw(name))
    result = database.read(lambda store: store.models.evaluation(model.id))
    if result is None:
        raise SystemExit(f"{name} has not been evaluated: databits evaluate_model --model {name}")
    embedder = Embedder()

    def vectors(rows: list[DatasetRow]) -> np.ndarray:
        return record_vectors(
            embedder, {r.record_id: r.text for r in rows}, read=database.read, keep=database.write
        )

    train = database.read(lambda store: store.datasets.rows(model.dataset_id, "train"))
    test = database.read(lambda store: store.datasets.rows(model.dataset_id, "test"))
    seen, unseen = vectors(train), vectors(test)
    # The better of two penalties, chosen on the test rows: the floor is given every advantage.
    by_hand = (
        LogisticRegression(max_iter=2000, C=c).fit(seen, [r.label for r in train]) for c in (1, 10)
    )
    floor = max(fitted.score(unseen, [r.label for r in test]) for fitted in by_hand)
    product = result["accuracy"]["value"]
    print(f"{len(train)} train and {len(test)} test rows, {len(model.labels)} labels")
    print(
        f"product {product:.4f} [{result['accuracy']['low']:.4f}, {result['accuracy']['high']:.4f}]"
    )
    print(f"by hand {floor:.4f}  difference {product - floor:+.4f}  ratio {product / floor:.3f}")


if __name__ == "__main__":
    main()
