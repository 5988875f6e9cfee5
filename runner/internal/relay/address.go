package relay

import (
	"fmt"
	"net/netip"
	"syscall"
)

// notPublic are the networks in which nobody's remote is, unless the operator says so.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
	"::/96", "::1/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32",
	"2002::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

// ForbiddenAddressError says that a name led to an address of a network that may not be reached.
type ForbiddenAddressError struct{ Address netip.Addr }

func (e *ForbiddenAddressError) Error() string {
	return fmt.Sprintf("The remote is at %s, in a network that is not public and not allowed by configuration.", e.Address)
}

// refuseNetworks looks at each address at the moment at which it is dialled, whatever its name was resolved to before.
func refuseNetworks(allowed []netip.Prefix) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		dialled, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return CheckAddress(dialled.Addr(), allowed)
	}
}

// CheckAddress refuses what is not public and not allowed.
func CheckAddress(address netip.Addr, allowed []netip.Prefix) error {
	plain := address.Unmap().WithZone("")
	for _, prefix := range allowed {
		if prefix.Contains(plain) {
			return nil
		}
	}
	for _, prefix := range notPublic {
		if prefix.Contains(plain) {
			return &ForbiddenAddressError{Address: plain}
		}
	}
	return nil
}

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for at, text := range texts {
		all[at] = netip.MustParsePrefix(text)
	}
	return all
}
