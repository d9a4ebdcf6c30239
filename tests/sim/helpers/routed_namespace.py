"""Run in a network namespace of its own: asks the running kernel and a simulated one for the same ways.

Prints each question to which they answer differently, one a line, and the number of questions.
"""

from __future__ import annotations

import ctypes
import ipaddress
import itertools
import socket
import struct
import subprocess
from collections.abc import Iterator

from bpflab import Lab
from bpflab.asm import DW, Items, add, call, exit_, ld_imm64, mov, r0, r1, r2, r3, r4, r5, r6, r7, r10, stx
from bpflab.errors import BpfError
from bpflab.sim.backend import SimBackend
from bpflab.sim.world import World

CLONE_NEWNET = 0x40000000
MACS = {"va": "02:00:00:00:00:0a", "vc": "02:00:00:00:00:0c"}
MTUS = {"va": 1500, "vc": 1400}
ADDRESSES = {
    "va": ("10.1.0.1/24", "2001:db8:1::1/64"),
    "vc": ("10.2.0.1/24", "2001:db8:2::1/64"),
}
ROUTES = [  # network, device, gateway, metric, locked MTU, table
    ("10.3.0.0/16", "vc", "10.2.0.9", 0, 0, 254),
    ("10.3.3.0/24", "va", "10.1.0.9", 7, 0, 254),
    ("10.7.0.0/16", "vc", "10.2.0.77", 0, 0, 254),
    ("10.8.0.0/16", "vc", "", 0, 1000, 254),
    ("10.9.0.0/24", "va", "", 0, 0, 100),
    ("2001:db8:3::/48", "vc", "2001:db8:2::9", 1024, 0, 254),
]
REFUSED = [("blackhole", "4"), ("unreachable", "5"), ("prohibit", "6")]
NEIGHBOURS = [
    *[("10.2.0.9", "vc"), ("10.1.0.9", "va"), ("10.8.0.1", "vc"), ("10.9.0.1", "va"), ("10.1.0.5", "va")],
    *[("2001:db8:2::9", "vc"), ("2001:db8:1::5", "va")],
]
DESTINATIONS = [
    *[f"10.{net}.0.{host}" for net, host in itertools.product(range(1, 10), (1, 5))],
    *["10.3.3.1", "10.2.0.9", "99.9.9.9", "2001:db8:1::5", "2001:db8:1::6", "2001:db8:9::1"],
    *[f"2001:db8:{net}::1" for net in (3, 4, 5, 6)],
]
OWN = {"10.1.0.1", "10.2.0.1"}
FLAGS = [(0, 0), (1, 0), (2, 0), (4, 0), (9, 100), (9, 254), (16, 0), (64, 0), (3, 0), (20, 0)]
LENGTHS = (0, 1501)


def mac_of(address: str) -> str:
    return f"02:00:00:00:00:{hash_of(address):02x}"


def hash_of(address: str) -> int:
    return sum(ipaddress.ip_address(address).packed) & 0xFF


def lay_out_kernel() -> None:
    run("ip link set lo up")
    for device, peer in (("va", "vb"), ("vc", "vd")):
        run(f"ip link add {device} type veth peer name {peer}")
        run(f"ip link set {peer} up")
        run(f"ip link set {device} address {MACS[device]} mtu {MTUS[device]} up")
    for name in ("ipv4.conf.all", "ipv6.conf.all", "ipv6.conf.va", "ipv6.conf.vc"):
        run(f"sysctl -qw net.{name}.forwarding=1")
    for device, addresses in ADDRESSES.items():
        for address in addresses:
            run(f"ip addr add {address} dev {device} {'nodad' if ':' in address else ''}")
    for network, device, gateway, metric, mtu, table in ROUTES:
        via = f"via {gateway}" if gateway else ""
        extra = f"{f'metric {metric}' if metric else ''} {f'mtu lock {mtu}' if mtu else ''}"
        run(f"ip route add {network} {via} dev {device} table {table} {extra}")
    for kind, number in REFUSED:
        run(f"ip route add {kind} 10.{number}.0.0/16")
        run(f"ip -6 route add {kind} 2001:db8:{number}::/48")
    for address, device in NEIGHBOURS:
        run(f"ip neigh add {address} lladdr {mac_of(address)} dev {device}")


