// Command trivet runs the Trivet TCP/IP stack from the command line: serve, get and
// nc on a TUN device, and ss, which lists the sockets of serve; and without root or a
// network, a demonstration, the lab with its page, ladders of captures, and
// packetdrill scripts.
//
// It reads flags and prints; what it does can be done from Go with the packages of
// this module. Its exit status is 0 for success, 1 for a failure at run time and 2
// for wrong use; what that means for scripts, the help of drill says.
package main
