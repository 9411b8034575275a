"""Where the build and the runtime are, for the tests that `run` loads."""

import os

build = None
runtime = None


def set_build(path):
    global build, runtime  # pylint: disable=global-statement
    build = os.path.abspath(path)
    runtime = os.path.join(build, "runtimes", "nodejs22.x")
