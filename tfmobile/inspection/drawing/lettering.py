"""How wide text is in a drawing, without a font at hand: Helvetica's widths, with room for wider fonts."""

from __future__ import annotations

# Advance widths of the characters 32 to 126, in thousandths of the size (Adobe Font Metrics of Helvetica).
_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)  # fmt: skip
_OTHER = 584
_ROOM, _BOLD = 1.1, 1.06


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """In pixels, rather too much than too little."""
    units = sum(_WIDTHS[ord(one) - 32] if 32 <= ord(one) < 127 else _OTHER for one in text)
    return units * size / 1000 * _ROOM * (_BOLD if bold else 1.0)


def clipped(text: str, size: float, width: float, *, bold: bool = False, end: bool = False) -> str:
    """``text`` or as much of it as fits, with an ellipsis: its beginning, or with ``end`` its end."""
    if text_width(text, size, bold=bold) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        part = "…" + text[len(text) - middle :] if end else text[:middle] + "…"
        low, high = (middle, high) if text_width(part, size, bold=bold) <= width else (low, middle - 1)
    return "…" + text[len(text) - low :] if end else text[:low] + "…"
