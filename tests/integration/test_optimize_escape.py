"""Pull requests whose code attacks the run that measures them: the run ends well, the good function is still repaired, the host is as before."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import psutil
import pytest
from optimize_world import WRONG, WRONG_TEST, Repository, models, optimize
from recording import serving

if TYPE_CHECKING:
    from pathlib import Path

# What a test of the pull request does; `MARK` is a folder of the host, `KEY` what must not be found.
ATTACKS = {
    "output": "import sys\nfor _ in range(200):\n    sys.stdout.write('x' * (1 << 20))",
    "output past pytest": "import os\nfor _ in range(200):\n    os.write(2, b'x' * (1 << 20))",
    "leave": "import os\nos._exit(0)",
    "kill": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "daemons": "import os, time\nfor _ in range(20):\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(600)\n        os._exit(0)",
    "links": "import os\nfor place in ('/out', '/tmp', os.environ.get('HOME', '/tmp')):\n    for name in ('perforch-end', 'report.xml', 'links'):\n"
    "        try:\n            os.symlink('MARK', f'{place}/{name}')\n        except OSError:\n            pass",
    "strange names": "import os\nfor name in ('new\\nline', '\\x1b[31m', '::error::x', '-rf'):\n    for place in ('/out', '/src'):\n        try:\n"
    "            open(os.path.join(place, name), 'w').close()\n        except OSError:\n            pass",
    "pipes": "import os\nfor place in ('/out', '/src'):\n    for name in ('junit.xml', 'report.json', 'results'):\n        try:\n"
    "            os.mkfifo(f'{place}/{name}')\n        except OSError:\n            pass",
    "depth": "import os\nfor place in ('/out', '/tmp'):\n    try:\n        os.chdir(place)\n        for _ in range(1500):\n"
    "            os.mkdir('d')\n            os.chdir('d')\n    except OSError:\n        pass",
    "looking for the key": "import glob\nfor path in glob.glob('/proc/*/environ') + ['/proc/1/environ']:\n    try:\n"
    "        said = open(path, 'rb').read()\n    except OSError:\n        continue\n    assert b'KEY' not in said",
    "words for the log": "print('::set-output name=run::true')\nprint('::add-mask::a')\nprint('\\x1b]0;owned\\x07')\n"
    "assert False, '::error::<img src=x>'",
    "changed harness": "import _pytest.reports\n_pytest.reports.TestReport.outcome = 'passed'\nassert False",
}  # fmt: skip
SECRET = "sk-escape-0123456789abcdef"


@pytest.mark.parametrize("name", ATTACKS)
def test_the_run_goes_on(tmp_path: Path, name: str) -> None:
    mark = "escape-" + secrets.token_hex(8)
    host = tmp_path / mark
    host.mkdir()
    (host / "precious").write_text("precious")
    attack = ATTACKS[name].replace("MARK", str(host)).replace("KEY", SECRET).replace("\n", "\n    ")
    evil = "def evil(items):\n    return [item for item in items if item]\n"
    test = f"from evil import evil\n\n\ndef test_evil():\n    {attack}\n    assert evil([0, 1]) == [1]\n"
    head = {"pairs.py": WRONG, "test_pairs.py": WRONG_TEST, "evil.py": evil, "test_evil.py": test}
    repository = Repository(tmp_path / "repository", {"README.md": "x"}, head)
    before = repository.fingerprint()
    with serving() as server:
        config = tmp_path / "perforch.yml"
        config.write_text(models(server.url, "m", api_key_env="MY_MODEL_KEY") + "categories: local\n")
        arguments = ("--config", str(config), "--stage", "fix", "--function", "pairs.py::double")
        done = optimize(repository.path, tmp_path / "out", *arguments, MY_MODEL_KEY=SECRET)
    assert done.code == 0, done.err
    ended_early = name in {
        "leave",
        "output past pytest",
    }  # the suite as a whole: then nothing is known of its other tests
    assert done.verdicts["double"] == ("failed" if ended_early else "fixed"), done.result.functions[0].reason
    assert repository.fingerprint() == before
    assert (host / "precious").read_text() == "precious"
    assert [path.name for path in host.iterdir()] == ["precious"]
    assert "\x1b" not in done.err
    assert "::set-output" not in done.out
    assert SECRET not in done.out + done.err + (tmp_path / "out" / "result.json").read_text()
    assert not [
        one for one in psutil.process_iter(["cmdline"]) if mark in " ".join(one.info["cmdline"] or ())
    ]
