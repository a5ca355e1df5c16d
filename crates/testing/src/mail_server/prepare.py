"""Makes the Python that the mail server of the tests runs in, once, and prints its path.

    python3 prepare.py DIRECTORY

Test processes that start at the same time wait for one another.
"""

import fcntl
import pathlib
import subprocess
import sys
import venv

PACKAGES = ["aiosmtpd==1.4.6", "trustme==1.2.1"]

directory = pathlib.Path(sys.argv[1]).absolute()
python = directory / "bin" / "python"
ready = directory / "ready"
directory.mkdir(parents=True, exist_ok=True)
with open(directory / "lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not ready.exists() or ready.read_text() != "\n".join(PACKAGES):
        venv.create(directory, with_pip=True)
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, *PACKAGES], check=True, stdout=sys.stderr)
        ready.write_text("\n".join(PACKAGES))
print(python)
