"""Files that peers read, made from a model directory once."""

import os
import sys

import models

# Bytes of a file may only be taken for whole when they were written to the end
PARTIAL = ".partial"


def make(model_directory, shape_name, kind, form, path, gguf_package):
    from safetensors import safe_open

    if os.path.exists(path):
        return
    with safe_open(os.path.join(model_directory, "model.safetensors"), "np") as file:
        shape = models.SHAPES[shape_name]
        if form == "onnx":
            import onnx_model

            # The graph names the file of weights beside it, so it is not renamed
            onnx_model.make(path, kind, file.get_tensor, shape)
            return
        if gguf_package:
            sys.path.insert(0, gguf_package)
        import gguf_model

        gguf_model.make(path + PARTIAL, kind, file.get_tensor, shape)
        os.rename(path + PARTIAL, path)


if __name__ == "__main__":
    make(*sys.argv[1:])
