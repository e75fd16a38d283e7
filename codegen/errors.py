"""What the generator says when it cannot go on."""


class CodegenError(ValueError):
    """A manifest or a server's description has a fault; the message names where and what, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))  # a name in it may hold a line's end
