"""The forms that pages have sent, by the id that each got."""

import secrets
import threading
from collections import OrderedDict

from digits.reading.form import Form

MAX_FORMS = 32  # that are remembered; one with a reference takes 3 MB: 6,000 features of 128 float32


class FormStore:
    """The latest forms that were added or used, in memory alone. Safe to use from several threads.

    Each form that is sent is added anew and never changed, so no visitor meets another one's form. The page sends a form again
    where it has been forgotten.
    """

    def __init__(self) -> None:
        self._forms: OrderedDict[str, Form] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, form: Form) -> str:
        """Remember a form and return its id, which nobody can guess."""
        form_id = secrets.token_urlsafe()
        with self._lock:
            self._forms[form_id] = form
            while len(self._forms) > MAX_FORMS:
                self._forms.popitem(last=False)
        return form_id

    def find(self, form_id: str) -> Form | None:
        """Return the form with this id; None where there is none, or where it has been forgotten."""
        with self._lock:
            if form_id in self._forms:
                self._forms.move_to_end(form_id)
            return self._forms.get(form_id)
