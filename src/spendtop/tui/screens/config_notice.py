"""What a changed configuration did, in a screen's notice, and why it was refused in a dialog."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spendtop.domain.config_slips import first_slip
from spendtop.tui.widgets.canvas import Line, Piece

if TYPE_CHECKING:
    from spendtop.tui.face import Face
    from spendtop.tui.modals.refusal import RefusalScreen


def config_words(face: Face, after: Line, cut: Callable[[Piece, Line], Line]) -> Line:
    """The outcome, its useful part first; `cut` makes it as short as what comes after it needs."""
    outcome, palette = face.config_status.present(face.headline, face.session.clock()), face.palette
    if outcome is None:
        return ()
    if outcome.ok:
        return [*cut((f"{outcome.text}", palette.good), after), ("   ", palette.text)]
    rest: Line = [(f"  {'enter' if is_unread(face) else ':refusal'} shows all   ", palette.muted)]
    return [*cut((f"! {first_slip(outcome.text)}", palette.bad), [*rest, *after]), *rest]


def is_unread(face: Face) -> bool:
    """Whether a refusal stands that nobody has opened yet: then enter opens it before anything else."""
    return face.config_status.is_unread(face.headline, face.session.clock())


def opened_refusal(face: Face) -> RefusalScreen | None:
    """A dialog with every slip of the refusal that stands, which is read now."""
    from spendtop.tui.modals.refusal import RefusalScreen

    refusal = face.config_status.refusal(face.headline, face.session.clock())
    if refusal is None:
        return None
    face.config_status.read(refusal)
    return RefusalScreen(refusal.text)
