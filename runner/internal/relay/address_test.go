package relay

import (
	"errors"
	"net/netip"
	"testing"
)

func TestOnlyPublicAddressesAreReached(t *testing.T) {
	for text, public := range map[string]bool{
		"140.82.121.4": true, "2606:50c0:8000::154": true, "9.9.9.9": true,
		"127.0.0.1": false, "127.1.2.3": false, "::1": false, "0.0.0.0": false, "::": false, "10.0.0.1": false,
		"172.16.0.1": false, "172.31.255.255": false, "172.32.0.1": true, "192.168.1.1": false, "169.254.169.254": false,
		"::ffff:169.254.169.254": false, "::ffff:140.82.121.4": true, "fd00::1": false, "fe80::1%eth0": false,
		"100.64.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "224.0.0.1": false, "255.255.255.255": false,
	} {
		err := CheckAddress(netip.MustParseAddr(text), nil)
		var forbidden *ForbiddenAddressError
		if public != (err == nil) || !public && !errors.As(err, &forbidden) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWhatIsAllowedIsReached(t *testing.T) {
	allowed := prefixes("10.1.0.0/16")
	for text, reached := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false} {
		if err := CheckAddress(netip.MustParseAddr(text), allowed); (err == nil) != reached {
			t.Errorf("%s: %v", text, err)
		}
	}
}
