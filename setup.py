"""The native kernel as an optional extension; all else is in pyproject.toml. docs/decisions/0009-native-kernel.md."""

import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

# The buffer protocol entered the stable ABI with 3.11; free-threaded builds have no stable ABI yet.
STABLE = sys.version_info >= (3, 11) and not sysconfig.get_config_var("Py_GIL_DISABLED")
KERNEL = Path("runtime/kernel")

kernel = Extension(
    "vcedge.runtime._kernel",
    sources=sorted(str(path) for path in KERNEL.rglob("*.c")),
    depends=sorted(str(path) for path in KERNEL.rglob("*.[hi]*")),
    include_dirs=[str(KERNEL)],
    define_macros=[("Py_LIMITED_API", "0x030B0000")] if STABLE else [],
    py_limited_api=STABLE,
    extra_compile_args=["-std=gnu99", "-O3", "-g0", "-fno-math-errno", "-ffp-contract=off", "-fvisibility=hidden"],
    libraries=["m"],
    optional=True,  # without a compiler the numpy engine serves, and says so
)

setup(
    ext_modules=[kernel],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE else {},
)
