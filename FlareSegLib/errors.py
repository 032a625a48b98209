"""The one exception that FlareSegLib raises for something the user can understand and mend."""

from __future__ import annotations

#: Exit status of the command line for each failure code. 0 is success, 1 an unexpected error (a defect),
#: 2 wrong arguments (argparse), 130 stopped by Ctrl-C.
EXIT_CODES = {
    "not_found": 10,
    "unreadable": 11,
    "unsupported_type": 12,
    "not_ct": 13,
    "shifted_hu": 14,
    "not_3d": 15,
    "sheared_geometry": 16,
    "non_uniform_spacing": 17,
    "missing_slices": 18,
    "not_finite": 19,
    "empty": 20,
    "several_series": 21,
    "invalid_geometry": 22,
    "bad_option": 30,
    "output_unwritable": 31,
    "output_exists": 32,
    "model_not_found": 40,
    "model_invalid": 41,
    "model_unsafe": 42,
    "model_unsupported": 43,
    "device_unavailable": 50,
    "out_of_memory": 51,
    "missing_package": 52,
    "worker_died": 53,
    "scheduler_unreachable": 54,
    "bad_training_data": 60,
    "bad_evaluation_data": 61,
    "measured_failed": 62,
    "bad_disease_case": 70,
    "bad_disease_parameter": 71,
    "disease_not_placed": 72,
    "bad_recipe": 73,
    "cases_failed": 80,
    "cancelled": 130,
}


class FlareSegError(Exception):
    """A failure with one clear sentence for the user and a stable code for programs.

    Parameters
    ----------
    code : str
        A key of `EXIT_CODES`.
    message : str
        One sentence: what is wrong and what to do. No patient data: never put header values or
        names found inside a file in it (the path that the user typed is fine).

    Examples
    --------
    >>> FlareSegError("empty", "The volume holds one single value; choose another series.").exit_code
    20
    """

    def __init__(self, code: str, message: str):
        if code not in EXIT_CODES:
            raise ValueError(f"unknown failure code {code!r}")
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[FlareSegError], tuple[str, str]]:
        """Travel between processes with the code."""
        return type(self), (self.code, str(self))

    @property
    def exit_code(self) -> int:
        """Exit status of the command line for this failure."""
        return EXIT_CODES[self.code]
