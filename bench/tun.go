package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// The kernel is clientIP on the device, the stack serverIP. These are the
// ports of the kernel's services, which a process of its own gives.
const (
	portSink = iota + 1
	portSource
	portEcho
	portAnswer // and close
)

// tunHost is a stack on a TUN device.
type tunHost interface {
	DialKernel(ctx context.Context, port int) (net.Conn, error)
	Listen(port, backlog int) (net.Listener, error)
}

func tunWorkloads() []workload {
	devices := []struct {
		name          string
		send, receive float64
	}{{"vnet", 0.25, 0.30}, {"plain", 3.5, 2.0}}
	var list []workload
	add := func(name, about string, metrics []metric, lwip lwipTask, run func(settings, bool) (result, error)) {
		for _, d := range devices {
			variants := []string{"gvisor", "trivet"}
			if d.name == "plain" && lwip != (lwipTask{}) {
				variants = []string{"gvisor", "lwip", "trivet"}
			}
			m := append([]metric(nil), metrics...)
			switch name {
			case "send":
				m[1].goal.value = d.send
			case "receive":
				m[1].goal.value = d.receive
			}
			list = append(list, workload{
				name: "tun/" + d.name + "/" + name, about: about, needRoot: true,
				variants: variants, metrics: m, lwip: lwip,
				run: func(s settings) (result, error) { return run(s, d.name == "vnet") },
			})
		}
	}
	flow := []metric{
		{name: "rate", unit: "Gbit/s", more: true}, {name: "cpu", unit: "own CPU s/GB"}, {name: "allocs", unit: "allocs/MB"},
	}
	add("send", "one stream from the stack to the kernel over a TUN device, MTU 1500", flow, lwipTask{name: "send", count: 1}, tunSend)
	add("receive", "one stream from the kernel to the stack", flow, lwipTask{name: "receive", count: 1}, tunReceive)
	add("rr", "one byte to the kernel and back", []metric{
		{name: "rate", unit: "1/s", more: true},
		{name: "p50", unit: "p50 us", goal: goal{value: 50}},
		{name: "p99", unit: "p99 us"},
		{name: "cpu", unit: "own CPU us"},
	}, lwipTask{name: "ask", count: 1}, tunRR)
	churned := []metric{{name: "rate", unit: "1/s", more: true}, {name: "cpu", unit: "own CPU us"}, {name: "allocs", unit: "allocs"}}
	add("crr-dial", "16 at once: the stack connects to the kernel, a byte each way, the kernel closes first", churned,
		lwipTask{name: "dial", count: tunParallel}, tunCRR)
	add("crr-accept", "16 at once: the kernel connects to the stack, which closes first", churned[:2],
		lwipTask{}, tunAccept)
	return list
}

// openTun makes the stack of a variant on a device, and starts the kernel's
// services.
func openTun(s settings, vnet bool) (h tunHost, err error) {
	if strings.HasPrefix(s.Variant, "gvisor") {
		h, err = newGvisorTun(vnet)
	} else {
		h, err = newTrivetTun(vnet)
	}
	if err != nil {
		return nil, err
	}
	return h, startKernelSide(s)
}

// startKernelSide starts the kernel's services.
func startKernelSide(s settings) error {
	peer := exec.Command(s.Executor, childArg, "serve")
	peer.Stderr = os.Stderr
	out, err := peer.StdoutPipe()
	if err != nil {
		return err
	}
	peer.SysProcAttr = diesWithParent()
	if err := peer.Start(); err != nil {
		return err
	}
	_, err = bufio.NewReader(out).ReadString('\n') // it listens
	return err
}

func tunDial(s settings, vnet bool, port int) ([]net.Conn, error) {
	h, err := openTun(s, vnet)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	c, err := h.DialKernel(ctx, port)
	return []net.Conn{c}, err
}

// tunSend counts what is taken from the writer: over a second it differs from
// what arrives by the send buffer at most.
func tunSend(s settings, vnet bool) (result, error) {
	conns, err := tunDial(s, vnet, portSink)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, writeSize)
	var sent uint64
	write := func(d time.Duration) error {
		for start := time.Now(); time.Since(start) < d; {
			n, err := conns[0].Write(buf)
			if err != nil {
				return err
			}
			sent += uint64(n)
		}
		return nil
	}
	if err := write(warmUp); err != nil {
		return nil, err
	}
	sent = 0
	start := now()
	err = write(s.Time)
	return start.since().perByte(sent), err
}

func tunReceive(s settings, vnet bool) (result, error) {
	conns, err := tunDial(s, vnet, portSource)
	if err != nil {
		return nil, err
	}
	return flow(s, nil, conns)
}

func tunRR(s settings, vnet bool) (result, error) {
	conns, err := tunDial(s, vnet, portEcho)
	if err != nil {
		return nil, err
	}
	return ask(s, conns)
}

// tunParallel is how many connections come and go at once.
const tunParallel = 16

func tunCRR(s settings, vnet bool) (result, error) {
	h, err := openTun(s, vnet)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context) (net.Conn, error) { return h.DialKernel(ctx, portAnswer) }
	start := now()
	done, _, err := churn{parallel: tunParallel, time: s.Time}.run(dial)
	return start.since().perOp(int(done)), err
}

func tunAccept(s settings, vnet bool) (result, error) {
	h, err := openTun(s, vnet)
	if err != nil {
		return nil, err
	}
	l, err := h.Listen(7, 0)
	if err != nil {
		return nil, err
	}
	go answer(l, false)
	start := now()
	cmd := exec.Command(s.Executor, childArg, "churn", s.Time.String())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	used := start.since()
	if err != nil {
		return nil, fmt.Errorf("the kernel's side: %w", err)
	}
	done, err := strconv.Atoi(strings.TrimSpace(string(out)))
	return used.perOp(done), err
}

// kernelServe is the kernel's side of the device, until the parent ends.
func kernelServe() error {
	discard := func(c net.Conn) {
		buf := make([]byte, readSize)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	}
	produce := func(c net.Conn) {
		buf := make([]byte, writeSize)
		for {
			if _, err := c.Write(buf); err != nil {
				return
			}
		}
	}
	for port, serve := range map[int]func(net.Conn){portSink: discard, portSource: produce, portEcho: echo} {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", clientIP, port))
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go serve(c)
			}
		}()
	}
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", clientIP, portAnswer))
	if err != nil {
		return err
	}
	go answer(l, false)
	fmt.Println("listening")
	select {}
}

// kernelChurn makes connections to the stack and prints how many.
func kernelChurn(d string) error {
	t, err := time.ParseDuration(d)
	if err != nil {
		return err
	}
	var dialer net.Dialer
	dial := func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", serverIP+":7") }
	done, _, err := churn{parallel: tunParallel, time: t}.run(dial)
	fmt.Println(done)
	return err
}
