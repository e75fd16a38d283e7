"""Writing workbooks (XLSX): one door to the library, so that a full disk is one error and not a traceback besides."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dhis2sh.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Buffer, Callable


class _Disk:
    """A file as a ZIP writes it. Once it is closed, or a write has failed, what follows is dropped: a ZIP that is thrown away writes
    its end all the same.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, text: Buffer, /) -> int:
        if self._file.closed:
            return len(memoryview(text).cast("B"))
        return self._or_closed(lambda: self._file.write(text))

    def tell(self) -> int:
        return 0 if self._file.closed else self._or_closed(self._file.tell)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return 0 if self._file.closed else self._or_closed(lambda: self._file.seek(offset, whence))

    def flush(self) -> None:
        if not self._file.closed:
            self._or_closed(self._file.flush)

    def close(self) -> None:
        """Raises `OSError` where the disk does not take the rest."""
        self._file.close()

    def _or_closed[T](self, do: Callable[[], T]) -> T:
        try:
            return do()
        except OSError:
            with suppress(OSError):  # it would try to write the rest once more
                self._file.close()
            raise


class Book:
    """A workbook that is being written. Texts are written as texts, never as formulas.

    Parameters:
        path: the file.
        options: more of the library's own.

    Raises `MissingExtra`, and `OSError` where the file cannot be written.
    """

    def __init__(self, path: Path, **options: object) -> None:
        try:
            import xlsxwriter  # heavy: an extra
        except ImportError:
            raise MissingExtra("xlsx", "frames") from None
        self._file = _Disk(path)
        self.pages: Any = xlsxwriter.Workbook(
            self._file, {"strings_to_formulas": False, "strings_to_urls": False, **options}
        )
        """The library's workbook."""

    def close(self) -> None:
        """Write it. Raises `OSError` where the disk does not take it."""
        from xlsxwriter.exceptions import FileCreateError  # heavy: an extra

        try:
            self.pages.close()
        except FileCreateError as error:  # it holds what the system said
            said = error.args[0]
            raise said if isinstance(said, OSError) else OSError(0, str(said)) from None
        finally:
            self._file.close()

    def drop(self) -> None:
        """Leave it as it is: nobody wants it any more."""
        with suppress(OSError):
            self._file.close()
