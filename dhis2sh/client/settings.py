"""How to reach one server: plain data, so that a connection can be made without profiles or a shell."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Where a server is and how patiently to talk to it.

    Parameters:
        url: the server's address without `/api`, such as `https://play.example.org/dev`.
        verify_tls: False accepts any certificate; shown in the prompt.
        read_only: the transport refuses every write.
        production: the transport refuses a write that no plan was shown for.
        connect_timeout, read_timeout: seconds to connect, and seconds without a byte.
        total_timeout: seconds that one call may take in all, repetitions included; None sets no limit.
        max_connections: concurrent requests to the host, shared by all clients of the process.
        retries: how often an idempotent request is sent again after a fault that may pass.
        max_url: characters of an address beyond which a read goes through `POST /api/query/alias` where the version
            has it; servers and proxies commonly refuse more than 2,000 to 8,000.
        profile: the profile's name, for messages.
    """

    url: str
    verify_tls: bool = True
    read_only: bool = False
    production: bool = False
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    total_timeout: float | None = None
    max_connections: int = 8
    retries: int = 3
    max_url: int = 1900
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a call of ours wants otherwise than its profile; None leaves a setting as it is.

    Parameters: as of `ConnectionSettings`.
    """

    connect_timeout: float | None = None
    read_timeout: float | None = None
    total_timeout: float | None = None
    max_connections: int | None = None
    retries: int | None = None
    max_url: int | None = None

    def applied(self, settings: ConnectionSettings) -> ConnectionSettings:
        """The settings with these limits."""
        wanted = {item.name: value for item in fields(self) if (value := getattr(self, item.name)) is not None}
        return replace(settings, **wanted)
