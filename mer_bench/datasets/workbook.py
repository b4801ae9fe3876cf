"""Prints the cells of a workbook (xlsx or xls) as JSON; sheet.py runs this file in a separate process.

A file of a few kilobytes can request any amount of memory: one cell at XFD1048576 makes a sheet of 17 billion cells,
and a zipped file may hold gigabytes of text. The reading library then crashes, so it runs in a process with limits.

Arguments: the folder that holds python_calamine, and the workbook. Output: a list of [name, hidden, rows of text], or,
with exit code 3, one sentence on what is wrong.
"""

import contextlib
import json
import sys

MOST_CELLS = 16_000_000  # from A1 to the last cell of a sheet
MEMORY = 2 << 30  # bytes
SECONDS = 60  # of the processor
MOST_TEXT = 1 << 28  # characters in all cells


def main() -> None:
    limit_resources()
    sys.path.append(sys.argv[1])
    try:
        text = json.dumps(read_sheets(sys.argv[2]))
        if len(text) > MOST_TEXT:
            raise ValueError(f'its cells hold {len(text)} signs')
    except BaseException as error:  # a panic of the library is no Exception
        print(' '.join(str(error).split()) or type(error).__name__)
        sys.exit(3)
    sys.stdout.write(text)


def limit_resources() -> None:
    """Limit memory and time where the system can; elsewhere a hostile file still ends only this process."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def read_sheets(path: str) -> list[tuple[str, bool, list[list[str]]]]:
    """Return name, whether it is hidden, and the rows of every sheet; an empty row has no cells."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    with open_workbook(path) as book:
        return [
            (sheet.name, sheet.visible != SheetVisibleEnum.Visible, text_rows(book.get_sheet_by_name(sheet.name)))
            for sheet in book.sheets_metadata
            if sheet.typ == SheetTypeEnum.WorkSheet
        ]


def open_workbook(path: str):
    """Return the workbook, also an xlsx with the suffix .xls, or the reverse."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        return CalamineWorkbook.from_path(path)
    except CalamineError as error:
        try:
            return CalamineWorkbook.from_filelike(open(path, 'rb'))
        except CalamineError:
            raise error from None


def text_rows(sheet) -> list[list[str]]:
    """Return the rows from A1 on; formulas have the values that were stored with them."""
    rows, columns = (place + 1 for place in sheet.end or (-1, -1))
    if rows * columns > MOST_CELLS:
        raise ValueError(f'the sheet {sheet.name!r} reaches to row {rows} and column {columns}: {rows * columns} cells')
    left = [''] * (sheet.start[1] if sheet.start else 0)
    return [[*left, *map(text_of, row)] if row.count('') < len(row) else [] for row in sheet.iter_rows()]


def text_of(value: object) -> str:
    """Return a cell as text; what is not a number is empty."""
    return str(value) if value == value else ''


if __name__ == '__main__':
    main()
