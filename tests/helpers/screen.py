"""A terminal that obeys what gan-lab sends to one, and nothing else."""

import re

_PARTS = re.compile(r"\x1b\[(\d*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


class Screen:
    """Lines without end, of so many columns each; what was written stands in ``text``."""

    def __init__(self, columns: int) -> None:
        self.columns, self.row, self.column = columns, 0, 0
        self._lines: list[list[str]] = [[]]

    @property
    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self._lines)

    def feed(self, written: str) -> None:
        """Obey; raises ValueError for a command that gan-lab does not send."""
        at = 0
        for match in _PARTS.finditer(written):
            if match.start() != at:
                raise ValueError(f"{written[at : at + 20]!r} is no text")
            at = match.end()
            number, command, control, text = match.groups()
            if command == "A":
                self.row = max(self.row - int(number or 1), 0)
            elif command == "K":
                del self._lines[self.row][self.column :]
            elif command == "J":
                del self._lines[self.row][self.column :], self._lines[self.row + 1 :]
            elif command:
                raise ValueError(f"{command!r} is not sent by gan-lab")
            elif control == "\r":
                self.column = 0
            elif control == "\n":
                self._next_line()
            for character in text or "":
                if self.column == self.columns:
                    self._next_line()
                line = self._lines[self.row]
                line += " " * (self.column + 1 - len(line))
                line[self.column] = character
                self.column += 1
        if at != len(written):
            raise ValueError(f"{written[at : at + 20]!r} is no text")

    def _next_line(self) -> None:
        self.row, self.column = self.row + 1, 0
        if self.row == len(self._lines):
            self._lines.append([])
