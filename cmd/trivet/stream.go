package main

import (
	"crypto/aes"
	"crypto/cipher"
	"io"
)

// stream is the fixed pseudo-random stream of /bytes/N: the key stream of
// AES-128 in counter mode with a key and an initial counter of zeros. Anyone
// can make it again:
//
//	head -c N /dev/zero | openssl enc -aes-128-ctr -nosalt \
//	    -K 00000000000000000000000000000000 -iv 00000000000000000000000000000000
type stream struct{ ctr cipher.Stream }

func newStream() *stream {
	var zero [aes.BlockSize]byte
	block, err := aes.NewCipher(zero[:])
	if err != nil {
		panic(err) // the key size is right
	}
	return &stream{cipher.NewCTR(block, zero[:])}
}

// Read fills p; it never fails.
func (s *stream) Read(p []byte) (int, error) {
	clear(p)
	s.ctr.XORKeyStream(p, p)
	return len(p), nil
}

// streamOf returns the first n bytes of the stream.
func streamOf(n int64) io.Reader { return io.LimitReader(newStream(), n) }
