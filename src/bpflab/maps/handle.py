"""What every map has, whatever its type: a descriptor, a shape, an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeVar

from bpflab.abi.commands import Command
from bpflab.abi.map_rules import RULES
from bpflab.errors import ArgumentError, MapTypeError
from bpflab.handles.presence import Presence
from bpflab.maps.information import MapInfo, map_info
from bpflab.maps.refusal import map_error

if TYPE_CHECKING:
    from typing import Self

    from bpflab.abi.flags import MapFlag
    from bpflab.abi.map_rules import Numbers
    from bpflab.abi.map_types import MapType
    from bpflab.backend.descriptor import Descriptor
    from bpflab.errors import BpfError
    from bpflab.lab import Lab
    from bpflab.maps.choice import Surroundings
    from bpflab.maps.codecs.base import BaseCodec
    from bpflab.maps.shape import MapShape
    from bpflab.maps.template import Template

K = TypeVar("K")
V = TypeVar("V")


class MapHandle(Presence, Generic[K, V]):
    """A map in a kernel. Its family's class adds the operations that its type has.

    Attributes: `lab`, `shape` (type, sizes, codecs), and `fileno()` the descriptor, as programs and
    other maps take it.
    """

    def __init__(self, lab: Lab, descriptor: Descriptor, shape: MapShape) -> None:
        super().__init__(lab, descriptor)
        self.shape = shape

    by_id = Command.MAP_GET_FD_BY_ID
    frozen = False
    """Whether `freeze()` was called on this object."""

    @property
    def info(self) -> MapInfo:
        """What the kernel says of the map now."""
        return map_info(self.lab.call, self.fileno())

    KEY: ClassVar[object] = None
    """What `key=` is when it is left out; None where the type has no keys, or it must be given."""
    VALUE: ClassVar[object] = None
    """What `value=` is when it is left out."""

    @classmethod
    def key_codec(cls, kind: MapType, given: object, around: Surroundings) -> BaseCodec[Any]:
        """Make the codec of the keys."""
        return around.codec(cls._asked(kind, "key", given, cls.KEY, RULES[kind].key))

    @classmethod
    def value_codec(cls, kind: MapType, given: object, around: Surroundings, flags: MapFlag) -> BaseCodec[Any]:  # noqa: ARG003 - stack traces go by the flags
        """Make the codec of a value, of one element in a per-CPU map."""
        return around.codec(cls._asked(kind, "value", given, cls.VALUE, RULES[kind].value))

    @classmethod
    def key_hint(cls, size: int, typed: object) -> object:  # noqa: ARG003 - for families that go by the size
        """Say which `key=` suits a map that exists, given its key size and what its BTF and size suggest."""
        return typed

    @classmethod
    def value_hint(cls, size: int, typed: object) -> object:  # noqa: ARG003 - for families that go by the size
        """Say which `value=` suits a map that exists."""
        return typed

    def keep_template(self, template: Template) -> None:
        """Take the inner template; maps of maps do."""
        raise NotImplementedError(f"{self.type.name} maps take no template: {template!r}")

    @staticmethod
    def _asked(kind: MapType, what: str, given: object, default: object, sizes: Numbers) -> object:
        if sizes.only == (0,):
            if given not in {None, 0}:
                raise ArgumentError(f"{what} is {given!r}, and {kind.name} maps have no {what}s; leave it out.")
            return 0
        if given is None and default is None:
            raise ArgumentError(f"A {kind.name} map needs {what}=, the type of its {what}s, such as {what}='u32'.")
        return default if given is None else given

    @property
    def type(self) -> MapType:
        """The kind of map."""
        return self.shape.type

    @property
    def name(self) -> str:
        """The map's name, or an empty text."""
        return self.shape.name

    @property
    def max_entries(self) -> int:
        """How many entries it can hold; bytes for a ring buffer, pages for an arena."""
        return self.shape.max_entries

    @property
    def flags(self) -> MapFlag:
        """The flags it was created with."""
        return self.shape.flags

    def freeze(self) -> None:
        """Let no system call write to the map any more; programs still may (BPF_MAP_FREEZE). It cannot be undone.

        MapBusyError when it is mapped for writing, NotPermittedError when it is frozen already.
        """
        self._command(Command.MAP_FREEZE, map_fd=self.fileno())
        self.frozen = True

    def close(self) -> None:
        """Close this descriptor of the map. The map itself lives while a program, a pin or a descriptor holds it."""
        self._leave()
        for name in [name for name, known in self.lab.maps.items() if known is self]:
            del self.lab.maps[name]

    def error(self, command: Command, errno: int, key: object = None) -> BpfError:
        """Build the error of a command on this map that the kernel refused."""
        return map_error(self.shape, command, errno, key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        shape = self.shape
        state = "closed" if self.closed else f"fd {self.fileno()}"
        types = " -> ".join(codec.name for codec in (shape.key, shape.value) if codec.size)
        return f"<{shape.label}{', ' if types else ''}{types}, max_entries {shape.max_entries}, {state}>"

    def __getitem__(self, key: K) -> V:
        self._lacks("keys to look up")

    def __setitem__(self, key: K, value: V) -> None:
        self._lacks("keys to update")

    def __delitem__(self, key: K) -> None:
        self._lacks("keys to delete")

    def __contains__(self, key: object) -> bool:
        self._lacks("keys to look for")

    def __iter__(self) -> Any:  # noqa: ANN401 - families that have keys say Iterator[K]
        self._lacks("keys to walk over")

    def _command(self, command: Command, **fields: int) -> int:
        """Send a command on this map that is not on the cheap path; its error in the map's words."""
        from bpflab.backend.attr import Attr

        answer = self.lab.call.send(command, Attr(command, fields))
        if answer < 0:
            raise self.error(command, self.lab.backend.errno())
        return answer

    def _lacks(self, what: str) -> NoReturn:
        offered = sorted(name for name in set(dir(type(self))) - set(dir(MapHandle)) if not name.startswith("_"))
        raise MapTypeError(f"The {self.shape.label} has no {what}. It has: {', '.join(offered) or 'no operations'}.")
