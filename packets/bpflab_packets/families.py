"""Which fields of a family of packets vary unless said otherwise: for the hypothesis strategies and for `sample`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bpflab_packets import builders
from bpflab_packets.template import Template, TemplateError
from bpflab_packets.variation import Variation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpflab_packets.template import Value

FREE: Final = {
    "Dot1Q": ("vlan", "prio"),
    "Dot1AD": ("vlan", "prio"),
    "ARP": ("op", "hwsrc", "psrc", "hwdst", "pdst"),
    "IP": ("src", "dst", "id", "ttl", "tos"),
    "IPv6": ("src", "dst", "hlim", "fl", "tc"),
    "IPv6ExtHdrFragment": ("id",),
    "TCP": ("sport", "dport", "seq", "ack", "window", "flags"),
    "UDP": ("sport", "dport"),
    "ICMP": ("id", "seq"),
    "ICMPv6EchoRequest": ("id", "seq"),
    "SCTP": ("sport", "dport", "tag"),
    "SCTPChunkData": ("tsn", "stream_id", "data"),
    "GRE": ("key",),
    "VXLAN": ("vni",),
    "GENEVE": ("vni",),
    "MPLS": ("label", "cos", "ttl"),
}
"""The fields of each layer that vary unless said otherwise: those that change neither the layers nor the lengths."""
BOUND: Final = {"VXLAN", "GENEVE"}
"""Layers that are known by the destination port of the UDP before them, which therefore stays."""
PAYLOAD: Final = 16
"""The most bytes of payload unless said otherwise."""


def template_of(kind: str | Template) -> Template:
    """Return the template of a family; TemplateError when there is no such family."""
    if isinstance(kind, Template):
        return kind
    if kind not in builders.FAMILIES:
        raise TemplateError(f"{kind!r} is no family of packets; expected one of: {', '.join(builders.FAMILIES)}.")
    return builders.FAMILIES[kind]()


def free_fields(template: Template) -> list[str]:
    """Return the fields of a template that vary unless said otherwise: those of `FREE`, else the hardware addresses."""
    found = list[str]()
    for layer, after in zip(template.layers, (*template.layers[1:], None), strict=True):
        names = FREE.get(layer.name.partition(":")[0], ())
        bound = after is not None and after.name.partition(":")[0] in BOUND
        found += [f"{layer.name}.{name}" for name in names if not (bound and name == "dport")]
    return [name for name in found or ("Ether.src", "Ether.dst") if name in template.fields]


def takes_payload(template: Template) -> bool:
    """Say whether bytes can follow the last header."""
    try:
        template.lengths()
    except TemplateError:
        return False
    return True


def variation_of(
    template: Template,
    values: Mapping[str, Value],
    vary: Iterable[str] | None,
    *,
    payload: bool,
    kept: Iterable[str] = (),
) -> Variation:
    """Return a template with fields set to values, of which the fields `vary` vary, or else the free ones.

    What is set, and the fields `kept`, do not vary; the payload does where `payload` asks for it and bytes can follow.
    TemplateError for a field that is not there.
    """
    fixed = template.fixed(values)
    set_places = [template.place(name) for name in (*values, *kept)]
    names = [
        name for name in (free_fields(template) if vary is None else vary) if template.place(name) not in set_places
    ]
    return Variation.of(fixed, names, payload=payload and takes_payload(template))
