// Command trivet runs the Trivet TCP/IP stack from the command line: a server
// and two clients on a TUN device, the list of their services, and a
// demonstration that needs neither root nor a network.
//
// It reads flags and prints; what it does can be done from Go with package
// trivet. Its exit status is 0 for success, 1 for a failure at run time and 2
// for wrong use.
package main
