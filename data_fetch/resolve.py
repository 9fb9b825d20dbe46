"""From a catalogue address to a web address with size and checksum, through the lists of repositories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from data_fetch.catalogue import Address, FileEntry
from data_fetch.download import CONNECT_TIMEOUT, READ_TIMEOUT, USER_AGENT, RefusedError
from tiva.errors import FetchError, explain, listing

HOSTS: Mapping[str, str] = {"dataverse": "https://dataverse.nl", "zenodo": "https://zenodo.org"}
"""Where repositories are asked."""


@dataclass(frozen=True, slots=True)
class Target:
    """A web address, and what the publisher says about the file behind it.

    Attributes
    ----------
    url
        What to fetch.
    size
        Bytes, or ``None``.
    checksums
        Algorithm -> digest from the publisher's own list: a difference is damage, never a revision.
    """

    url: str
    size: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)


def resolve(entry: FileEntry, address: Address, hosts: Mapping[str, str] = HOSTS) -> Target:
    """Return the web address of a file.

    Raises
    ------
    FetchError
        The repository does not answer or does not list the file.
    """
    if address.method == "dataverse":
        return _dataverse(entry, address.location, hosts["dataverse"])
    if address.method == "zenodo":
        return _zenodo(entry, address.location, hosts["zenodo"])
    return Target(address.location)


def _dataverse(entry: FileEntry, location: str, host: str) -> Target:
    doi, _, number = location.partition("#")
    if number and entry.checksums:
        return Target(f"{host}/api/access/datafile/{number}", entry.size)
    listed = _json(f"{host}/api/datasets/:persistentId/versions/:latest-published?persistentId={doi}")
    rows = listed["data"]["files"]
    for row in rows:
        file = row["dataFile"]
        if str(file["id"]) == number or (not number and row["label"].casefold() == entry.name.casefold()):
            checksum = file.get("checksum") or {}
            sums = {str(checksum["type"]).lower().replace("-", ""): checksum["value"]} if checksum else {}
            return Target(f"{host}/api/access/datafile/{file['id']}", file.get("filesize"), sums)
    raise _unlisted(entry, f"{host}, {doi}", [row["label"] for row in rows])


def _zenodo(entry: FileEntry, record: str, host: str) -> Target:
    listed = _json(f"{host}/api/records/{record}")
    for row in listed["files"]:
        if row["key"].casefold() == entry.name.casefold():
            algorithm, _, digest = row.get("checksum", "").partition(":")
            url = f"{host}/records/{record}/files/{row['key']}?download=1"
            return Target(url, row.get("size"), {algorithm: digest} if digest else {})
    raise _unlisted(entry, f"{host}, record {record}", [row["key"] for row in listed["files"]])


def _unlisted(entry: FileEntry, where: str, names: list[str]) -> FetchError:
    return FetchError(
        explain(f"{entry.name} is not listed by {where}", got=listing(names, limit=20), expected=entry.name)
    )


def _json(url: str) -> Any:
    import requests

    headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
    try:
        response = requests.get(url, headers=headers, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))
    except requests.RequestException as error:
        raise FetchError(explain(f"{url} does not answer", got=str(error), do="try again later")) from error
    if response.status_code != requests.codes.ok:
        raise RefusedError(url, f"HTTP status {response.status_code} {response.reason}")
    try:
        return response.json()
    except ValueError as error:
        raise RefusedError(url, f"something else than JSON, beginning with {response.content[:60]!r}") from error
