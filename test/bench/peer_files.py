"""Files that peers read, made from a model directory once."""

import os
import sys

from checkpoint import Checkpoint

# Bytes of a file may only be taken for whole when they were written to the end
PARTIAL = ".partial"


def make(model_directory, kind, form, path, gguf_package):
    model = Checkpoint(model_directory)
    shape = model.shape()
    if form == "onnx":
        import onnx_model

        # The graph names the file of weights beside it, so it is not renamed
        onnx_model.make(path, kind, model.weights, shape)
        return
    if form == "xml":
        import openvino_model

        # The same of a file with .bin
        openvino_model.make(path, kind, model.weights, shape)
        return
    if gguf_package:
        sys.path.insert(0, gguf_package)
    import gguf_model

    gguf_model.make(path + PARTIAL, kind, model.weights, shape)
    os.rename(path + PARTIAL, path)


if __name__ == "__main__":
    make(*sys.argv[1:])
