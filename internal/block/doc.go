// Package block keeps the memory that payload lives in: reference-counted
// buffers of a few sizes, pooled, handed over between send buffer, packet and
// receive buffer without a copy.
//
// The rule everywhere is: a callee borrows. Whoever wants to keep bytes after
// its call returns takes a reference of its own with Chunk.Ref and gives it
// back with Chunk.Release. Blocks may cross from one stack to another (two
// stacks joined in memory share them), so the count is atomic and the pools
// are safe for concurrent use. Contents are never cleared.
package block
