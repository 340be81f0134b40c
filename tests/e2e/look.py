"""Pictures of a comment and of a report, to look at: `uv run python tests/e2e/look.py OUT docs/images`.

OUT is the folder that `perforch demo` or `perforch optimize` wrote. The Markdown goes through GitHub's own parser
(cmarkgfm) and a style sheet of our own that resembles GitHub's; Chromium takes the pictures.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cmarkgfm
from cmarkgfm.cmark import Options
from PIL import Image

STYLE = """
:root { color-scheme: light dark; --fg: #1f2328; --bg: #fff; --muted: #59636e; --line: #d1d9e0; --soft: #f6f8fa;
  --code: #818b981f; --link: #0969da; --add: #dafbe1; --del: #ffebe9; }
@media (prefers-color-scheme: dark) { :root { --fg: #f0f6fc; --bg: #0d1117; --muted: #9198a1; --line: #3d444d;
  --soft: #151b23; --code: #656c7633; --link: #4493f8; --add: #033a16; --del: #67060c; } }
* { box-sizing: border-box }
body { margin: 0; padding: 12px; background: var(--bg); color: var(--fg); font: 14px/1.5 "Liberation Sans", sans-serif }
.box { border: 1px solid var(--line); border-radius: 6px }
.head { background: var(--soft); border-bottom: 1px solid var(--line); padding: 8px 16px; color: var(--muted) }
.head b { color: var(--fg) }
.body { padding: 16px; overflow-wrap: break-word }
h3 { font-size: 1.25em; margin: 0 0 16px; line-height: 1.25 }
p, ul, table, pre, details { margin: 0 0 16px }
table { border-collapse: collapse; display: block; width: max-content; max-width: 100%; overflow: auto }
th, td { padding: 6px 13px; border: 1px solid var(--line) }
tbody tr:nth-child(2n) { background: var(--soft) }
code { padding: .2em .4em; font-size: 85%; background: var(--code); border-radius: 6px;
  font-family: "Liberation Mono", monospace; white-space: break-spaces }
pre { padding: 16px; overflow: auto; font-size: 85%; line-height: 1.45; background: var(--soft); border-radius: 6px }
pre code { padding: 0; background: none; font-size: 100%; white-space: pre }
pre span { display: block; min-height: 1.45em } .add { background: var(--add) } .del { background: var(--del) }
a { color: var(--link); text-decoration: none }
sub { font-size: 75%; line-height: 0; position: relative; bottom: -.25em; vertical-align: baseline }
ul { padding-left: 2em }
"""


def page(text: str) -> str:
    """A comment as a page; the first folded section is open."""
    body = cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)
    body = body.replace("<details>", "<details open>", 1)
    body = re.sub(r'<pre lang="diff"><code>(.*?)\n</code></pre>', _diff, body, flags=re.DOTALL)
    head = "<div class=head><b>github-actions</b> bot commented 2 minutes ago</div>"
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><div class=box>{head}<div class=body>{body}</div></div>"


def _diff(found: re.Match[str]) -> str:
    kinds = {"+": "add", "-": "del"}
    lines = (f'<span class="{kinds.get(line[:1], "")}">{line}</span>' for line in found[1].split("\n"))
    return f"<pre><code>{''.join(lines)}</code></pre>"


def picture(source: Path, target: Path, *, width: int, height: int, dark: bool) -> None:
    """A screenshot with few colours, so that it is small."""
    with tempfile.TemporaryDirectory() as name:
        frame = Path(name) / "frame.html"  # Chromium's own window is never narrower than 500 pixels
        style = f"border:0;width:{width}px;height:{height}px"
        frame.write_text(
            f'<!doctype html><body style="margin:0"><iframe src="{source.as_uri()}" style="{style}"></iframe>'
        )
        raw = Path(name) / "raw.png"
        command = [
            shutil.which("chromium") or "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            f"--user-data-dir={name}/profile", f"--window-size={max(width, 500)},{height}", f"--screenshot={raw}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}", frame.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        with Image.open(raw) as image:
            small = image.convert("RGB").crop((0, 0, width, height)).quantize(64)
            small.save(target, optimize=True)
    print(f"{target}: {target.stat().st_size} bytes")


def main() -> None:
    """Four pictures: the comment wide and narrow, the report light and dark."""
    out, images = Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()
    with tempfile.TemporaryDirectory() as name:
        comment = Path(name) / "comment.html"
        comment.write_text(page((out / "review.md").read_text()))
        picture(comment, images / "comment.png", width=1000, height=1260, dark=False)
        picture(comment, images / "comment-dark.png", width=1000, height=1260, dark=True)
        picture(comment, images / "comment-narrow.png", width=380, height=900, dark=True)
        picture(out / "report.html", images / "report.png", width=1000, height=1480, dark=False)
        picture(out / "report.html", images / "report-dark.png", width=1000, height=1480, dark=True)


if __name__ == "__main__":
    main()
