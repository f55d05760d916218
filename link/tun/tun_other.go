//go:build !linux

package tun

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"

	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/wire"
)

// Device is a TUN device. There is none on this system.
type Device struct{}

// Open returns an error: TUN devices are supported on Linux only.
func Open(Config) (*Device, error) {
	return nil, fmt.Errorf("tun: devices of %s are not supported: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Configure returns an error.
func (*Device) Configure(...netip.Prefix) error { return errors.ErrUnsupported }

// Name returns the empty string.
func (*Device) Name() string { return "" }

// Stats returns zeros.
func (*Device) Stats() Stats { return Stats{} }

// Read returns an error.
func (*Device) Read([]wire.Packet) (int, error) { return 0, errors.ErrUnsupported }

// Write returns an error.
func (*Device) Write([]wire.Packet) (int, error) { return 0, errors.ErrUnsupported }

// MTU returns 0.
func (*Device) MTU() int { return 0 }

// Offloads returns none.
func (*Device) Offloads() link.Offloads { return 0 }

// Close does nothing.
func (*Device) Close() error { return nil }
