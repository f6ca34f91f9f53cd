"""The landed pages of an interface: `pull-<number>/page-<number>.json` in the feed's folder, each as received."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pyarrow import fs

from customerlake.errors import StorageError

ASKED_FOR = ".asked_for"  # hidden from the file reader


class LandedPages:
    """The pages in one folder, which is made where there is none. A page that is seen is whole."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        with self._storage():
            self._filesystem, self._path = fs.FileSystem.from_uri(folder)
            self._filesystem.create_dir(self._path, recursive=True)

    def newest_pull(self) -> int:
        """The number of the newest pull that has a page; 0 when none has."""
        pulls = sorted(self._numbers(self._path, r"pull-(\d+)"), reverse=True)
        return next((pull for pull in pulls if self.numbers(pull)), 0)

    def numbers(self, pull: int) -> list[int]:
        """The numbers of a pull's pages, in order."""
        return sorted(self._numbers(f"{self._path}/{_pull(pull)}", r"page-(\d+)\.json"))

    def name(self, pull: int, page: int) -> str:
        """A page's file, relative to the folder."""
        return f"{_pull(pull)}/page-{page:06}.json"

    def read(self, pull: int, page: int) -> bytes:
        """A page as it was received; nothing where it is no more."""
        return self._read(self.name(pull, page))

    def asked_for(self, pull: int) -> str:
        """What `begin` noted."""
        return self._read(f"{_pull(pull)}/{ASKED_FOR}").decode()

    def begin(self, pull: int, asked_for: str) -> None:
        """Make a pull's folder, and note in it what is asked for."""
        with self._storage():
            self._filesystem.create_dir(f"{self._path}/{_pull(pull)}", recursive=True)
            self._put(f"{_pull(pull)}/{ASKED_FOR}", asked_for.encode())

    def add(self, pull: int, page: int, body: bytes) -> None:
        with self._storage():
            self._put(self.name(pull, page), body)

    def _put(self, name: str, body: bytes) -> None:
        folder, _, file = name.rpartition("/")
        part = f"{self._path}/{folder}/.{file}.part"
        with self._filesystem.open_output_stream(part, compression=None) as stream:
            stream.write(body)
        self._filesystem.move(part, f"{self._path}/{name}")

    def _read(self, name: str) -> bytes:
        with self._storage():
            try:
                with self._filesystem.open_input_stream(f"{self._path}/{name}", compression=None) as stream:
                    body: bytes = stream.read()
            except FileNotFoundError:
                return b""
        return body

    def _numbers(self, folder: str, pattern: str) -> Iterator[int]:
        with self._storage():
            infos = self._filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
        for info in infos:
            if found := re.fullmatch(pattern, info.base_name):
                yield int(found[1])

    @contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"The landing folder {self._folder} cannot be read and written: {error}. "
                "Give yourself the right to, or room there."
            ) from error


def _pull(number: int) -> str:
    return f"pull-{number:06}"