def run(command: str) -> None:
    subprocess.run(command.split(), check=True)


def lay_out_world(world: World) -> None:
    indexes = {name: index for index, name in socket.if_nameindex()}
    devices = {name: world.add_interface(name, ifindex=indexes[name], mac=MACS[name], mtu=MTUS[name]) for name in MACS}
    sources = {(name, ":" in each): each.split("/")[0] for name, given in ADDRESSES.items() for each in given}
    for name, addresses in ADDRESSES.items():
        for address in addresses:
            network = str(ipaddress.ip_interface(address).network)
            metric = 256 if ":" in address else 0
            world.add_route(network, devices[name], source=address.split("/")[0], metric=metric)
    for network, device, gateway, metric, mtu, table in ROUTES:
        source = sources[device, ":" in network]
        options = {"metric": metric, "mtu": mtu, "table": table}
        world.add_route(network, devices[device], via=gateway or None, source=source, **options)
    for kind, number in REFUSED:
        world.add_route(f"10.{number}.0.0/16", 1, kind=kind)
        world.add_route(f"2001:db8:{number}::/48", 1, kind=kind)
    for address, device in NEIGHBOURS:
        world.add_neighbour(address, mac_of(address), devices[device])


def questions() -> Iterator[tuple[str, int, int, int, int]]:
    own = socket.if_nametoindex("va")
    for destination, ifindex, length, (flags, table) in itertools.product(DESTINATIONS, (own, 1, 999), LENGTHS, FLAGS):
        if destination not in OWN:
            yield destination, ifindex, length, flags, table


def parameters(destination: str, ifindex: int, length: int, table: int) -> bytes:
    address = ipaddress.ip_address(destination)
    family, source = (2, "10.1.0.5") if address.version == 4 else (10, "2001:db8:1::5")
    packed = ipaddress.ip_address(source).packed, address.packed
    return struct.pack("=BBHHHII16s16sI12s", family, 6, 1, 2, length, ifindex, 0, *packed, table, b"")


def program(raw: bytes, flags: int, store: str) -> Items:
    words = struct.unpack("=8Q", raw)
    stack = [[ld_imm64(r1, word), stx(DW, r10, r1, 8 * at - 64)] for at, word in enumerate(words)]
    ask = [mov(r1, r6), mov(r2, r10), add(r2, -64), mov(r3, 64), ld_imm64(r4, flags), call("fib_lookup")]
    show = [mov(r7, r0), mov(r1, r6), mov(r2, 0), mov(r3, r10), add(r3, -64), mov(r4, 64), mov(r5, 0), call(store)]
    return [mov(r6, r1), stack, ask, show, mov(r0, r7), exit_()]


def answer(lab: Lab, prog_type: str, question: tuple[str, int, int, int, int]) -> tuple[int, str] | str:
    destination, ifindex, length, flags, table = question
    store = "xdp_store_bytes" if prog_type == "xdp" else "skb_store_bytes"
    code = program(parameters(destination, ifindex, length, table), flags, store)
    try:
        loaded = lab.program(code, type=prog_type)
        result = loaded.run(bytes(12) + b"\x08\0" + bytes(100))
        loaded.close()
    except BpfError as error:
        return str(error)
    return result.retval, result.data[:64].hex()


def main() -> None:
    if ctypes.CDLL(None).unshare(CLONE_NEWNET):
        raise SystemExit("a network namespace needs CAP_SYS_ADMIN")
    lay_out_kernel()
    asked = 0
    with Lab("kernel") as kernel, Lab("sim") as sim:
        assert isinstance(sim.backend, SimBackend)
        lay_out_world(sim.backend.kernel.world)
        for prog_type, question in itertools.product(("xdp", "sched_cls"), questions()):
            asked += 1
            answers = [answer(lab, prog_type, question) for lab in (kernel, sim)]
            if answers[0] != answers[1]:
                print("different:", prog_type, question, *answers)
    print("asked", asked)


if __name__ == "__main__":
    main()
