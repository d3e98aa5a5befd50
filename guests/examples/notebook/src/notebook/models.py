"""What clients send."""

from dataclasses import dataclass, field
from enum import StrEnum


class Importance(StrEnum):
    LOW = "low"
    HIGH = "high"


@dataclass
class Note:
    text: str
    tags: list[str] = field(default_factory=list)
    importance: Importance = Importance.LOW

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("a note needs some text")


@dataclass
class Step:
    name: str
    minutes: float


@dataclass
class Protocol:
    title: str
    steps: list[Step]


@dataclass
class Settings:
    notes_max: int = 100
