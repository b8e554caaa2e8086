"""Sentences as the extension cuts them.

The program `segment_text` is built from the extension's own segmenter.  It
reads texts (uint32 length, UTF-8 bytes) and writes, for each, uint32 n and n
pairs of uint32 byte offsets.
"""

import struct
import subprocess


def segment(program, texts):
    """The sentences of every text; concatenated they are the text."""
    encoded = [text.encode("utf-8") for text in texts]
    request = b"".join(struct.pack("<I", len(data)) + data for data in encoded)
    reply = subprocess.run([program], input=request, stdout=subprocess.PIPE, check=True).stdout
    result = []
    at = 0
    for data in encoded:
        (count,) = struct.unpack_from("<I", reply, at)
        bounds = struct.unpack_from("<%dI" % (2 * count), reply, at + 4)
        at += 4 + 8 * count
        sentences = [data[bounds[2 * i]:bounds[2 * i + 1]].decode("utf-8") for i in range(count)]
        if "".join(sentences).encode("utf-8") != data:
            raise ValueError("sentences do not make up the text: %r" % data[:80])
        result.append(sentences)
    return result
