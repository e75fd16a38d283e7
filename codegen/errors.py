"""What the generator says when it cannot go on."""


class CodegenError(ValueError):
    """A manifest or a server's description has a fault; the message names where and what, in one line."""
