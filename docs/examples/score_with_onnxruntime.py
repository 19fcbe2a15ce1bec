"""Scores a CSV with an exported detector: onnxruntime and numpy, and nothing of vcedge.

python score_with_onnxruntime.py detector.onnx rows.csv       (from `vcedge export model.vcedge --to onnx --whole`)
"""

import csv
import json
import sys

import numpy as np
import onnxruntime

TYPES = {"double": np.float64, "float": np.float32, "int32": np.int32, "int64": np.int64, "bool": np.bool_}

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
manifest = json.loads(session.get_modelmeta().custom_metadata_map["vcedge"])
channels = [channel["name"] for channel in manifest["schema"]["channels"]]
inputs = {node.name: (node.shape, TYPES[node.type[7:-1]]) for node in session.get_inputs()}
outputs = [node.name for node in session.get_outputs()]
state = {name: np.zeros(shape, kind) for name, (shape, kind) in inputs.items()}  # a fresh state is all zeros

print("raw,score,level")
with open(sys.argv[2], newline="") as rows:
    for row in csv.DictReader(rows):
        values = np.array([[float(row[name] or "nan") for name in channels]])
        feed = {**state, "values": values, "missing": np.isnan(values)}
        out = dict(zip(outputs, session.run(outputs, feed), strict=True))
        state |= {name[: -len("_next")]: value for name, value in out.items() if name.endswith("_next")}
        print(f"{out['raw'][0]:.9g},{out['score'][0]:.9g},{out['level'][0]}")
