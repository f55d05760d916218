package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/trivet-net/trivet"
	"github.com/trivet-net/trivet/link"
	"github.com/trivet-net/trivet/netsim"
)

// service is gRPC's own test service: it answers with the bytes asked for, or
// with those that it got.
type service struct {
	pb.UnimplementedTestServiceServer
}

func (service) UnaryCall(_ context.Context, r *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	return &pb.SimpleResponse{Payload: &pb.Payload{Body: bytes.ToUpper(r.Payload.Body)}}, nil
}

func (service) StreamingInputCall(s pb.TestService_StreamingInputCallServer) error {
	sum := 0
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return s.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: int32(sum)})
		}
		if err != nil {
			return err
		}
		sum += len(m.Payload.Body)
	}
}

func (service) StreamingOutputCall(r *pb.StreamingOutputCallRequest, s pb.TestService_StreamingOutputCallServer) error {
	for i, p := range r.ResponseParameters {
		body := bytes.Repeat([]byte{byte(i)}, int(p.Size))
		if err := s.Send(&pb.StreamingOutputCallResponse{Payload: &pb.Payload{Body: body}}); err != nil {
			return err
		}
	}
	return nil
}

func (service) FullDuplexCall(s pb.TestService_FullDuplexCallServer) error {
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if m.ResponseStatus != nil {
			return status.Error(codes.Code(m.ResponseStatus.Code), m.ResponseStatus.Message)
		}
		if err := s.Send(&pb.StreamingOutputCallResponse{Payload: m.Payload}); err != nil {
			return err
		}
	}
}

// dialer is DialContext of a host.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// serve begins to serve on a listener, and returns a client of it and what ends
// both.
func serve(t *testing.T, l net.Listener, dial dialer) (pb.TestServiceClient, func()) {
	t.Helper()
	server := grpc.NewServer()
	pb.RegisterTestServiceServer(server, service{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, "tcp", address) }))
	if err != nil {
		t.Fatal(err)
	}
	return pb.NewTestServiceClient(conn), func() {
		if err := conn.Close(); err != nil {
			t.Errorf("closing the client: %v", err)
		}
		server.GracefulStop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
}

// calls makes a call of each kind. Between says that another message of the
// stream in both directions went back and forth.
func calls(ctx context.Context, t *testing.T, c pb.TestServiceClient, between func(int)) {
	t.Helper()
	body := make([]byte, 300_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range body {
		body[i] = byte(random.Uint32())
	}
	one, err := c.UnaryCall(ctx, &pb.SimpleRequest{Payload: &pb.Payload{Body: body}})
	if err != nil || !bytes.Equal(one.Payload.Body, bytes.ToUpper(body)) {
		t.Fatalf("a unary call: %v", err)
	}
	if _, err := c.EmptyCall(ctx, &pb.Empty{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("a call that the server does not have: %v, want %v", err, codes.Unimplemented)
	}
	upload(ctx, t, c, body)
	download(ctx, t, c)
	both(ctx, t, c, between)
}

// upload streams from the client.
func upload(ctx context.Context, t *testing.T, c pb.TestServiceClient, body []byte) {
	t.Helper()
	s, err := c.StreamingInputCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := s.Send(&pb.StreamingInputCallRequest{Payload: &pb.Payload{Body: body[:1000*i]}}); err != nil {
			t.Fatalf("upload, message %d: %v", i, err)
		}
	}
	if r, err := s.CloseAndRecv(); err != nil || r.AggregatedPayloadSize != 190_000 {
		t.Errorf("the server got %v bytes, %v, want 190000", r.GetAggregatedPayloadSize(), err)
	}
}

// download streams from the server.
func download(ctx context.Context, t *testing.T, c pb.TestServiceClient) {
	t.Helper()
	var r pb.StreamingOutputCallRequest
	for i := range 20 {
		r.ResponseParameters = append(r.ResponseParameters, &pb.ResponseParameters{Size: int32(10_000 * i)})
	}
	s, err := c.StreamingOutputCall(ctx, &r)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		m, err := s.Recv()
		if err != nil || !bytes.Equal(m.Payload.GetBody(), bytes.Repeat([]byte{byte(i)}, 10_000*i)) {
			t.Fatalf("download, message %d: %d bytes, %v", i, len(m.GetPayload().GetBody()), err)
		}
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last message: %v, want %v", err, io.EOF)
	}
}

