package tun

import (
	"errors"
	"fmt"
	"strings"
)

// The range and default of Config.MTU, in bytes. The least is IPv4's (RFC 791,
// Section 3.2); IPv6 needs 1280 (RFC 8200, Section 5).
const (
	MinMTU     = 68
	MaxMTU     = 65535
	DefaultMTU = 1500
)

// maxName is the longest name of an interface, IFNAMSIZ less the final zero.
const maxName = 15

// ErrConfig is wrapped by the errors of Open that a different Config avoids.
var ErrConfig = errors.New("tun: invalid configuration")

// Config says what device to open.
type Config struct {
	// Name is the name of the interface, up to 15 bytes. A name with %d in it
	// gets the first free number. Empty: "tun%d". A persistent device of that
	// name, made by its administrator beforehand, is attached to.
	Name string

	// MTU is the size of the largest packet, in bytes. Zero: 1500.
	MTU int

	// NoOffload makes a plain device: each packet fits the MTU and has its
	// checksum complete.
	NoOffload bool
}

// Check reports what is wrong with the configuration, wrapping ErrConfig.
func (c Config) Check() error {
	if len(c.Name) > maxName {
		return fmt.Errorf("%w: device name %q is longer than %d bytes", ErrConfig, c.Name, maxName)
	}
	if c.Name == "." || c.Name == ".." || strings.ContainsAny(c.Name, "/: \t\n\v\f\r\x00") {
		return fmt.Errorf("%w: %q is not a name that an interface can have", ErrConfig, c.Name)
	}
	if n := strings.Count(c.Name, "%"); n > 1 || n == 1 && !strings.Contains(c.Name, "%d") {
		return fmt.Errorf("%w: device name %q may have one %%d and no other %%", ErrConfig, c.Name)
	}
	if c.MTU != 0 && (c.MTU < MinMTU || c.MTU > MaxMTU) {
		return fmt.Errorf("%w: MTU %d is not from %d to %d", ErrConfig, c.MTU, MinMTU, MaxMTU)
	}
	return nil
}

// Stats counts what a device did since it was opened. Tx is from the stack to
// the kernel. A super-segment is one packet.
type Stats struct {
	RxPackets, RxBytes uint64
	TxPackets, TxBytes uint64

	// RxSuper and TxSuper are how many of the packets were super-segments.
	RxSuper, TxSuper uint64

	// RxInvalid packets were dropped since their offload header did not fit
	// them.
	RxInvalid uint64

	// TxDropped packets were refused by the kernel: no memory, a full queue, or
	// the interface is down. TxInvalid packets were not offered to it: they ask
	// for an offload that the device has not, or that does not fit them.
	TxDropped, TxInvalid uint64
}
