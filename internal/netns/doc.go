// Package netns gives tests a Linux network namespace of their own, so that
// they meet the kernel's TCP without touching the machine's network. It is for
// tests only.
package netns
