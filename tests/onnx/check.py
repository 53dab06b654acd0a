"""onnx.checker, with shape inference, over every model of a folder."""
import pathlib
import sys

import onnx

models = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
if not models:
    sys.exit("check.py: no models")
for path in models:
    try:
        onnx.checker.check_model(onnx.load(path), full_check=True)
    except Exception as error:
        sys.exit(f"check.py: {path.name}: {error}")
print(f"{len(models)} models are well-formed")
