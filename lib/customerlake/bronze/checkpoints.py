"""What a stream's checkpoint says of how far a topic was read. Spark alone writes it; nothing here does."""

import json
import re
from dataclasses import dataclass

from pyarrow import fs

Offsets = dict[int, int]
"""Of each partition of a topic."""


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint folder of a query that reads one topic."""

    folder: str

    @property
    def id(self) -> str:
        """What tells this checkpoint from one that was in the same folder before it."""
        name: str = json.loads(self._text("metadata"))["id"]
        return name

    def has_begun(self) -> bool:
        """Whether a batch was planned with it: from then on it says where reading goes on."""
        return bool(self._batches("offsets"))

    def is_pending(self) -> bool:
        """Whether a batch was planned that is not known as done: it is the first to be taken, once more."""
        return max(self._batches("offsets"), default=-1) > max(self._batches("commits"), default=-1)

    def planned(self) -> Offsets:
        """The offsets before which all is in a batch, that may or may not have been written."""
        return self._ends(max(self._batches("offsets")))

    def done(self) -> Offsets:
        """The offsets before which all was written; none when no batch was."""
        committed = self._batches("commits") & self._batches("offsets")
        return self._ends(max(committed)) if committed else {}

    def first(self) -> Offsets:
        """The offsets at which its query began."""
        return _offsets(self._text("sources/0/0"))

    def remove(self) -> None:
        """Take the folder away, if it is there."""
        system, path = self._opened()
        if system.get_file_info(path).type == fs.FileType.Directory:
            system.delete_dir(path)

    def _ends(self, batch: int) -> Offsets:
        return _offsets(self._text(f"offsets/{batch}").split("\n", 2)[2])

    def _batches(self, log: str) -> set[int]:
        system, path = self._opened()
        files = system.get_file_info(fs.FileSelector(f"{path}/{log}", allow_not_found=True))
        return {int(file.base_name) for file in files if re.fullmatch(r"\d+", file.base_name)}

    def _text(self, file: str) -> str:
        system, path = self._opened()
        with system.open_input_stream(f"{path}/{file}") as stream:
            content: bytes = stream.read()
        return content.decode()

    def _opened(self) -> tuple[fs.FileSystem, str]:
        if "://" not in self.folder:
            return fs.LocalFileSystem(), self.folder
        opened: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(self.folder)
        return opened


def _offsets(text: str) -> Offsets:
    """The offsets of {"topic":{"0":12,"1":7}}, whatever stands before it."""
    (of_topic,) = json.loads(text[text.index("{") :]).values()
    return {int(partition): offset for partition, offset in of_topic.items()}
