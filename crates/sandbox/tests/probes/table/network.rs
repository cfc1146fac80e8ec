//! Ways out.

use super::Outside::{Both, Nobody, Root};
use super::Shows::{Claims, Heard, Says};
use super::{Probe, ROUTE, p};

pub(crate) const PROBES: &[Probe] = &[
    p("network", "TCP to the host, v4", "tcp {tcp4}", Says("{net-token}"), Both),
    p("network", "TCP to the host, v6", "tcp {tcp6}", Says("{net-token}"), Both),
    p("network", "TCP to the host, v4 in v6", "tcp {tcp46}", Says("{net-token}"), Both),
    p("network", "TCP to the host's own address", "tcp {lan}", Says("{net-token}"), Both),
    p("network", "UDP to the host", "udp {udp} {unique}", Heard("{unique}"), Both),
    p("network", "a Unix socket by its path", "unix {outside}/socket", Says("{net-token}"), Both),
    p("network", "a Unix socket in the workspace", "unix {work}/socket", Says("{net-token}"), Both),
    p("network", "a Unix datagram by its path", "unix-datagram {outside}/datagram {unique}", Heard("{unique}"), Both),
    p("network", "an abstract Unix socket", "abstract {abstract}", Says("{net-token}"), Both),
    p("network", "see the host's interfaces", "interfaces", Says("interfaces"), Both),
    p("network", "raw IP", "socket 2 3 1", Claims, Root),
    p("network", "raw IPv6", "socket 10 3 58", Claims, Root),
    p("network", "raw packets", "socket 17 3 768", Claims, Root),
    p("network", "a socket to the hypervisor", "socket 40 1 0", Claims, Both),
    p("network", "netlink: audit", "socket 16 3 9", Claims, Both),
    p("network", "netlink: netfilter", "socket 16 3 12", Claims, Both),
    p("network", "netlink: sockets of others", "socket 16 3 4", Claims, Both),
    p("network", "netlink: kernel events", "socket 16 3 15", Claims, Both),
    p("network", "netlink: generic", "socket 16 3 16", Claims, Both),
    p("network", "the kernel's cryptography", "socket 38 5 0", Claims, Nobody("not in this kernel")),
    p("network", "SCTP", "socket 2 1 132", Claims, Nobody("not in this kernel")),
    p("network", "a socket family in the upper half", "socket 4294967336 1 0", Claims, Both),
    p("network", "DNS to the host", "dns {dns} {unique}", Heard("{unique}"), Both),
    p("network", "CONNECT by a proxy of the host", "connect-by {tcp4}", Says("{net-token}"), Both),
    p("network", "the proxy of the environment", "HTTPS_PROXY={tcp4} connect-by-variable", Says("{net-token}"), Both),
    p("network", "fast open", "fast-open {tcp4}", Says("{net-token}"), Both),
    p("network", "the resolver that is configured", "route-to-resolver", Claims, Both).needs(ROUTE),
    p("network", "a way to the internet", "route-to 203.0.113.80:443", Claims, Both).needs(ROUTE),
    p("network", "a way to the cloud's metadata", "route-to 169.254.169.254:80", Claims, Both).needs(ROUTE),
    p("network", "the same, v4 in v6", "route-to [::ffff:169.254.169.254]:80", Claims, Both).needs(ROUTE),
    p("network", "a way to private networks", "route-to 10.0.0.1:80", Claims, Both).needs(ROUTE),
    p("network", "a way to everybody on the network", "route-to 224.0.0.251:5353", Claims, Both).needs(ROUTE),
    p(
        "network",
        "a way to the internet, v6",
        "route-to [2001:db8::80]:443",
        Claims,
        Nobody("it has no way there itself"),
    ),
    p("network", "change an interface", "interface", Claims, Root),
];
