"""What the doctor looks at."""

from __future__ import annotations

import importlib.resources
import platform
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nilometer import __version__
from nilometer.errors import NilometerError

if TYPE_CHECKING:
    from nilometer.acquisition.driver import DriverOptions
    from nilometer.config import Config, SourceConfig

__all__ = ["findings"]

Finding = tuple[bool, str, str]


def findings(folder: Path | None, *, warm: bool, deep: bool = False) -> Iterator[Finding]:
    """Yield what was looked at: whether it is well, what it is, and the detail."""
    yield True, "nilometer", f"{__version__} on Python {platform.python_version()}, {platform.platform(terse=True)}"
    yield from _kernels(warm=warm)
    yield from _plug_ins()
    yield _interface()
    from nilometer.cli.source_health import clocks

    yield from clocks()
    if folder is not None:
        yield from _folder(folder, deep=deep)


def _sources(
    folder: Path, settings: Config, sources: Sequence[tuple[SourceConfig, DriverOptions]]
) -> Iterator[Finding]:
    from nilometer.cli.source_health import device_clocks, links, server_port, serving

    address = serving(folder)
    yield server_port(settings, address)
    yield from links(sources, address)
    if address:
        yield from device_clocks(address, settings.server.token)


def _kernels(*, warm: bool) -> Iterator[Finding]:
    if not warm:
        return
    began = time.monotonic()
    from nilometer.calibration.table import warm as warm_calibration
    from nilometer.qc.engine import warm as warm_qc
    from nilometer.store import admission_walk  # compiled where it is imported

    del admission_walk
    warm_calibration()
    warm_qc()
    yield True, "kernels", f"compiled and kept, {time.monotonic() - began:.1f} s"


def _plug_ins() -> Iterator[Finding]:
    from nilometer.acquisition.formats.reading import formats
    from nilometer.acquisition.instrument import instruments
    from nilometer.pipeline import drivers
    from nilometer.pipeline.uplinks import receivers
    from nilometer.qc.profile import profiles
    from nilometer.qc.schemes import schemes
    from nilometer.verdict.standard import standards

    for found in (drivers(), instruments(), formats(), profiles(), schemes(), standards(), receivers()):
        kind = found.group.rsplit(".", 1)[-1]
        broken = "; ".join(f"{name}: {reason}" for name, reason in found.broken.items())
        yield not found.broken, kind, f"{len(found.items)} found" + (f"; broken: {broken}" if broken else "")


def _interface() -> Finding:
    page = importlib.resources.files("nilometer.web") / "static" / "index.html"
    there = page.is_file()
    return there, "web interface", "built" if there else "not built; install from a wheel, or pip install -e . again"


def _folder(folder: Path, *, deep: bool) -> Iterator[Finding]:
    from nilometer.config import StoreConfig, load
    from nilometer.pipeline import wall_clock
    from nilometer.pipeline.checking import check_config
    from nilometer.pipeline.uplinks import check_uplinks
    from nilometer.qc.shelf import Shelf
    from nilometer.store.folder import RESTORING, holder
    from nilometer.store.integrity import examine

    outside = StoreConfig()
    mapped: dict[str, frozenset[str]] = {}
    shelf = Shelf.beside(folder)
    if shelf.local:
        files = {name: str(file) for name, file in shelf.local.items()}
        broken = [why for name, why in shelf.profiles.broken.items() if name in files or name in files.values()]
        named = f"; broken: {'; '.join(broken)}" if broken else ""
        yield not broken, "profiles", f"{len(files) - len(broken)} of the folder's own{named}"
    config = folder / "nilometer.toml"
    if config.exists():
        try:
            settings = load(config)
            outside = settings.store
            checked = check_config(settings, wall_clock, file=config)
            declared = {one.key for one in settings.datastreams} | {one.key for one in settings.derived}
            mapped = {
                f"uplink {uplink.name}": info.options.model_validate(uplink.options).datastream_keys() - declared
                for uplink, info, _ in check_uplinks(settings, file=config)
            }
        except NilometerError as error:
            yield False, "configuration", str(error)
        else:
            counts = (len(settings.things), len(settings.sources), len(settings.uplinks))
            yield True, "configuration", "{} Things, {} sources, {} uplinks".format(*counts)
            yield from _sources(folder, settings, [(source, options) for source, _, options in checked])
    if not (folder / "VERSION").exists() and not any((folder / name).exists() for name in ("lake", RESTORING)):
        yield True, "data folder", f"{folder} holds no data yet"
        return
    found = examine(
        folder,
        catalog_url=outside.catalog_url,
        lake_url=outside.lake_url,
        lake_options=outside.lake_options,
        deep=deep,
        named=mapped,
    )
    yield from ((one.ok, one.what, one.detail) for one in found)
    address = holder(folder)
    yield True, "data folder", f"{folder}{f', held by a server at {address}' if address else ''}"
