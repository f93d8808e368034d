"""Every error the runtime raises on purpose; messages name the file, field or node, what was expected, what came."""


class EdgePDEError(Exception):
    """Base of all errors raised on purpose."""


class BundleError(EdgePDEError):
    """A bundle breaks a rule of docs/bundle.md."""


class NoBundle(BundleError):  # noqa: N818
    """There is no bundle at the path; the message says what is there instead."""


class ModelFileError(EdgePDEError):
    """A model file is not the subset of ONNX that this runtime reads."""


class UnsupportedModel(EdgePDEError):  # noqa: N818 - reads as the verdict it is
    """A model uses a node, layer or dtype that has no implementation; the message names it."""


class InputError(EdgePDEError):
    """An input has the wrong name, shape or dtype, or is NaN or infinite."""


class OutOfBox(EdgePDEError):  # noqa: N818
    """An input lies outside the box its certificate covers."""


class NotConverged(EdgePDEError):  # noqa: N818
    """The solve inside the model did not converge for some rows."""


class NotVerified(EdgePDEError):  # noqa: N818
    """A certificate does not hold what was asked of it."""


class BackendError(EdgePDEError):
    """A backend is unknown, not installed, or not allowed to run this bundle."""


class CompilerError(BackendError):
    """There is no C compiler, or it refuses the sources; the message has its first error line."""


class ObjectFileError(EdgePDEError):
    """A compiled file, or what the compiler reports about it, cannot be read."""


class BudgetError(EdgePDEError):
    """A budget file or a limit given on the command line cannot be understood."""


class StateError(EdgePDEError):
    """What a file says of a model's calls is damaged, or of another bundle, or cannot be added up."""
