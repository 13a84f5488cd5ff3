"""Stands in for the learner process in tests of the sandbox: runs the text it gets, answers with `answer`."""

import json
import socket
import struct


def serve(connected: socket.socket) -> None:
    with connected.makefile("rwb") as stream:
        while length := stream.read(4):
            text = stream.read(struct.unpack("<I", length)[0]).decode()
            names: dict[str, object] = {"answer": None}
            try:
                exec(text, names)
            except BaseException as problem:
                names["answer"] = f"{type(problem).__name__}: {problem}"
            stream.write(json.dumps(names["answer"]).encode() + b"\n")
            stream.flush()
