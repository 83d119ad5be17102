"""What `viridian watch` shows of a good release and of a bad one, recorded on the local cloud in virtual time: docs/screens."""

import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.workflow.world import ROOT, Release, World, opened
from viridian_cli import picture
from viridian_cli.aws import stack
from viridian_cli.aws.look import Looker
from viridian_cli.picture import Picture
from viridian_cli.screen import Screen
from viridian_cli.seen import Seen

OUT = ROOT / "docs" / "screens"
WIDTH, HEIGHT = 100, 36
LOOK_SECONDS, SHOWN_SECONDS = 5.0, 180.0
FASTER = 20.0  # a cloud minute takes three seconds of who watches the recording
STEPS = [{"weight": 10, "observe_minutes": 5}, {"weight": 100, "observe_minutes": 5}]

_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # rich's are on somebody's server


@dataclass(frozen=True)
class Scene:
    """One release, what is wrong with it, and the moments of it that become images: by the plot's part or the status."""

    name: str
    fault: str | None
    moments: dict[str, str]


SCENES = (
    Scene("good", None, {"10%": "observing", "Promoted": "promoted"}),
    Scene("bad", "third", {"RollingBack": "rolling-back"}),
)


def watched(world: World, release: Release) -> Iterator[Picture]:
    """Each picture that has something new, or comes three minutes after the one before it, to the end."""
    looker, last = Looker(release.arn), None
    while last is None or not last.over:
        world.cloud.clock.sleep(LOOK_SECONDS)
        seen = looker.look()
        if not isinstance(seen, Seen):
            continue
        drawn = picture.drawn(seen)
        if picture.differs(last, drawn) or (last and (drawn.at - last.at).total_seconds() >= SHOWN_SECONDS):
            yield drawn
            last = drawn


def record(scene: Scene) -> list[Path]:
    """Plays one scene; answers with the files that it has become."""
    written: dict[str, Path] = {}
    lines = [
        json.dumps(
            {
                "version": 2,
                "width": WIDTH,
                "height": HEIGHT,
                "title": f"viridian watch shop: a {scene.name} release",
            }
        )
    ]
    with opened(steps=STEPS) as world:
        stack.find("viridian")
        release = world.start(fault=scene.fault)
        began = world.cloud.clock.now()
        for drawn in watched(world, release):
            after = (drawn.at.timestamp() - began) / FASTER
            lines.append(json.dumps([round(after, 2), "o", "\x1b[H\x1b[2J" + _text(drawn)]))
            at = {drawn.status, *(stage.name for stage in drawn.plot if stage.mark == "now")}
            for part in at & scene.moments.keys():
                if part not in written or any(0.3 < wait.done < 0.9 for wait in drawn.waits[:1]):
                    written[part] = _image(drawn, OUT / f"{scene.moments[part]}.svg")
    cast = OUT / f"{scene.name}.cast"
    cast.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [cast, *written.values()]


def _text(drawn: Picture) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=WIDTH, height=HEIGHT)
    console.print(Screen(drawn, fits=True), end="")
    return "\r\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _image(drawn: Picture, path: Path) -> Path:
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=WIDTH, height=HEIGHT)
    console.print(Screen(drawn, fits=True))
    image = console.export_svg(title=f"viridian watch {drawn.service}")
    path.write_text(_FONTS.sub("", image), encoding="utf-8")
    return path


def main() -> None:
    os.environ["AWS_REGION"] = "us-east-1"
    OUT.mkdir(parents=True, exist_ok=True)
    for scene in SCENES:
        for path in record(scene):
            print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