// both streams in both directions, each message waiting for the one before, and
// ends with a status of the server's.
func both(ctx context.Context, t *testing.T, c pb.TestServiceClient, between func(int)) {
	t.Helper()
	s, err := c.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		want := fmt.Sprintf("message %d", i)
		if err := s.Send(&pb.StreamingOutputCallRequest{Payload: &pb.Payload{Body: []byte(want)}}); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if m, err := s.Recv(); err != nil || string(m.Payload.Body) != want {
			t.Fatalf("message %d comes back as %v, %v", i, m, err)
		}
		between(i)
	}
	last := &pb.StreamingOutputCallRequest{ResponseStatus: &pb.EchoStatus{Code: int32(codes.DataLoss), Message: "as asked"}}
	if err := s.Send(last); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); status.Code(err) != codes.DataLoss || status.Convert(err).Message() != "as asked" {
		t.Errorf("the stream ends with %v, want %v", err, codes.DataLoss)
	}
}

// SOCK-111: gRPC, unmodified, over Listen and DialContext: calls and streams in
// each direction over a link that loses one packet in fifty, and is cut for ten
// seconds in the middle of a stream.
func TestGRPCOverLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Seed: 10, TB: t})
		defer n.Close()
		client, server := n.Host("client"), n.Host("server")
		cable := n.Link(client, server, netsim.Delay(20*time.Millisecond), netsim.Loss(0.02))
		l, err := server.Listen("tcp", ":443")
		if err != nil {
			t.Fatal(err)
		}
		c, end := serve(t, l, func(ctx context.Context, network, _ string) (net.Conn, error) {
			return client.DialContext(ctx, network, "server:443")
		})
		began := time.Now()
		calls(t.Context(), t, c, func(i int) {
			if i == 20 {
				cable.Unplug()
				time.AfterFunc(10*time.Second, cable.Plug)
			}
		})
		if took := time.Since(began); took < 10*time.Second {
			t.Errorf("it took %v of virtual time, with a cut of 10 s", took)
		}
		end()
	})
}

// A deadline ends a call while the link is cut, as gRPC has it, and the
// connection goes on when the link is back.
func TestGRPCDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netsim.New(netsim.Config{Seed: 11, TB: t})
		defer n.Close()
		client, server := n.Host("client"), n.Host("server")
		cable := n.Link(client, server, netsim.Delay(20*time.Millisecond))
		l, err := server.Listen("tcp", ":443")
		if err != nil {
			t.Fatal(err)
		}
		c, end := serve(t, l, func(ctx context.Context, network, _ string) (net.Conn, error) {
			return client.DialContext(ctx, network, "server:443")
		})
		call := func(ctx context.Context) error {
			_, err := c.UnaryCall(ctx, &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte("a")}})
			return err
		}
		if err := call(t.Context()); err != nil {
			t.Fatal(err)
		}
		cable.Unplug()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := call(ctx); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("over a cut link: %v, want %v", err, codes.DeadlineExceeded)
		}
		cable.Plug()
		if err := call(t.Context()); err != nil {
			t.Errorf("when the link is back: %v", err)
		}
		end()
	})
}

// The same calls over stacks that run in real time.
func TestGRPC(t *testing.T) {
	a, b := link.Pair(1500, link.PairOptions{})
	var stacks []*trivet.Stack
	for i, l := range []link.Link{a, b} {
		s, err := trivet.New(trivet.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(t.Context()) }) // at once: the context is over by then
		if err := s.AddLink(l, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 24)); err != nil {
			t.Fatal(err)
		}
		stacks = append(stacks, s)
	}
	l, err := stacks[0].Listen("tcp", "10.0.0.1:443")
	if err != nil {
		t.Fatal(err)
	}
	c, end := serve(t, l, stacks[1].DialContext)
	calls(t.Context(), t, c, func(int) {})
	end()
}
