# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Test the trained model on the rows that the training never saw.

Run it with ``ds run python evaluate.py`` or, just as well, with ``python evaluate.py``.
"""

import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score, roc_auc_score

import dotscience as ds


def main() -> None:
    ds.script()
    with ds.run("Evaluate on the test rows"):
        # a .joblib file is a pickle: load only what you made yourself
        model = joblib.load(ds.input("model/model.joblib"))
        classes = json.loads(Path(ds.input("model/classes.json")).read_text())
        table = pd.read_csv(ds.input("data/clean.csv"))

        test = table[table["part"] == "test"]
        features = test.drop(columns=["diagnosis", "part"])
        names = [classes[str(number)] for number in range(len(classes))]
        truth = test["diagnosis"].map(names.index)
        predicted = model.predict(features)
        malignant = names.index("malignant")

        report = {
            "rows": len(test),
            "accuracy": accuracy_score(truth, predicted),
            "recall_malignant": recall_score(truth, predicted, pos_label=malignant),
            "roc_auc": roc_auc_score(
                truth == malignant, model.predict_proba(features)[:, malignant]
            ),
        }
        for name, value in report.items():
            report[name] = ds.metric(name, round(value, 4))

        report["confusion"] = {
            name: dict(zip(names, map(int, row), strict=True))
            for name, row in zip(names, confusion_matrix(truth, predicted), strict=True)
        }
        Path("report").mkdir(exist_ok=True)
        target = Path(ds.output("report/metrics.json"))
        target.write_text(json.dumps(report, indent=2) + "\n")
        print(f"accuracy {report['accuracy']:.3f} on {report['rows']} test rows, see {target}")


if __name__ == "__main__":
    main()
