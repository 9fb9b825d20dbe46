"""Queries to SDMX services through pysdmx: one measure a query, within the hourly limit, answers kept."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from data_fetch.download import LONGEST_WAIT, PASSING, RETRIES, USER_AGENT, RefusedError, asked_wait, later
from data_fetch.limits import HourlyLimit
from data_fetch.store import Record, Store, make_folder, now
from tiva.errors import (
    FetchError,
    MissingExtraError,
    OfflineError,
    UnknownLabelError,
    UsageError,
    explain,
    listing,
)
from tiva.files import replacing

TIMEOUT = 120.0
"""Seconds that a service may take to answer; large slices take a minute."""

_IDENTITY = re.compile(r"(?:([A-Za-z][\w.-]*):)?([A-Za-z][\w@$-]*)(?:\(([\w.+*-]+)\))?")


@dataclass(frozen=True, slots=True)
class Provider:
    """An SDMX service: entry point, queries allowed an hour, licence of its data."""

    name: str
    endpoint: str
    queries_per_hour: int
    licence: str


@dataclass(frozen=True, slots=True)
class Flow:
    """A data flow of a service.

    Attributes
    ----------
    name, title
        Name in the package, and what it holds.
    provider
        The service.
    agency, flow, version, structure
        SDMX identification of the flow and of its data structure.
    dimensions
        Order of the key; empty: asked from the service.
    measure, area, activity, size
        Names of the dimensions that hold these; ``size`` may be empty.
    status
        ``"seen"`` in working queries of others, ``"unverified"``, or ``"given"`` by the caller.
    doubts
        What of it is not verified; rows made from it say so.
    """

    name: str
    title: str
    provider: Provider
    agency: str
    flow: str
    version: str
    structure: str
    dimensions: tuple[str, ...]
    measure: str
    area: str
    activity: str
    size: str
    status: str
    doubts: tuple[str, ...] = ()


@cache
def flows() -> Mapping[str, Flow]:
    """Return the known flows by name."""
    data = tomllib.loads((files("data_fetch") / "flows.toml").read_text(encoding="utf-8"))
    providers = {name: Provider(name=name, **row) for name, row in data["providers"].items()}
    found = {}
    for name, row in data["flows"].items():
        values = dict(row)
        values["provider"] = providers[values["provider"]]
        values["dimensions"] = tuple(values.get("dimensions", ()))
        values["doubts"] = tuple(values.get("doubts", ()))
        found[name] = Flow(name=name, **values)
    return MappingProxyType(found)


def flow(name: str, endpoint: str | None = None, identity: str | None = None) -> Flow:
    """Return a flow by name, at another entry point or under another identification where one is given.

    Parameters
    ----------
    name
        One of :func:`flows`.
    endpoint
        Entry point of a mirror.
    identity
        ``"AGENCY:FLOW(VERSION)"``, of which agency and version may be left out (the agency of the flow, its newest
        version). The order of the key is then asked from the service.

    Raises
    ------
    UnknownLabelError
        No such flow.
    UsageError
        An identification of another form.
    """
    known = flows()
    if name not in known:
        raise UnknownLabelError("SDMX flow", name, tuple(known))
    found = known[name]
    if endpoint is not None:
        found = replace(found, provider=replace(found.provider, endpoint=endpoint))
    if identity is None:
        return found
    match = _IDENTITY.fullmatch(identity.strip())
    if match is None:
        raise UsageError(
            explain("not the identification of an SDMX flow", got=repr(identity), expected='"AGENCY:FLOW(VERSION)"')
        )
    agency, code, version = match.groups()
    return replace(
        found,
        agency=agency or found.agency,
        flow=code,
        version=version or "latest",
        structure=code.partition("@")[0],
        dimensions=(),
        status="given",
        doubts=(),
    )


@dataclass(frozen=True, slots=True)
class SdmxClient:
    """Queries with answers kept in the folder of fetched files.

    Attributes
    ----------
    store
        The folder.
    offline
        Whether only kept answers may be used.
    refresh
        Whether kept answers are asked for again.
    limits
        Provider name -> limit; those of ``flows.toml`` where it has none.
    retries
        Attempts after the first where the service is busy (429, 503); it is asked again after what its
        ``Retry-After`` says, at least 1, 2, 3, ... seconds, and every attempt counts against the limit.
    sleep
        Waiting.
    """

    store: Store
    offline: bool = False
    refresh: bool = False
    limits: Mapping[str, HourlyLimit] | None = None
    retries: int = RETRIES
    sleep: Callable[[float], None] = time.sleep

    def rows(
        self, flow: Flow, key: Mapping[str, str | Sequence[str]], first: int | None = None, last: int | None = None
    ) -> list[dict[str, str]]:
        """Return the observations of one slice, one mapping each: column of the answer -> text.

        Parameters
        ----------
        flow
            The flow.
        key
            Dimension -> code or codes; dimensions that are left out are not restricted. The measure has one
            code: services answer several at once unreliably.
        first, last
            Years.

        Raises
        ------
        UsageError
            A dimension that the flow does not have, or several measures.
        OfflineError
            The answer is not kept, and the network is forbidden.
        FetchError
            The service refuses or fails.
        """
        if not isinstance(key.get(flow.measure, ""), str):
            raise UsageError(explain("one measure a query", got=listing(key[flow.measure])))
        dimensions = flow.dimensions or self.dimensions(flow)
        unknown = [name for name in key if name not in dimensions]
        if unknown:
            raise UnknownLabelError(f"dimension of {flow.flow}", unknown[0], dimensions)
        text = ".".join(_codes(key.get(name, "")) for name in dimensions)
        query = _data_query(flow, text, first, last)
        content = self._answer(flow, query, "data", empty_when_not_found=True)
        return _parse(content, flow)

    def dimensions(self, flow: Flow) -> tuple[str, ...]:
        """Return the dimensions of a flow in the order of its key, as the service describes them.

        Raises
        ------
        FetchError
            The service does not describe the structure.
        """
        from pysdmx.io import read_sdmx

        query = _structure_query(flow)
        content = self._answer(flow, query, "structure")
        try:
            found = read_sdmx(io.BytesIO(content), validate=False).get_data_structure_definitions()
        except Exception as error:  # pysdmx raises many kinds on a damaged document
            raise FetchError(
                explain(f"the description of {flow.structure} cannot be read", got=f"{type(error).__name__}: {error}")
            ) from error
        components = found[0].components.dimensions
        return tuple(part.id for part in components if part.id != "TIME_PERIOD")

    def _answer(self, flow: Flow, query: Any, kind: str, *, empty_when_not_found: bool = False) -> bytes:
        """Return the answer to a query: the kept one, or a new one that is then kept."""
        api = _version()
        address = f"{flow.provider.endpoint}{query.get_url(api, True)}"
        name = f"{flow.name}-{kind}-{hashlib.sha256(address.encode()).hexdigest()[:16]}"
        name += ".csv" if kind == "data" else ".xml"
        path = self.store.path("sdmx", name)
        if path.exists() and not self.refresh:
            return path.read_bytes()
        if self.offline:
            raise OfflineError(
                explain(f"no kept answer to {address}, and the network may not be used", do="ask when online")
            )
        with self.store.lock("sdmx", name):
            if path.exists() and not self.refresh:
                return path.read_bytes()
            content = self._patiently(flow, query, kind, address, empty_when_not_found)
            make_folder(path.parent)
            with replacing(path) as temporary:
                temporary.write_bytes(content)
            sha256 = hashlib.sha256(content).hexdigest()
            record = Record("sdmx", name, sha256, len(content), address, now())
            self.store.write_record(record.succeeding(self.store.record("sdmx", name)))
        return content

    def _patiently(self, flow: Flow, query: Any, kind: str, address: str, empty_when_not_found: bool) -> bytes:
        """Ask, and ask again later where the service is busy."""
        limit = self._limit(flow.provider)
        for attempt in range(1, self.retries + 1):
            limit.wait()
            try:
                return _ask(flow, query, kind, empty_when_not_found)
            except _BusyError as busy:
                if busy.seconds > LONGEST_WAIT:
                    raise RefusedError(address, later(busy.status, busy.seconds)) from busy
                self.sleep(max(busy.seconds, float(attempt)))
        limit.wait()
        return _ask(flow, query, kind, empty_when_not_found)

    def _limit(self, provider: Provider) -> HourlyLimit:
        if self.limits and provider.name in self.limits:
            return self.limits[provider.name]
        host = provider.endpoint.split("/")[2].replace(":", "_")
        return HourlyLimit(self.store.root / ".limits" / f"{host}.json", provider.queries_per_hour)


def _codes(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else "+".join(value)


def _version() -> Any:
    try:
        from pysdmx.api.qb.util import ApiVersion
    except ImportError as error:
        raise MissingExtraError("pysdmx", "sdmx", "a query to an SDMX service") from error
    return ApiVersion.V1_5_0


def _data_query(flow: Flow, key: str, first: int | None, last: int | None) -> Any:
    """Return a pysdmx query; the period, which its SDMX 1.5 queries do not have, is appended to the address."""
    _version()
    from pysdmx.api.qb.data import DataContext, DataQuery

    period = "&".join(
        f"{name}={year}" for name, year in (("startPeriod", first), ("endPeriod", last)) if year is not None
    )

    class PeriodQuery(DataQuery, frozen=True, omit_defaults=True):
        def get_url(self, version: Any, omit_defaults: bool = False) -> str:
            url = str(super().get_url(version, omit_defaults))
            if not period:
                return url
            return f"{url}{'&' if '?' in url else '?'}{period}"

    return PeriodQuery(
        context=DataContext.DATAFLOW,
        agency_id=flow.agency,
        resource_id=flow.flow,
        version=flow.version,
        key=key,
        obs_dimension="AllDimensions",
    )


def _structure_query(flow: Flow) -> Any:
    _version()
    from pysdmx.api.qb.structure import StructureQuery, StructureType

    return StructureQuery(
        artefact_type=StructureType.DATA_STRUCTURE,
        agency_id=flow.agency,
        resource_id=flow.structure,
        version="latest",
    )


class _BusyError(FetchError):
    """The service answers that it has no time now; ``seconds`` is how long it asks to wait."""

    def __init__(self, message: str, status: int, seconds: float) -> None:
        self.status = status
        self.seconds = seconds
        super().__init__(message)


def _busy(error: Exception) -> tuple[int, float] | None:
    """Return the status of a busy service and the seconds that it asks to wait, from what pysdmx raises."""
    response = getattr(error.__cause__, "response", None)  # pysdmx raises from the error of httpx, which holds it
    if response is None or response.status_code not in PASSING:
        return None
    return int(response.status_code), asked_wait(response.headers.get("Retry-After", ""))


def _ask(flow: Flow, query: Any, kind: str, empty_when_not_found: bool) -> bytes:
    from pysdmx import errors
    from pysdmx.api.qb.data import DataFormat
    from pysdmx.api.qb.service import RestService
    from pysdmx.api.qb.structure import StructureFormat

    service = RestService(
        flow.provider.endpoint,
        _version(),
        data_format=DataFormat.SDMX_CSV_1_0_0,
        structure_format=StructureFormat.SDMX_ML_2_1,
        timeout=TIMEOUT,
    )
    service._headers |= _headers()  # pysdmx has no public way; OECD needs Accept-Language
    try:
        return bytes(service.data(query) if kind == "data" else service.structure(query))
    except errors.NotFound as error:
        if empty_when_not_found:
            return b""
        raise FetchError(explain(f"{flow.provider.endpoint} does not know {flow.structure}", got=str(error))) from error
    except errors.PysdmxError as error:
        text = str(error)
        do = "try again later; answers so far are kept"
        if "403" in text:
            do = "the service turns programs away at times: try again later, or from another network"
        message = explain(f"{flow.provider.endpoint} does not answer a query of {flow.flow}", got=text[:600], do=do)
        busy = _busy(error)
        if busy is not None:
            raise _BusyError(message, *busy) from error
        raise FetchError(message) from error


def _headers() -> dict[str, str]:
    return {"User-Agent": USER_AGENT, "Accept-Language": "en"}


def _parse(content: bytes, flow: Flow) -> list[dict[str, str]]:
    """Read an SDMX-CSV answer; an empty one has no observations."""
    text = content.decode("utf-8-sig")
    if not text.strip():
        return []
    if text.lstrip()[:1] in "<{":
        raise FetchError(
            explain(f"{flow.provider.endpoint} answered something else than SDMX-CSV", got=repr(text[:80]))
        )
    reader = csv.DictReader(io.StringIO(text))
    columns = list(reader.fieldnames or ())
    needed = [flow.measure, flow.area, flow.activity, flow.size, "TIME_PERIOD", "OBS_VALUE"]
    missing = [name for name in needed if name and name not in columns]
    if missing:
        raise FetchError(
            explain(
                f"the answer of {flow.flow} lacks columns",
                got=listing(columns, limit=30),
                expected=listing(needed, limit=10),
                do="correct the names of the flow's dimensions",
            )
        )
    return [{str(k): v or "" for k, v in row.items() if k is not None} for row in reader]
